/** The XMPP edge on a real Prosody 0.12 and a real ejabberd 23.01: two bridges' edges, and a stranger. */
import { EventEmitter, once } from 'node:events'
import { parse } from 'ltx'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createCa, type CertificateAuthority } from '../../lab/ca.js'
import { createScratch, type Scratch } from '../../lab/scratch.js'
import type { XmppServer } from '../../lab/xmpp-server.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import type { ClusterCommand } from '../../src/bridge/commands.js'
import type { ClusterEvent } from '../../src/bridge/events.js'
import { maxEntries, type Batch, type MemberItem } from '../../src/bridge/messages.js'
import type { StateEntry } from '../../src/bridge/state.js'
import { takeFitting } from '../../src/bridge/wire.js'
import { feedNode, membersNode, windowNode } from '../../src/nodes/names.js'
import { ClusterEdge } from '../../src/pubsub/cluster.js'
import { deleteNode } from '../../src/pubsub/delete-node.js'
import { nodeConfiguration } from '../../src/pubsub/node-configuration.js'
import { publish } from '../../src/pubsub/publish.js'
import { retract } from '../../src/pubsub/retract.js'
import { subscribers } from '../../src/pubsub/subscribers.js'
import { subscriptions } from '../../src/pubsub/subscriptions.js'
import { unsubscribe } from '../../src/pubsub/unsubscribe.js'
import { XmppConnection, type ConnectionOptions } from '../../src/xmpp/connection.js'
import { streamRow } from '../../src/xmpp/conditions.js'
import { StanzaError } from '../../src/xmpp/errors.js'

const root = 'asterisk'
const eidA = '02:00:00:00:00:0a'
const eidB = '02:00:00:00:00:0b'
const epoch = 'a'.repeat(32)
const passwords: Readonly<Record<string, string>> = { 'pbx-a': 'sécret', 'pbx-b': 'b', eve: 'e' }
const quiet = { debug: ignore, info: ignore, warn: ignore, error: ignore }

type EventOf<Type extends ClusterEvent['type']> = Extract<ClusterEvent, { type: Type }>

function ignore(): void {
  // What is logged is not of interest here.
}

/** One bridge's edge, with what it posted in order. */
class Member {
  readonly counts: Readonly<Record<string, string>>[] = []
  readonly connection: XmppConnection
  readonly edge: ClusterEdge
  private readonly posted: ClusterEvent[] = []
  private readonly arrivals = new EventEmitter()

  constructor(
    readonly server: XmppServer,
    readonly user: string,
    readonly eid: string,
    options: Partial<ConnectionOptions> = {},
  ) {
    this.connection = new XmppConnection({
      services: [server.service],
      jid: this.bareJid,
      resource: eid,
      password: () => passwords[user] ?? '',
      tls: { mode: 'required', caFile: server.caFile },
      silenceLimitMs: 10_000,
      conflictWaitMs: 500,
      log: quiet,
      ...options,
    })
    this.edge = new ClusterEdge({
      connection: this.connection,
      root,
      service: server.pubsub,
      entityId: eid,
      jid: this.bareJid,
      requestTimeoutMs: 5000,
      post: (event) => {
        this.posted.push(event)
        this.arrivals.emit('event')
      },
      log: quiet,
      count: (_counter, labels = {}) => this.counts.push(labels),
    })
    this.edge.start()
  }

  get bareJid(): string {
    return `${this.user}@${this.server.domain}`
  }

  get jid(): string {
    return `${this.bareJid}/${this.eid}`
  }

  get pubsub() {
    return { iq: this.connection, service: this.server.pubsub, timeoutMs: 5000 }
  }

  async start(): Promise<this> {
    this.connection.start()
    await this.next('StreamUp')
    return this
  }

  /** The next event of that type; those before it are dropped. */
  async next<Type extends ClusterEvent['type']>(type: Type): Promise<EventOf<Type>> {
    const signal = AbortSignal.timeout(10_000)
    for (;;) {
      const event = this.posted.shift()
      if (event === undefined) await once(this.arrivals, 'event', { signal })
      else if (event.type === type) return event as EventOf<Type>
    }
  }

  subscribe(to: Member, isAgain = false): void {
    const { bareJid: member, eid, server } = to
    this.perform({ do: 'subscribe', member, service: server.pubsub, eid, isAgain })
  }

