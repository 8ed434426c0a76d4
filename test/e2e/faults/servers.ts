/** Faults of the XMPP server: killed, stopped, away for long, without its store (rules 19, 23). */
import { setTimeout as delay } from 'node:timers/promises'
import type { Fault, Measured } from './fault.js'
import { toldAll } from './lamps.js'
import { backoffMs, returnMs, staleMs, windowMs } from './settings.js'
import type { Site } from './site.js'
import { Store } from './store.js'

/** The server is away for as long as `meanwhile` takes; gives for how long it was, in ms. */
async function away(
  site: Site,
  end: 'kill' | 'stop',
  meanwhile: () => Promise<unknown>,
): Promise<number> {
  const startMs = performance.now()
  await site.endServer(end)
  await meanwhile()
  await site.server.start()
  return performance.now() - startMs
}

/** What changed while the server was away is told after its return, and all else is right too. */
async function caughtUp(
  site: Site,
  end: 'kill' | 'stop',
  meanwhile: () => Promise<unknown>,
): Promise<Measured> {
  const device = 'Custom:meanwhile'
  const { a } = site
  const isRaised = (await a.asterisk.deviceState(device)) === 'INUSE'
  const next = isRaised ? 'NOT_INUSE' : 'INUSE'
  const marks = site.marks(site.others(a))
  const goneMs = await away(site, end, async () => {
    await a.asterisk.setDevice(device, next)
    await meanwhile()
  })
  const startMs = performance.now()
  const boundMs = backoffMs(goneMs) + 5_000
  const times = await Promise.all([
    ...marks.map((since) => toldAll(since, [device], next, boundMs + 20_000)),
    site.agreed(0, site.members, boundMs).then((agreed) => ('ms' in agreed ? agreed.ms : Infinity)),
  ])
  return { ms: Math.max(...times) - startMs, boundMs }
}

const briefly = (end: 'kill' | 'stop', what: string): Fault => ({
  name: `XMPP server ${what} and back within stale_after: nothing is withdrawn`,
  bound: 'nothing changes',
  run: async (site) => {
    const marks = site.marks(site.members)
    await away(site, end, () => delay(1_000))
    return site.changes(marks)
  },
})

/** It is killed, and answers again after so long, to the millisecond; gives for how long it was away, ms. */
async function awayFor(site: Site, awayMs: number): Promise<number> {
  const startMs = performance.now()
  const isOver = delay(awayMs)
  await site.endServer('kill')
  await site.hideServer()
  await site.server.start()
  await isOver
  await site.showServer()
  return performance.now() - startMs
}

/** The members are back at their own times. */
const away20to58 = [20, 45, 58].map((seconds): Fault => ({
  name: `XMPP server away for ${seconds} s: nothing is withdrawn`,
  bound: 'nothing changes',
  run: async (site) => {
    const marks = site.marks(site.members)
    await awayFor(site, seconds * 1_000)
    return site.changes(marks)
  },
}))

/** The others wait for it as for one that is late. */
const deadMeanwhile: Fault = {
  name: 'XMPP server away for 20 s, a bridge killed meanwhile: its devices are withdrawn',
  bound: 'backoff + 36 s after the return',
  run: async (site) => {
    const { a } = site
    const marks = site.marks(site.others(a))
    const [goneMs] = await Promise.all([awayFor(site, 20_000), a.killBridge()])
    const boundMs = backoffMs(goneMs) + returnMs + 1_000
    return site.withdrawn(performance.now(), a, marks, boundMs)
  },
}

const back = (end: 'kill' | 'stop', what: string): Fault => ({
  name: `XMPP server ${what} and started again: what changed meanwhile is seen`,
  bound: 'backoff + 5 s',
  run: (site) => caughtUp(site, end, () => Promise.resolve()),
})

const long: Fault = {
  name: 'XMPP server away for longer than stale_after: what is held of others is withdrawn',
  bound: 'stale_after + 5 s + grace + 1 s',
  run: async (site) => {
    const marks = site.marks(site.members)
    const startMs = performance.now()
    await site.endServer('kill')
    return site.emptied(startMs, marks, staleMs(site.settings) + 1_000)
  },
}

const longAndBack: Fault = {
  name: 'XMPP server back after longer than stale_after: all see all again',
  bound: 'backoff + 5 s',
  run: (site) => {
    const marks = site.marks(site.members)
    return caughtUp(site, 'kill', () => site.emptied(0, marks, staleMs(site.settings) + 1_000))
  },
}

/** Nodes, items and subscriptions are gone when it comes back. */
const lostStopped: Fault = {
  name: 'XMPP server back without its pubsub store: a change is seen, all see all',
  bound: 'backoff + 5 s',
  run: (site) => caughtUp(site, 'stop', () => site.server.losePubsubStore()),
}

/** Measured by what another client finds there. */
const remade = (
  what: string,
  bound: string,
  find: (
    site: Site,
    store: Store,
    reconnectMs: number,
  ) => Promise<{ seenMs: number; boundMs: number }>,
): Fault => ({
  name: `XMPP server back without its pubsub store: ${what}`,
  bound,
  run: async (site) => {
    const goneMs = await away(site, 'stop', () => site.server.losePubsubStore())
    const startMs = performance.now()
    const store = await Store.open(site.server, 'a')
    try {
      const { seenMs, boundMs } = await find(site, store, backoffMs(goneMs) + 5_000)
      return { ms: seenMs - startMs, boundMs }
    } finally {
      await store.close()
    }
  },
})

const nodesRemade = remade(
  'nodes are there again, members in them',
  'backoff + 5 s',
  async (site, store, boundMs) => ({
    seenMs: await store.awaitCluster(site, boundMs + 20_000),
    boundMs,
  }),
)

/** Windows are written behind, with rests: no lamp depends on them (rule 26). */
const windowsRemade = remade(
  'the windows show all devices again',
  'backoff + 5 s + 0.1 s a device',
  async (site, store, reconnectMs) => {
    const boundMs = reconnectMs + windowMs(site.devicesOf(site.a).length)
    return { seenMs: await store.awaitWindows(site, boundMs + 20_000), boundMs }
  },
)

export const serversAway: readonly Fault[] = [long, longAndBack]

export const serversAwayAsShipped: readonly Fault[] = [...away20to58, deadMeanwhile]

export const serversBack: readonly Fault[] = [
  briefly('kill', 'killed'),
  briefly('stop', 'stopped gracefully'),
  back('kill', 'killed'),
  back('stop', 'stopped gracefully'),
  lostStopped,
  nodesRemade,
  windowsRemade,
]
