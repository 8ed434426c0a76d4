/** Faults of bridges: killed, stopped, started again, gone for good, left (rules 9, 21 to 24). */
import { readText } from '../../../lab/running.js'
import type { Fault, Measured } from './fault.js'
import { changesSince, type Mark } from './lamps.js'
import { staleMs } from './settings.js'
import { lamp } from './site.js'

type End = 'killBridge' | 'stopBridge'

const signals: Readonly<Record<End, string>> = { killBridge: 'SIGKILL', stopBridge: 'SIGTERM' }

/** A bridge ends and stays away: its devices are withdrawn, its message counts are not. */
const gone = (end: End): Fault => ({
  name: `bridge gone (${signals[end]}): its devices are withdrawn, its message counts kept`,
  bound: 'grace + 1 s',
  run: async (site) => {
    const marks = site.marks(site.others(site.a))
    const startMs = performance.now()
    const [measured] = await Promise.all([
      site.withdrawn(startMs, site.a, marks, site.settings.graceMs + 1_000),
      site.a[end](),
    ])
    await assertLampKept(marks)
    return measured
  },
})

async function assertLampKept(marks: readonly Mark[]): Promise<void> {
  for (const since of marks) {
    const state = await since.pbx.deviceState(lamp)
    if (state !== 'INUSE' || changesSince(since, [lamp]).length > 0) {
      throw new Error(`${since.pbx.name}: the message count of a dead member was not kept`)
    }
  }
}

const restarted = (end: End): Fault => ({
  name: `bridge restarted within grace (${signals[end]}): no flicker`,
  bound: 'nothing changes',
  run: async (site) => {
    const marks = site.marks(site.others(site.a))
    await site.a[end]()
    await site.a.startBridge()
    return site.changes(marks)
  },
})

/** B's Asterisk still holds what A said when both bridges went; A never comes back. */
const lostWhileDown: Fault = {
  name: 'peer gone for good while this bridge was down: withdrawn by the journal',
  bound: 'stale_after + 5 s + grace + 1 s after its start',
  run: async (site) => {
    const { a, b, settings } = site
    await b.stopBridge()
    await a.killBridge()
    const marks = site.marks([b])
    await b.startBridge()
    return site.withdrawn(performance.now(), a, marks, staleMs(settings) + 1_000)
  },
}

/** Counted from when the bridge is told: how long a command takes to start is the machine's business. */
const left: Fault = {
  name: 'hintbridge leave: all is withdrawn, message counts too',
  bound: '1 s',
  run: async (site): Promise<Measured> => {
    const { a } = site
    const marks = site.marks(site.others(a))
    const logStart = readText(a.logFile).length
    const told = a.bridge.logs(/"msg":"leaving for good"/, 10_000, logStart)
    const [startMs, measured] = await Promise.all([
      told.then(() => performance.now()),
      site.withdrawn(0, a, marks, 1_000),
      ...marks.map(({ pbx }) => pbx.awaitDeviceState(lamp, 'NOT_INUSE')),
      a.leave(),
    ])
    await a.bridge.exited
    return 'ms' in measured ? { ...measured, ms: measured.ms - startMs } : measured
  },
}

export const bridgesGone: readonly Fault[] = [
  gone('killBridge'),
  gone('stopBridge'),
  lostWhileDown,
  left,
]

export const bridgesRestarted: readonly Fault[] = [restarted('stopBridge'), restarted('killBridge')]
