/** Fifty members around one server: all start at once, then each changes ten devices a second. */
import { residentMiB, watchCpu } from '../processes.js'
import type { ServerScenario, Size } from '../scenario.js'
import { quantile } from '../statistics.js'
import { Swarm, swarmAccounts } from '../swarm/swarm.js'

interface Plan {
  readonly memberCount: number
  readonly devicesEach: number
  readonly processCount: number
  readonly perSecond: number
  readonly seconds: number
}

const plans: Readonly<Record<Size, Plan>> = {
  full: { memberCount: 50, devicesEach: 1_000, processCount: 5, perSecond: 10, seconds: 20 },
  quick: { memberCount: 4, devicesEach: 20, processCount: 2, perSecond: 10, seconds: 1 },
}
const heldMs = 400_000

export const cluster: ServerScenario = {
  name: 'cluster',
  about: '50 members with 1,000 devices start at once; then 10 changes a second each',
  async measure({ scratch, startServer }, size) {
    const { memberCount, devicesEach, processCount, perSecond, seconds } = plans[size]
    const server = await startServer(swarmAccounts(memberCount))
    const startedMs = performance.now()
    const swarm = Swarm.start({ scratch, server, memberCount, devicesEach, processCount })
    try {
      await swarm.awaitHeld(heldMs)
      const coldStartMs = performance.now() - startedMs
      const { deaths } = await swarm.look()
      const cpu = watchCpu({ bridges: swarm.pids, server: [server.running.pid] })
      const changedMs = performance.now()
      const { delaysMs, lost } = await swarm.change(perSecond, seconds)
      const lastedMs = performance.now() - changedMs
      const { bridges = NaN, server: serverMs = NaN } = cpu.end()
      return {
        'cold start s': coldStartMs / 1_000,
        'false deaths': deaths,
        'delay median ms': quantile(delaysMs, 0.5),
        'delay p99 ms': quantile(delaysMs, 0.99),
        lost,
        'server CPU % of a core': (serverMs / lastedMs) * 100,
        'CPU % of a core, a bridge': (bridges / memberCount / lastedMs) * 100,
        'RSS MiB, a bridge': residentMiB(swarm.pids) / memberCount,
        'server RSS MiB': residentMiB([server.running.pid]),
      }
    } finally {
      await swarm.stop()
      await server.stop()
    }
  },
}
