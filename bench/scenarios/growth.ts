/** The same load a member in clusters of growing size: what does one change cost the server and the bridges? */
import { watchCpu } from '../processes.js'
import type { Measured, ServerScenario, Site } from '../scenario.js'
import { quantile } from '../statistics.js'
import { Swarm, swarmAccounts } from '../swarm/swarm.js'

const memberCounts = { full: [5, 10, 20, 40], quick: [2, 4] }
const plan = { full: { perSecond: 5, seconds: 8 }, quick: { perSecond: 5, seconds: 1 } }
const devicesEach = 50
const heldMs = 120_000

export const growth: ServerScenario = {
  name: 'growth',
  about: 'clusters of 5, 10, 20 and 40 members, 5 changes a second each',
  async measure(site, size) {
    const measured: Record<string, number> = {}
    for (const memberCount of memberCounts[size]) {
      const { perSecond, seconds } = plan[size]
      const figures = await measureCluster(site, memberCount, perSecond, seconds)
      for (const [figure, value] of Object.entries(figures)) {
        measured[`${memberCount} members: ${figure}`] = value
      }
    }
    return measured
  },
}

async function measureCluster(
  { scratch, startServer }: Site,
  memberCount: number,
  perSecond: number,
  seconds: number,
): Promise<Measured> {
  const server = await startServer(swarmAccounts(memberCount))
  const swarm = Swarm.start({ scratch, server, memberCount, devicesEach, processCount: 2 })
  try {
    await swarm.awaitHeld(heldMs)
    const cpu = watchCpu({ bridges: swarm.pids, server: [server.running.pid] })
    const { delaysMs, lost } = await swarm.change(perSecond, seconds)
    const { bridges = NaN, server: serverMs = NaN } = cpu.end()
    const changes = memberCount * perSecond * seconds
    return {
      'server CPU ms a change': serverMs / changes,
      'server CPU ms a notification': serverMs / changes / (memberCount - 1),
      'bridge CPU ms a change': bridges / changes / memberCount,
      'delay median ms': quantile(delaysMs, 0.5),
      'delay p99 ms': quantile(delaysMs, 0.99),
      lost,
    }
  } finally {
    await swarm.stop()
    await server.stop()
  }
}
