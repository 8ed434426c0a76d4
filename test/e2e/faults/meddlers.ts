/** What another client with a bridge's account may do to the nodes of the cluster (rules 17, 19, 26). */
import type { Member } from '../../../lab/member.js'
import type { Fault, Measured } from './fault.js'
import { jidOf, nodes, Store } from './store.js'
import { windowMs } from './settings.js'
import type { Site } from './site.js'

/** A measurement goes on for so long beyond its bound, to say by how much it was missed. */
const overtimeMs = 20_000

type Act = (store: Store, site: Site) => Promise<void>

async function meddle(site: Site, act: Act, measure: (store: Store) => Promise<Measured>) {
  const store = await Store.open(site.server, 'a')
  try {
    await act(store, site)
    return await measure(store)
  } finally {
    await store.close()
  }
}

/** A change of A is seen by all, right after somebody meddled with A's feed. */
const feed = (what: string, act: Act): Fault => ({
  name: `feed ${what} by another client: a change is seen`,
  bound: 'two heartbeats',
  run: (site) =>
    meddle(site, act, async () => {
      const startMs = performance.now()
      const seenMs = await site.signal(site.a)
      return { ms: seenMs - startMs, boundMs: 2 * site.settings.heartbeatMs }
    }),
})

/** `members` names all again. */
const members = (what: string, act: (store: Store, site: Site) => Promise<void>): Fault => ({
  name: `'members' ${what} by another client: it names all members again`,
  bound: 'members',
  run: (site) =>
    meddle(site, act, async (store) => {
      const startMs = performance.now()
      const boundMs = site.settings.membersMs
      const seenMs = await awaitMembers(site, store, boundMs + overtimeMs)
      return { ms: seenMs - startMs, boundMs }
    }),
})

function awaitMembers(site: Site, store: Store, timeoutMs: number): Promise<number> {
  const jids = site.members.map((member) => jidOf(member, site.server))
  return store.awaitItems(nodes.members, jids, timeoutMs)
}

const window = (what: string, act: Act): Fault => ({
  name: `window ${what} by another client: it shows all devices again`,
  bound: 'audit + 0.1 s a device',
  run: (site) =>
    meddle(site, act, async (store) => {
      const startMs = performance.now()
      const devices = site.devicesOf(site.a)
      const boundMs = site.settings.auditMs + windowMs(devices.length)
      const seenMs = await store.awaitItems(nodes.windowOf(site.a), devices, boundMs + overtimeMs)
      return { ms: seenMs - startMs, boundMs }
    }),
})

/** The server forgets all nodes and subscriptions while it runs, and tells nobody. */
const lost = (
  what: string,
  bound: string,
  measure: (site: Site, store: Store) => Promise<{ seenMs: number; boundMs: number }>,
): Fault => ({
  name: `XMPP server loses its pubsub store while it runs: ${what}`,
  bound,
  run: async (site) => {
    const store = await Store.open(site.server, 'a')
    try {
      const startMs = performance.now()
      await site.server.losePubsubStore()
      const { seenMs, boundMs } = await measure(site, store)
      return { ms: seenMs - startMs, boundMs }
    } finally {
      await store.close()
    }
  },
})

export const storeLost: readonly Fault[] = [
  lost('a change is seen', 'two heartbeats', async (site) => ({
    seenMs: await site.signal(site.a),
    boundMs: 2 * site.settings.heartbeatMs,
  })),
  lost('nodes are there again, members in them', '5 s', async (site, store) => ({
    seenMs: await store.awaitCluster(site, 5_000 + overtimeMs),
    boundMs: 5_000,
  })),
  lost('the windows show all devices again', '5 s + 0.1 s a device', async (site, store) => {
    const boundMs = 5_000 + windowMs(site.devicesOf(site.a).length)
    return { seenMs: await store.awaitWindows(site, boundMs + overtimeMs), boundMs }
  }),
]

const fullJidOf = (member: Member, site: Site): string =>
  `${jidOf(member, site.server)}/${member.asterisk.eid}`

/** Whoever made `members` owns it; the others' accounts may do the same only on Prosody. */
async function asOwner(site: Site, act: (store: Store) => Promise<void>): Promise<void> {
  for (const letter of ['a', 'b', 'c']) {
    const store = await Store.open(site.server, letter)
    try {
      await act(store)
      return
    } catch (error) {
      if (letter === 'c') throw error
    } finally {
      await store.close()
    }
  }
}

export const feedsMeddledWith: readonly Fault[] = [
  feed('deleted', (store, site) => store.delete(nodes.feedOf(site.a))),
  feed('purged', (store, site) => store.purge(nodes.feedOf(site.a)).catch(ignoreUnpurgeable)),
  feed('subscription removed', (store, site) =>
    store.expel(nodes.feedOf(site.a), fullJidOf(site.b, site)),
  ),
]

/** A node that retains nothing cannot be purged, says ejabberd. */
const ignoreUnpurgeable = (): void => undefined

export const membersMeddledWith: readonly Fault[] = [
  members('deleted', (_, site) => asOwner(site, (store) => store.delete(nodes.members))),
  members('purged', (_, site) => asOwner(site, (store) => store.purge(nodes.members))),
  members('emptied by retracts', async (_, site) => {
    for (const member of site.members) {
      await asOwner(site, (store) => store.retract(nodes.members, jidOf(member, site.server)))
    }
  }),
]

export const windowsMeddledWith: readonly Fault[] = [
  window('deleted', (store, site) => store.delete(nodes.windowOf(site.a))),
  window('purged', (store, site) => store.purge(nodes.windowOf(site.a))),
  window('robbed of an item', (store, site) =>
    store.retract(nodes.windowOf(site.a), site.devicesOf(site.a)[0] ?? ''),
  ),
]
