/** An account of the server that no `trust` names: what it can read of who is on the phone. An inspector, and one expelled, too. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountOf, createCluster, type Cluster } from '../../../lab/cluster.js'
import { changeSettings, type Member } from '../../../lab/member.js'
import { Onlooker } from '../../../lab/onlooker.js'
import { xmppServers } from '../../../lab/xmpp-servers.js'
import { kinds } from '../../../src/bridge/state.js'
import { feedNode, membersNode, windowNode } from '../../../src/nodes/names.js'
import { affiliations } from '../../../src/pubsub/affiliations.js'
import { createNode } from '../../../src/pubsub/create-node.js'
import { items } from '../../../src/pubsub/items.js'
import { subscribe } from '../../../src/pubsub/subscribe.js'
import { subscribers } from '../../../src/pubsub/subscribers.js'
import { StanzaError } from '../../../src/xmpp/errors.js'

const stranger = { user: 'eve', password: 'secret' }
const inspector = { user: 'ops', password: 'secret' }
const root = 'asterisk'
/** As bridges made them before they closed them. */
const open = { 'pubsub#access_model': 'open', 'pubsub#publish_model': 'publishers' }

describe.each(xmppServers)('$kind', ({ kind, start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let owner: Onlooker
  let eve: Onlooker
  let ops: Onlooker
  let own: readonly string[]

  /** How the server says that one may not read. */
  const barred = kind === 'Prosody' ? 'forbidden' : 'not-allowed'

  const refusalOf = (asked: Promise<unknown>): Promise<unknown> =>
    asked.then(
      () => 'granted',
      (error: unknown) => (error instanceof StanzaError ? error.condition : error),
    )

  beforeAll(async () => {
    const hints = { night: 'Custom:night', early: 'Custom:early' }
    cluster = await createCluster({
      label: 'stranger',
      startServer: start,
      server: { guests: [stranger, inspector] },
      members: { a: { hints }, b: { hints } },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    own = [
      feedNode(root, a.asterisk.eid),
      ...kinds.map((of) => windowNode(root, a.asterisk.eid, of)),
    ]
    const connect = (account: typeof stranger): Promise<Onlooker> =>
      Onlooker.connect(cluster.server, account)
    ;[owner, eve, ops] = (await Promise.all(
      [accountOf('a'), stranger, inspector].map(connect),
    )) as [Onlooker, Onlooker, Onlooker]
    // The nodes of A are those of an older bridge, and the stranger has found them already; so has B.
    const before = await Onlooker.connect(cluster.server, accountOf('b'), b.asterisk.eid)
    for (const node of own) {
      await createNode(owner.pubsub, node, open)
      await subscribe(eve.pubsub, node, eve.jid)
    }
    await subscribe(before.pubsub, own[0] ?? '', before.jid)
    await before.stop()
    await cluster.start()
  })

  afterAll(async () => {
    await Promise.all([owner, eve, ops].map((onlooker) => onlooker.stop()))
    await cluster.stop()
  })

  /** A changes, and B, who may read, has heard of it. */
  async function change(state: 'INUSE' | 'NOT_INUSE', hint: string): Promise<void> {
    await a.asterisk.setDevice('Custom:night', state)
    await b.asterisk.awaitHint('night', hint)
    await a.awaitMetric('hintbridge_window_pending', {}, (pending) => pending === 0)
  }

  /** `isThere`, within seconds: the bridge takes what it is told by a signal in its own time. */
  async function awaitReader(jid: string, isThere: boolean): Promise<void> {
    const readsAt = async (node: string): Promise<boolean> => {
      const named = await affiliations(owner.pubsub, node)
      const subscribed = await subscribers(owner.pubsub, node)
      const isNamed = named.some((each) => each.jid === jid)
      return isNamed || (!isThere && subscribed.some((each) => each.startsWith(`${jid}/`)))
    }
    const deadline = performance.now() + 10_000
    for (;;) {
      const reads = await Promise.all(own.map(readsAt))
      if (reads.every((each) => each === isThere)) return
      if (performance.now() > deadline) throw new Error(`${jid}: reads ${reads.join()}`)
      await delay(50)
    }
  }

  async function reload(member: Member, settings: Readonly<Record<string, unknown>>) {
    changeSettings(member.configFile, settings)
    member.bridge.signal('SIGHUP')
    await member.bridge.logs(/configuration read again/)
  }

  test('a stranger reads nothing of what an upgraded bridge says, and what it had subscribed to is over', async () => {
    await change('INUSE', 'InUse')
    for (const node of own) {
      expect(await refusalOf(subscribe(eve.pubsub, node, eve.jid))).toBe(barred)
      expect(await subscribers(owner.pubsub, node)).not.toContain(eve.jid)
    }
    for (const of of kinds) {
      const node = windowNode(root, a.asterisk.eid, of)
      expect(await refusalOf(items(eve.pubsub, node))).toBe(barred)
    }
    expect(eve.notifications).toEqual([])
  })

  test('it gets no answer by IQ, and no presence', async () => {
    const { iq } = eve.pubsub
    expect(iq).toBeDefined()
    const bridge = `pbx-a@${cluster.server.domain}/${a.asterisk.eid}`
    for (const question of ['status', 'snapshot']) {
      const asked = eve.ask(bridge, `<${question} xmlns='urn:hintbridge:1' max='500'/>`)
      expect(await refusalOf(asked)).toBe('forbidden')
    }
    eve.send(`<presence to='${bridge}'/>`)
    // The bridge has had it before this question, and is not moved by it.
    const again = eve.ask(bridge, `<status xmlns='urn:hintbridge:1'/>`)
    expect(await refusalOf(again)).toBe('forbidden')
    expect((await affiliations(owner.pubsub, own[0] ?? '')).map(({ jid }) => jid)).not.toContain(
      `${stranger.user}@${cluster.server.domain}`,
    )
  })

  test('it reads who the members are, and that is all', async () => {
    const found = await items(eve.pubsub, membersNode(root))
    expect(found.map(({ id }) => id).sort()).toEqual(['pbx-a@example.org', 'pbx-b@example.org'])
  })

  test('an inspector reads as long as the configuration names it', async () => {
    const jid = `${inspector.user}@${cluster.server.domain}`
    const node = windowNode(root, a.asterisk.eid, 'device_state')
    expect(await refusalOf(items(ops.pubsub, node))).toBe(barred)
    await reload(a, { inspectors: [jid] })
    await awaitReader(jid, true)
    await subscribe(ops.pubsub, node, ops.jid)
    await change('NOT_INUSE', 'Idle')
    await ops.awaitNotifications((seen) => seen.some(({ item }) => item.id === 'Custom:night'))
    expect((await items(ops.pubsub, node)).map(({ id }) => id)).toContain('Custom:night')
    await reload(a, { inspectors: [] })
    await awaitReader(jid, false)
    const before = ops.notifications.length
    await change('INUSE', 'InUse')
    expect(ops.notifications).toHaveLength(before)
    expect(await refusalOf(items(ops.pubsub, node))).toBe(barred)
  })

  test('a member that is no longer trusted is told nothing more, and all again once it is', async () => {
    const jid = `pbx-b@${cluster.server.domain}`
    const expelled = await Onlooker.connect(cluster.server, accountOf('b'), 'expelled')
    await subscribe(expelled.pubsub, own[0] ?? '', expelled.jid)
    await change('NOT_INUSE', 'Idle')
    const before = expelled.notifications.length
    expect(before).toBeGreaterThan(0)
    await reload(a, { trust: ['pbx-a@example.org'] })
    await awaitReader(jid, false)
    await a.asterisk.setDevice('Custom:early', 'INUSE')
    await a.awaitMetric('hintbridge_window_pending', {}, (pending) => pending === 0)
    // What was under way to it has come before the answer.
    const read = await refusalOf(
      items(expelled.pubsub, windowNode(root, a.asterisk.eid, 'device_state')),
    )
    // COMPAT Prosody: to the administrators of the component no node is closed.
    expect(read).toBe(kind === 'Prosody' ? 'granted' : barred)
    expect(expelled.notifications).toHaveLength(before)
    await expelled.stop()
    await reload(a, { trust: ['pbx-*@example.org'] })
    await b.asterisk.awaitHint('early', 'InUse', 30_000)
    await awaitReader(jid, true)
  })
})
