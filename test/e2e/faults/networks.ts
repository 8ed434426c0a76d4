/** Faults of the network between a bridge and the XMPP server: bytes vanish, no FIN and no RST is seen (rule 23). */
import type { Direction } from '../../../lab/tcp-proxy.js'
import { readText } from '../../../lab/running.js'
import type { Fault } from './fault.js'
import { backoffFromMuteMs, staleMs } from './settings.js'

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

/** A bridge that is deaf notices by silence; one that only is not heard by an answer that does not come to its next batch. */
const noticed = (what: string, directions?: readonly Direction[]): Fault => ({
  name: `network ${what}: the bridge notices`,
  bound: directions?.includes('toServer') ? '2 heartbeats + 0.1 s' : 'heartbeat + 0.1 s',
  run: async (site) => {
    const { a, settings } = site
    const logStart = readText(a.logFile).length
    const startMs = performance.now()
    site.cut(a, directions)
    await a.bridge.logs(/"msg":"stream is down"/, 20_000, logStart)
    const limitMs = (directions?.includes('toServer') ? 2 : 1) * settings.heartbeatMs
    return { ms: performance.now() - startMs, boundMs: limitMs + readingMs }
  },
})

/** From the line in the log to its being read here. */
const readingMs = 100

/** What a bridge that has lost the network for good holds of its peers is withdrawn in time, and they are its own no more. */
const lonely: Fault = {
  name: 'network cut for longer than stale_after: what the bridge holds of others is withdrawn',
  bound: 'heartbeat + stale_after + 5 s + grace + 1 s',
  run: async (site) => {
    const { a, settings } = site
    const marks = site.marks([a])
    const startMs = performance.now()
    site.cut(a)
    const boundMs = settings.heartbeatMs + staleMs(settings) + 1_000
    return site.emptied(startMs, marks, boundMs)
  },
}

const carriesAgain: Fault = {
  name: 'network carries again after longer than stale_after: all see all again',
  bound: 'backoff + 5 s',
  run: async (site) => {
    const { a, members, settings } = site
    const marks = site.marks([a])
    const cutMs = performance.now()
    site.cut(a)
    await site.emptied(cutMs, marks, settings.heartbeatMs + staleMs(settings) + 1_000)
    const startMs = performance.now()
    site.mend()
    return site.agreed(startMs, members, backoffFromMuteMs(startMs - cutMs) + 5_000)
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
  carriesAgain,
]
