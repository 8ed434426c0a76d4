/** Faults of the network between a bridge and the XMPP server: bytes vanish, no FIN and no RST is seen (rule 23). */
import type { Direction } from '../../../lab/tcp-proxy.js'
import type { Fault, Measured } from './fault.js'
import type { Site } from './site.js'

const cut = (what: string, directions?: readonly Direction[]): Fault => ({
  name: `network ${what}: its devices are withdrawn at the peers`,
  bound: 'dead_after + grace + 1 s',
  run: (site) => {
    const { deadAfterMs, graceMs } = site.settings
    const marks = site.marks(site.others(site.a))
    const startMs = performance.now()
    site.cut(site.a, directions)
    return site.withdrawn(startMs, site.a, marks, deadAfterMs + graceMs + 1_000)
  },
})

/** Two intervals of the detector, that of the answer included: what came last may have come just before the cut. */
const noticed = (what: string, directions?: readonly Direction[]): Fault => ({
  name: `network ${what}: the bridge notices`,
  bound: 'heartbeat, twice where bytes still come',
  run: (site) => notice(site, directions),
})

async function notice(site: Site, directions?: readonly Direction[]): Promise<Measured> {
  const { a, settings } = site
  const startMs = performance.now()
  site.cut(a, directions)
  await a.awaitProblem('stream')
  const isDeaf = directions?.includes('toClient') ?? true
  return { ms: performance.now() - startMs, boundMs: (isDeaf ? 1 : 2) * settings.heartbeatMs }
}

/** What a bridge that has lost the network for good holds of its peers is withdrawn in time, and they are its own no more. */
const lonely: Fault = {
  name: 'network cut for longer than stale_after: what the bridge holds of others is withdrawn',
  bound: 'heartbeat + stale_after + 1 s',
  run: async (site) => {
    const { a, settings } = site
    const marks = site.marks([a])
    const startMs = performance.now()
    site.cut(a)
    const boundMs = settings.heartbeatMs + settings.staleAfterMs + 1_000
    return site.emptied(startMs, marks, boundMs)
  },
}

export const networksCut: readonly Fault[] = [
  cut('cut without a FIN'),
  cut('half-open, the server is not heard', ['toClient']),
  cut('half-open, the bridge is not heard', ['toServer']),
  noticed('cut without a FIN'),
  noticed('half-open, the server is not heard', ['toClient']),
  noticed('half-open, the bridge is not heard', ['toServer']),
  lonely,
]