  /** Lets those read its nodes, and nobody else, and waits until it is so. */
  async setReaders(...readers: readonly Member[]): Promise<void> {
    this.perform({ do: 'setReaders', readers: readers.map(({ bareJid }) => bareJid) })
    while (!(await this.next('ReadersSet')).isWhole) continue
  }

  perform(command: DistributiveOmit<ClusterCommand, 'to'>): void {
    this.edge.perform({ to: 'cluster', ...command })
  }

  batch(sequence: number, entries: Batch['entries']): Batch {
    return { eid: this.eid, epoch, sequence, isBye: false, entries }
  }

  item(): Omit<MemberItem, 'publisher'> {
    const { bareJid: id, eid, jid, server } = this
    return { id, eid, jid, name: this.user, service: server.pubsub, epoch, version: '0.1.0' }
  }
}

type DistributiveOmit<Union, Key extends string> = Union extends unknown ? Omit<Union, Key> : never

const device = (id: string, state: 'INUSE' | 'NOT_INUSE'): StateEntry => ({
  kind: 'device_state',
  id,
  state,
  cachable: true,
})

let scratch: Scratch
let ca: CertificateAuthority

beforeAll(async () => {
  scratch = createScratch('pubsub-test')
  ca = await createCa(scratch)
})

afterAll(() => scratch.remove())

