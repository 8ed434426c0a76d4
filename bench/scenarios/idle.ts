/** What a bridge costs while nothing happens. */
import { setTimeout as delay } from 'node:timers/promises'
import { residentMiB, watchCpu } from '../processes.js'
import type { PairScenario } from '../scenario.js'

export const idle: PairScenario = {
  name: 'idle',
  about: 'nothing changes',
  isForBridges: true,
  async measure({ processes }, _round, size) {
    const bridges = processes['bridge'] ?? []
    const lastsMs = size === 'quick' ? 500 : 20_000
    const watch = watchCpu({ bridge: bridges })
    await delay(lastsMs)
    const { bridge = NaN } = watch.end()
    return {
      'CPU % of a core': (bridge / bridges.length / lastsMs) * 100,
      'RSS MiB': residentMiB(bridges) / bridges.length,
    }
  },
}
