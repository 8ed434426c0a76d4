/**
 * Bridge to bridge through a real server, with Asterisks that cost nothing: what the bridges and the server can do, where no
 * rate holds them. No Asterisk publishes more than that rate.
 */
import { watchCpu } from '../processes.js'
import type { ServerScenario } from '../scenario.js'
import { Swarm, swarmAccounts } from '../swarm/swarm.js'

const devicesOf = { full: 30_000, quick: 300 }
const heldMs = 60_000

export const feed: ServerScenario = {
  name: 'feed',
  about: '30,000 devices change at once, bridge to bridge, scripted Asterisks',
  async measure({ scratch, startServer }, size) {
    const server = await startServer(swarmAccounts(2), { rate: 'none' })
    const devicesEach = devicesOf[size]
    const swarm = Swarm.start({ scratch, server, memberCount: 2, devicesEach, processCount: 2 })
    try {
      await swarm.awaitHeld(heldMs)
      const cpu = watchCpu({ bridges: swarm.pids, server: [server.running.pid] })
      const tookMs = await swarm.flood()
      const { bridges = NaN, server: serverMs = NaN } = cpu.end()
      return {
        'changes/s': (devicesEach / tookMs) * 1_000,
        'bridges CPU ms per 1000': (bridges * 1_000) / devicesEach,
        'server CPU ms per 1000': (serverMs * 1_000) / devicesEach,
      }
    } finally {
      await swarm.stop()
      await server.stop()
    }
  },
}
