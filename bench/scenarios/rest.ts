/** One change at a time, nothing else going on: how late is the lamp? */
import { setTimeout as delay } from 'node:timers/promises'
import type { DeviceState } from '../../src/bridge/state.js'
import type { Pair } from '../pairs.js'
import type { PairScenario } from '../scenario.js'
import { quantile } from '../statistics.js'
import { stateOf } from '../states.js'
import type { Tap } from '../tap.js'
import { within } from '../wait.js'

const restMs = 10
const lostMs = 10_000

export const rest: PairScenario = {
  name: 'rest',
  about: 'one change at a time',
  async measure(pair, round, size) {
    const delays: number[] = []
    const count = size === 'quick' ? 10 : 300
    for (let index = 0; index < count; index++) {
      delays.push(await changeOne(pair, `Custom:rest-${index}`, stateOf(round)))
      await delay(restMs)
    }
    const seen = delays.filter((ms) => !Number.isNaN(ms))
    return {
      'median ms': quantile(seen, 0.5),
      'p99 ms': quantile(seen, 0.99),
      lost: delays.length - seen.length,
    }
  },
}

/** From A's event to B's, ms; `NaN` where B has none. */
async function changeOne({ a, b }: Pair, device: string, state: DeviceState): Promise<number> {
  const seenAt = (tap: Tap): Promise<number> =>
    new Promise((resolve) => {
      tap.watch((changed, now, atMs) => {
        if (changed === device && now === state) resolve(atMs)
      })
    })
  const both = Promise.all([seenAt(a), seenAt(b)])
  a.set([[device, state]])
  const [madeMs, shownMs] = (await within(both, lostMs)) ?? [NaN, NaN]
  // The two connections are read in any order.
  return Math.max(shownMs - madeMs, 0)
}
