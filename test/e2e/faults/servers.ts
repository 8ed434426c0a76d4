/** Faults of the XMPP server: killed, stopped, away for long, without its store (rules 19, 23). */
import { setTimeout as delay } from 'node:timers/promises'
import type { Fault, Measured } from './fault.js'
import { toldAll } from './lamps.js'
import { backoffMs, windowMs } from './settings.js'
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

const back = (end: 'kill' | 'stop', what: string): Fault => ({
  name: `XMPP server ${what} and started again: what changed meanwhile is seen`,
  bound: 'backoff + 5 s',
  run: (site) => caughtUp(site, end, () => Promise.resolve()),
})

const long: Fault = {
  name: 'XMPP server away for longer than stale_after: what is held of others is withdrawn',
  bound: 'stale_after + 1 s',
  run: async (site) => {
    const marks = site.marks(site.members)
    const startMs = performance.now()
    await site.endServer('kill')
    return site.emptied(startMs, marks, site.settings.staleAfterMs + 1_000)
  },
}

const longAndBack: Fault = {
  name: 'XMPP server back after longer than stale_after: all see all again',
  bound: 'backoff + 5 s',
  run: (site) => {
    const marks = site.marks(site.members)
    return caughtUp(site, 'kill', () =>
      site.emptied(0, marks, 2 * site.settings.staleAfterMs + 1_000),
    )
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

export const serversBack: readonly Fault[] = [
  briefly('kill', 'killed'),
  briefly('stop', 'stopped gracefully'),
  back('kill', 'killed'),
  back('stop', 'stopped gracefully'),
  lostStopped,
  nodesRemade,
  windowsRemade,
]