describe.each(xmppServers)('$kind', ({ kind, start }) => {
  let server: XmppServer
  let a: Member
  let b: Member
  const others: XmppConnection[] = []

  beforeAll(async () => {
    const account = (user: string) => ({ user, password: passwords[user] ?? '' })
    server = await start({
      scratch,
      ca,
      accounts: [account('pbx-a'), account('pbx-b')],
      guests: [account('eve')],
    })
    a = await new Member(server, 'pbx-a', eidA).start()
    b = await new Member(server, 'pbx-b', eidB).start()
  })

  afterEach(async () => {
    await Promise.all(others.splice(0).map((connection) => connection.stop()))
  })

  afterAll(async () => {
    await Promise.all([a.connection.stop(), b.connection.stop()])
    await server.stop()
  })

  test('own nodes are made as asked, as large as the server grants, and found again (rule 17)', async () => {
    const windowItems = kind === 'Prosody' ? 256 : 1000
    for (const member of [a, b, a]) {
      member.perform({ do: 'makeOwnNodes' })
      expect(await member.next('OwnNodesMade')).toMatchObject({ windowItems })
    }
    const feed = await nodeConfiguration(a.pubsub, feedNode(root, eidA))
    expect(feed.get('pubsub#persist_items')).toBe('0')
    expect(feed.get('pubsub#publish_model')).toBe('publishers')
    const window = await nodeConfiguration(a.pubsub, windowNode(root, eidA, 'device_state'))
    expect(window.get('pubsub#persist_items')).toBe('1')
    expect(window.get('pubsub#max_items')).toBe(String(windowItems))
    const members = await nodeConfiguration(a.pubsub, membersNode(root))
    expect(members.get('pubsub#publish_model')).toBe('open')
    expect(members.get('pubsub#access_model')).toBe('open')
    for (const made of [feed, window]) expect(made.get('pubsub#access_model')).toBe('whitelist')
  })

  test('whoever is named may read the own nodes, and nobody else; who is no longer loses its subscription', async () => {
    const eve = await new Member(server, 'eve', '02:00:00:00:00:0e').start()
    others.push(eve.connection)
    const node = feedNode(root, eidA)
    const read = (kind_: 'device_state' | 'message_waiting') => {
      const { bareJid: member } = a
      eve.perform({ do: 'readWindow', member, service: server.pubsub, eid: eidA, kind: kind_ })
    }
    const barred = kind === 'Prosody' ? 'forbidden' : 'not-allowed'
    eve.subscribe(a)
    expect((await eve.next('SubscribeFailed')).failure.condition).toBe(barred)
    read('device_state')
    expect((await eve.next('WindowUnread')).failure.condition).toBe(barred)
    await a.setReaders(b, eve)
    eve.subscribe(a)
    await eve.next('Subscribed')
    read('message_waiting')
    expect((await eve.next('WindowRead')).entries).toEqual([])
    expect(await subscribers(a.pubsub, node)).toEqual([eve.jid])
    await a.setReaders(b)
    expect(await subscribers(a.pubsub, node)).toEqual([])
    eve.subscribe(a, true)
    expect((await eve.next('SubscribeFailed')).failure.condition).toBe(barred)
    read('device_state')
    expect((await eve.next('WindowUnread')).failure.condition).toBe(barred)
    // What was set is found again, by a bridge that starts anew too.
    a.perform({ do: 'makeOwnNodes' })
    expect(await a.next('OwnNodesMade')).toMatchObject({ subscribers: [] })
    await a.setReaders(b)
  })

  test('a member item is read with its publisher, and pushed', async () => {
    b.perform({ do: 'readMembers' })
    expect(await b.next('MembersRead')).toEqual({ type: 'MembersRead', items: [] })
    a.perform({ do: 'announce', item: a.item() })
    await a.next('Announced')
    const { item } = await b.next('MemberItemReceived')
    expect(item).toMatchObject(a.item())
    expect(item.publisher?.split('/')[0]).toBe(a.bareJid)
    b.perform({ do: 'readMembers' })
    expect((await b.next('MembersRead')).items).toEqual([item])
  })

  test('a batch reaches who subscribed, with its service and publisher', async () => {
    b.subscribe(a)
    await b.next('Subscribed')
    const batch = a.batch(1, [device(`Custom:<é&"'>`, 'INUSE')])
    a.perform({ do: 'publishBatch', batch })
    expect(await a.next('BatchPublished')).toMatchObject({ sequence: 1 })
    const received = await b.next('BatchReceived')
    expect(received).toMatchObject({ service: server.pubsub, batch })
    expect(received.publisher?.split('/')[0]).toBe(a.bareJid)
  })

  test('the largest batch passes whole', async () => {
    const names = Array.from({ length: 600 }, (_, index) => device(`PJSIP/é&${index}`, 'INUSE'))
    const entries = takeFitting(names)
    expect(entries).toHaveLength(maxEntries)
    a.perform({ do: 'publishBatch', batch: a.batch(2, entries) })
    expect((await b.next('BatchReceived')).batch.entries).toEqual(entries)
  })

  test('window items are written, read by whoever asks, and retracted; what is not there too', async () => {
    const entry = device('PJSIP/1001', 'INUSE')
    const mailbox = { kind: 'message_waiting', id: '1@x', newMessages: 2, oldMessages: 1 } as const
    a.perform({ do: 'writeWindow', entry })
    await a.next('WindowWritten')
    a.perform({ do: 'writeWindow', entry: mailbox })
    await a.next('WindowWritten')
    const read = async (of: 'device_state' | 'message_waiting') => {
      b.perform({
        do: 'readWindow',
        member: a.bareJid,
        service: server.pubsub,
        eid: eidA,
        kind: of,
      })
      return b.next('WindowRead')
    }
    expect(await read('device_state')).toMatchObject({ entries: [entry], broken: [] })
    expect(await read('message_waiting')).toMatchObject({ entries: [mailbox], broken: [] })
    for (let times = 0; times < 2; times += 1) {
      a.perform({ do: 'retractWindow', kind: 'device_state', id: entry.id })
      await a.next('WindowWritten')
    }
    expect(await read('device_state')).toMatchObject({ entries: [], broken: [] })
  })

  test('a window of more items than a page is read whole, what does not decode by its id', async () => {
    // Only ejabberd pages; Prosody's file store takes longer with every item.
    const length = kind === 'ejabberd' ? 230 : 30
    const entries = Array.from({ length }, (_, index) => device(`Custom:${index}`, 'INUSE'))
    for (const entry of entries) {
      a.perform({ do: 'writeWindow', entry })
      await a.next('WindowWritten')
    }
    const broken = parse(`<state xmlns='http://asterisk.org' eid='${eidB}'>INUSE</state>`)
    await publish(a.pubsub, windowNode(root, eidA, 'device_state'), 'Custom:broken', broken)
    b.perform({
      do: 'readWindow',
      member: a.bareJid,
      service: server.pubsub,
      eid: eidA,
      kind: 'device_state',
    })
    const window = await b.next('WindowRead')
    expect(new Set(window.entries.map(({ id }) => id))).toEqual(
      new Set(entries.map(({ id }) => id)),
    )
    expect(window.broken).toEqual(['Custom:broken'])
    expect(b.counts).toContainEqual({ kind: 'device_state', reason: 'eid' })
  })

  test('status and snapshot pass between full JIDs', async () => {
    const status = { eid: eidA, epoch, sequence: 2, phase: 'ready' } as const
    b.perform({ do: 'ask', jid: a.jid, token: 1 })
    const asked = await a.next('StatusRequested')
    expect(asked.from).toBe(b.jid)
    a.perform({ do: 'answerStatus', request: asked.request, status })
    expect(await b.next('StatusReceived')).toMatchObject({ token: 1, from: a.jid, status })

    const query = { max: 10, after: { kind: 'device_state', id: 'Custom:x' } } as const
    b.perform({ do: 'pull', jid: a.jid, query, token: 2 })
    const pulled = await a.next('PageRequested')
    expect(pulled).toMatchObject({ from: b.jid, query })
    const page = { ...status, entries: [device('Custom:y', 'INUSE')], isLast: true }
    a.perform({ do: 'answerPage', request: pulled.request, page })
    expect(await b.next('PageReceived')).toMatchObject({ token: 2, from: a.jid, page })
  })

  test('a refusal says whether to ask again, and so does the absence of a peer', async () => {
    const ask = async (condition: 'forbidden' | 'resource-constraint') => {
      b.perform({ do: 'pull', jid: a.jid, query: { max: 1 }, token: 3 })
      const { request } = await a.next('PageRequested')
      a.perform({ do: 'refuse', request, condition })
      return (await b.next('PullFailed')).failure
    }
    expect(await ask('forbidden')).toMatchObject({ condition: 'forbidden', isTemporary: false })
    expect(await ask('resource-constraint')).toMatchObject({ isTemporary: true })
    b.perform({ do: 'ask', jid: `${a.bareJid}/nobody`, token: 4 })
    expect((await b.next('AskFailed')).failure.condition).toBe('service-unavailable')
  })

  test('what a stranger sends in the shape of a notification is not taken for the service', async () => {
    const eve = await new Member(server, 'eve', '02:00:00:00:00:0e').start()
    others.push(eve.connection)
    const forged = (node: string, item: string): void => {
      eve.connection.send(
        parse(
          `<message to='${b.jid}' type='headline'><event xmlns='http://jabber.org/protocol/pubsub#event'>` +
            `<items node='${node}'>${item}</items></event></message>`,
        ),
      )
    }
    const member = `<member xmlns='urn:hintbridge:1' eid='${eidA}' name='x' jid='${a.jid}' service='s' epoch='${epoch}' version='1'/>`
    forged(membersNode(root), `<item id='${a.bareJid}' publisher='${a.bareJid}'>${member}</item>`)
    forged(membersNode(root), `<retract id='${a.bareJid}'/>`)
    const batch = `<batch xmlns='urn:hintbridge:1' eid='${eidA}' epoch='${epoch}' seq='3'/>`
    forged(feedNode(root, eidA), `<item id='3'>${batch}</item>`)
    // The batch is the first thing that comes, and it comes with its true sender for the domain to judge.
    expect(await b.next('BatchReceived')).toMatchObject({ service: eve.jid })
    expect(b.counts).toContainEqual({ kind: 'members', reason: 'service' })
  })

  test('the server itself tells of a death to whom presence was sent', async () => {
    const c = await new Member(server, 'eve', '02:00:00:00:00:0c').start()
    c.perform({ do: 'present', jid: b.jid, isAvailable: true })
    expect(await b.next('PresenceReceived')).toMatchObject({ from: c.jid, isAvailable: true })
    await c.connection.stop()
    expect(await b.next('PresenceReceived')).toMatchObject({ from: c.jid, isAvailable: false })
  })

  test('a subscription outlives the stream, is found again and not made twice (rule 17)', async () => {
    b.perform({ do: 'endStream', reason: 'test' })
    expect(await b.next('StreamDown')).toMatchObject({ reason: 'test' })
    await b.next('StreamUp')
    b.subscribe(a)
    await b.next('Subscribed')
    expect(await subscriptions(b.pubsub, feedNode(root, eidA))).toEqual([b.jid])
    a.perform({ do: 'publishBatch', batch: a.batch(4, []) })
    expect((await b.next('BatchReceived')).batch.sequence).toBe(4)
  })

  test('a subscription that was lost unnoticed is made again when its feed is doubted', async () => {
    const node = feedNode(root, eidA)
    await unsubscribe(b.pubsub, node, b.jid)
    b.subscribe(a)
    await b.next('Subscribed')
    expect(await subscriptions(b.pubsub, node)).toEqual([])
    b.subscribe(a, true)
    await b.next('Subscribed')
    expect(await subscriptions(b.pubsub, node)).toEqual([b.jid])
  })

  test('a second bridge of the same JID is told of as a conflict, and the first comes back', async () => {
    const twin = await new Member(server, 'pbx-b', eidB, { conflictWaitMs: 60_000 }).start()
    others.push(twin.connection)
    await b.next('StreamConflicted')
    await twin.next('StreamConflicted')
    await b.next('StreamUp')
    expect(twin.connection.status.state).toBe('waiting')
  })

  test('a node that is deleted is told of, and subscribed to anew', async () => {
    b.perform({ do: 'readMembers' })
    await b.next('MembersRead')
    b.subscribe(a)
    await b.next('Subscribed')
    await deleteNode(a.pubsub, feedNode(root, eidA))
    expect(await b.next('NodeDisturbed')).toEqual({
      type: 'NodeDisturbed',
      node: feedNode(root, eidA),
      change: 'deleted',
    })
    b.subscribe(a)
    expect((await b.next('SubscribeFailed')).failure).toMatchObject({
      condition: 'item-not-found',
      isTemporary: true,
    })
    a.perform({ do: 'makeOwnNodes' })
    await a.next('OwnNodesMade')
    await a.setReaders(b)
    b.subscribe(a)
    await b.next('Subscribed')
    a.perform({ do: 'publishBatch', batch: a.batch(5, []) })
    expect((await b.next('BatchReceived')).batch.sequence).toBe(5)
  })

  test('an announcement to `members` that was just lost does not shut the others out (rules 17 and 19)', async () => {
    await deleteNode(a.pubsub, membersNode(root))
    a.perform({ do: 'announce', item: a.item() })
    if (kind === 'Prosody') {
      expect((await a.next('AnnounceFailed')).failure.condition).toBe('item-not-found')
      a.perform({ do: 'makeOwnNodes' })
      await a.next('OwnNodesMade')
    } else {
      // The publish alone has made it, with ejabberd's defaults.
      await a.next('Announced')
    }
    b.perform({ do: 'announce', item: b.item() })
    await b.next('Announced')
    await retract(b.pubsub, membersNode(root), b.bareJid)
  })

  test('a member that leaves takes its nodes and its item along', async () => {
    a.perform({ do: 'deleteOwnNodes' })
    await a.next('OwnNodesDeleted')
    b.perform({ do: 'readMembers' })
    expect(await b.next('MembersRead')).toMatchObject({ items: [] })
    const gone = nodeConfiguration(a.pubsub, windowNode(root, eidA, 'message_waiting'))
    await expect(gone).rejects.toBeInstanceOf(StanzaError)
  })

  test.each<[string, string, Partial<ConnectionOptions>]>([
    ['a bad password', 'not-authorized', { password: () => 'wrong' }],
    ['a certificate of a CA that is not trusted', 'certificate', { tls: { mode: 'required' } }],
  ])('%s is said once, with what to do', async (_title, condition, options) => {
    const said: object[] = []
    const log = { ...quiet, error: (fields: object) => said.push(fields) }
    for (const service of [server.service, server.directTlsService]) {
      said.length = 0
      const member = new Member(server, 'pbx-a', '02:00:00:00:00:0d', {
        ...options,
        services: [service],
        backoff: { capMs: 60 },
        credentialsWaitMs: 60,
        log,
      })
      others.push(member.connection)
      let attempts = 0
      const third = new Promise<void>((resolve) => {
        member.connection.on('status', ({ state }) => {
          if (state === 'waiting' && (attempts += 1) === 3) resolve()
        })
      })
      member.connection.start()
      await third
      expect(said).toMatchObject([{ condition, remedy: streamRow(condition).remedy }])
    }
  })

  test('an insecure connection to a server with any certificate is taken when asked for', async () => {
    const member = new Member(server, 'eve', '02:00:00:00:00:0f', { tls: { mode: 'insecure' } })
    others.push(member.connection)
    await member.start()
    expect(member.connection.status.state).toBe('online')
  })
})
