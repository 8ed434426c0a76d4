import { EventEmitter } from 'node:events'
import { parse } from 'ltx'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Element } from '@xmpp/xml'
import type { ClusterCommand } from '../../src/bridge/commands.js'
import type { ClusterEvent } from '../../src/bridge/events.js'
import type { Batch } from '../../src/bridge/messages.js'
import { ClusterEdge } from '../../src/pubsub/cluster.js'
import type { ClusterConnection } from '../../src/pubsub/peer-queries.js'
import type { IqHandler, XmppConnection } from '../../src/xmpp/connection.js'
import { RequestTimeout, StreamFailure } from '../../src/xmpp/errors.js'
import { disconnect, FakeService, pubsubText, refuse } from './fake-service.js'

const root = 'asterisk'
const eidA = '02:00:00:00:00:0a'
const eidB = '02:00:00:00:00:0b'
const epoch = 'a'.repeat(32)
const own = 'pubsub.example.org'
const batchText = (eid: string, sequence = 7): string =>
  `<batch xmlns="urn:hintbridge:1" eid="${eid}" epoch="${epoch}" seq="${sequence}"/>`

let service: FakeService
let emitter: EventEmitter
let handlers: Map<string, IqHandler>
let posted: ClusterEvent[]
let counted: string[]
let warned: object[]
let told: object[]
let sent: string[]
let edge: ClusterEdge

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function perform(command: ClusterCommand): Promise<ClusterEvent[]> {
  posted.length = 0
  edge.perform(command)
  await settled()
  return posted
}

function receive(from: string, inner: string, type = 'headline'): ClusterEvent[] {
  posted.length = 0
  emitter.emit(
    'message',
    parse(
      `<message from='${from}' type='${type}'><event xmlns='http://jabber.org/protocol/pubsub#event'>${inner}</event></message>`,
    ),
  )
  return posted
}

beforeEach(() => {
  service = new FakeService()
  emitter = new EventEmitter()
  handlers = new Map()
  posted = []
  counted = []
  warned = []
  told = []
  sent = []
  const connection: ClusterConnection = {
    jid: `pbx-b@example.org/${eidB}`,
    handle: (_type, _namespace, name, handler) => void handlers.set(name, handler),
    on: emitter.on.bind(emitter) as unknown as XmppConnection['on'],
    request: service.request.bind(service),
    send: (stanza) => void sent.push(stanza.toString()),
    endStream: (reason) => void sent.push(reason),
  }
  edge = new ClusterEdge({
    connection,
    root,
    service: own,
    entityId: eidB,
    jid: 'pbx-b@example.org',
    requestTimeoutMs: 1000,
    post: (event) => posted.push(event),
    log: {
      debug: () => undefined,
      info: (fields, message) => void told.push({ ...fields, message }),
      warn: (fields) => void warned.push(fields),
      error: () => undefined,
    },
    count: (counter, labels) =>
      void counted.push([counter, ...Object.values(labels ?? {})].join(' ')),
  })
  edge.start()
})

describe('publishing a batch', () => {
  const batch: Batch = { eid: eidB, epoch, sequence: 7, isBye: false, entries: [] }
  const command = { to: 'cluster', do: 'publishBatch', batch } as const

  it('is one request, and the same octets when it is sent again', async () => {
    expect(await perform(command)).toEqual([{ type: 'BatchPublished', sequence: 7 }])
    await perform({ ...command, batch: { ...batch } })
    const [first, second] = service.texts
    expect(first).toBe(
      `<pubsub xmlns="http://jabber.org/protocol/pubsub"><publish node="asterisk/${eidB}/feed"><item id="batch">${batchText(eidB)}</item></publish></pubsub>`,
    )
    expect(second).toBe(first)
  })

  it.each<[string, () => never, object]>([
    [
      'forbidden',
      () => refuse('forbidden', 'auth'),
      { condition: 'forbidden', isTemporary: false },
    ],
    [
      'item-not-found',
      () => refuse('item-not-found'),
      { condition: 'item-not-found', isTemporary: true },
    ],
    ['disconnected', disconnect, { condition: 'disconnected', isTemporary: true }],
    [
      'timeout',
      () => {
        throw new RequestTimeout(own, 1000)
      },
      {
        condition: 'timeout',
        isTemporary: true,
        reason: `failed to publish asterisk/${eidB}/feed: no answer from ${own} within 1000 ms`,
      },
    ],
  ])('that fails with %s says whether to try again', async (_title, answer, failure) => {
    service.answer = answer
    expect(await perform(command)).toMatchObject([{ type: 'BatchFailed', sequence: 7, failure }])
  })
})

describe('reading a window', () => {
  it('takes only what that member published, where the service shows it, and nothing of another (rule 18)', async () => {
    const item = (id: string, publisher: string): string =>
      `<item id='${id}'${publisher}><state xmlns='http://asterisk.org' eid='${eidA}' cachable='1'>INUSE</state></item>`
    service.answer = () =>
      pubsubText(
        `<items>${item('own', " publisher='PBX-a@example.org/x'")}${item('shy', '')}` +
          `${item('foreign', " publisher='mallory@example.org'")}</items>`,
      )
    const source = {
      member: 'pbx-a@example.org',
      service: own,
      eid: eidA,
      kind: 'device_state',
    } as const
    const [read] = await perform({ to: 'cluster', do: 'readWindow', ...source })
    expect(read).toMatchObject({
      type: 'WindowRead',
      entries: [{ id: 'own' }, { id: 'shy' }],
      broken: ['foreign'],
    })
    expect(counted).toEqual(['refused_items device_state publisher'])
  })
})

describe('a notification', () => {
  const feed = (eid: string): string => `asterisk/${eid}/feed`

  it('of a feed is passed with its service and publisher', () => {
    const item = `<item id='7' publisher='pbx-a@example.org/x'>${batchText(eidA)}</item>`
    expect(
      receive('pubsub.elsewhere', `<items node='${feed(eidA)}'>${item}</items>`),
    ).toMatchObject([
      {
        type: 'BatchReceived',
        service: 'pubsub.elsewhere',
        publisher: 'pbx-a@example.org/x',
        batch: { eid: eidA, sequence: 7 },
      },
    ])
  })

  it("with another's EID than its node's is refused, counted each time and logged once a peer", () => {
    const forged = (publisher: string): string =>
      `<items node='${feed(eidA)}'><item id='7' publisher='${publisher}'>${batchText(eidB)}</item></items>`
    expect(receive(own, forged('eve@x'))).toEqual([])
    expect(receive(own, forged('eve@x'))).toEqual([])
    expect(receive(own, forged('mallory@x'))).toEqual([])
    expect(counted).toEqual(Array<string>(3).fill('refused_items feed eid'))
    expect(warned).toMatchObject([{ peer: 'eve@x' }, { peer: 'mallory@x' }])
  })

  it('without a payload, as of a service that delivers none, is refused', () => {
    expect(receive(own, `<items node='${feed(eidA)}'><item id='7'/></items>`)).toEqual([])
    expect(counted).toEqual(['refused_items feed missing'])
  })

  it('of another cluster, a window, or an error is left alone', () => {
    const item = `<item id='7'>${batchText(eidA)}</item>`
    expect(receive(own, `<items node='other/${eidA}/feed'>${item}</items>`)).toEqual([])
    expect(receive(own, `<items node='asterisk/${eidA}/device_state'>${item}</items>`)).toEqual([])
    expect(receive(own, `<items node='${feed(eidA)}'>${item}</items>`, 'error')).toEqual([])
    expect(counted).toEqual([])
  })

  it('of members is taken from the own service only', () => {
    const member = `<member xmlns='urn:hintbridge:1' eid='${eidA}' name='a' jid='pbx-a@example.org/x' service='${own}' epoch='${epoch}' version='1'/>`
    const items = `<items node='asterisk/members'><item id='pbx-a@example.org'>${member}</item></items>`
    expect(receive('eve@example.org/x', items)).toEqual([])
    expect(counted).toEqual(['refused_items members service'])
    expect(receive(own, items)).toMatchObject([
      { type: 'MemberItemReceived', item: { id: 'pbx-a@example.org', eid: eidA } },
    ])
  })

  it('of a change is taken only from where there is a subscription', async () => {
    const change = `<delete node='${feed(eidA)}'/>`
    expect(receive('pubsub.elsewhere', change)).toEqual([])
    await perform({
      to: 'cluster',
      do: 'subscribe',
      member: 'pbx-a@elsewhere',
      service: 'pubsub.elsewhere',
      eid: eidA,
      isAgain: false,
    })
    expect(receive('pubsub.elsewhere', change)).toEqual([
      { type: 'NodeDisturbed', node: feed(eidA), change: 'deleted' },
    ])
  })
})

describe('presence', () => {
  const read = (text: string): ClusterEvent[] => {
    posted.length = 0
    emitter.emit('presence', parse(text))
    return posted
  }

  it('tells of life and death, and nothing else', () => {
    expect(read("<presence from='a@b/c'/>")).toEqual([
      { type: 'PresenceReceived', from: 'a@b/c', isAvailable: true },
    ])
    expect(read("<presence from='a@b/c' type='unavailable'/>")).toEqual([
      { type: 'PresenceReceived', from: 'a@b/c', isAvailable: false },
    ])
    expect(read("<presence from='a@b/c' type='error'/>")).toEqual([])
    expect(read("<presence from='a@b' type='subscribe'/>")).toEqual([])
    expect(read(`<presence from='pbx-b@example.org/${eidB}'/>`)).toEqual([])
  })

  it('is directed to a full JID', async () => {
    await perform({ to: 'cluster', do: 'present', jid: 'a@b/c', isAvailable: true })
    await perform({ to: 'cluster', do: 'present', jid: 'a@b/c', isAvailable: false })
    expect(sent).toEqual(['<presence to="a@b/c"/>', '<presence to="a@b/c" type="unavailable"/>'])
  })
})

describe('queries of peers', () => {
  const status = { eid: eidB, epoch, sequence: 7, phase: 'ready' } as const
  const ask = (name: string, text: string): Promise<Element | undefined> => {
    const handler = handlers.get(name)
    if (handler === undefined) throw new Error(`nobody handles ${name}`)
    return handler({ from: 'a@b/c', payload: parse(text) })
  }
  const askStatus = (): Promise<Element | undefined> =>
    ask('status', "<status xmlns='urn:hintbridge:1'/>")

  it('are answered when the domain answers', async () => {
    const answer = askStatus()
    expect(posted).toEqual([{ type: 'StatusRequested', request: 1, from: 'a@b/c' }])
    edge.perform({ to: 'cluster', do: 'answerStatus', request: 1, status })
    expect((await answer)?.attrs).toMatchObject({ seq: '7', phase: 'ready' })
  })

  it('are refused as the domain says, and at once where they cannot be read', async () => {
    const refused = askStatus()
    edge.perform({ to: 'cluster', do: 'refuse', request: 1, condition: 'resource-constraint' })
    await expect(refused).rejects.toMatchObject({ condition: 'resource-constraint', type: 'wait' })
    const unreadable = ask('snapshot', "<snapshot xmlns='urn:hintbridge:1' max='many'/>")
    await expect(unreadable).rejects.toMatchObject({ condition: 'bad-request', type: 'modify' })
    expect(counted).toEqual(['refused_items snapshot count'])
  })

  it('that the domain disregards get no answer, and make room', async () => {
    const settled = vi.fn()
    const waiting = Array.from({ length: 200 }, askStatus)
    for (const each of waiting) each.then(settled, settled)
    posted.forEach((event) => {
      if (event.type !== 'StatusRequested') return
      edge.perform({ to: 'cluster', do: 'disregard', request: event.request })
    })
    const answer = askStatus()
    edge.perform({ to: 'cluster', do: 'answerStatus', request: 201, status })
    expect((await answer)?.attrs).toMatchObject({ phase: 'ready' })
    expect(settled).not.toHaveBeenCalled()
  })

  it('do not pile up', async () => {
    const waiting = Array.from({ length: 200 }, askStatus)
    await expect(askStatus()).rejects.toMatchObject({ condition: 'resource-constraint' })
    emitter.emit('offline', new StreamFailure('closed', 'lost'))
    expect(posted.at(-1)).toEqual({ type: 'StreamDown', reason: 'lost' })
    const ends = await Promise.allSettled(waiting)
    expect(ends.every((end) => end.status === 'rejected')).toBe(true)
  })

  it('that a peer answers with nonsense fail as undecodable, and are counted', async () => {
    service.answer = () => "<status xmlns='urn:hintbridge:1' eid='x'/>"
    expect(await perform({ to: 'cluster', do: 'ask', jid: 'a@b/c', token: 5 })).toMatchObject([
      { type: 'AskFailed', token: 5, failure: { condition: 'undecodable', isTemporary: false } },
    ])
    expect(counted).toEqual(['refused_items status phase'])
  })
})

describe('the announcement', () => {
  const announce: ClusterCommand = {
    ...{ to: 'cluster', do: 'announce' },
    item: {
      ...{ id: 'pbx-b@example.org', eid: eidB, name: 'b', jid: `pbx-b@example.org/${eidB}` },
      ...{ service: own, epoch, version: '1' },
    },
  }
  const configuration = (publishModel: string): string =>
    pubsubText(
      `<configure node='asterisk/members'><x xmlns='jabber:x:data' type='form'>` +
        `<field var='pubsub#publish_model'><value>${publishModel}</value></field></x></configure>`,
      '#owner',
    )

  it('opens `members` to the others where ejabberd has made it anew with its defaults (rule 17)', async () => {
    let publishModel = ''
    service.answer = ({ type, text }) => {
      if (text.includes('<create')) return publishModel === '' ? pubsubText('') : refuse('conflict')
      if (text.includes('<publish')) publishModel = 'publishers'
      if (!text.includes('<configure')) return ''
      if (type === 'set') publishModel = 'open'
      return configuration(publishModel)
    }
    expect(await perform(announce)).toEqual([{ type: 'Announced' }])
    expect(publishModel).toBe('open')
  })

  it('leaves `members` to the member that made it', async () => {
    service.answer = ({ text }) =>
      text.includes('<create')
        ? refuse('conflict')
        : text.includes('<configure')
          ? refuse('forbidden', 'auth')
          : ''
    expect(await perform(announce)).toEqual([{ type: 'Announced' }])
  })
})

describe('reading members', () => {
  it('gives the items that decode, and refuses the rest', async () => {
    service.answer = ({ text }) =>
      text.includes('<items')
        ? pubsubText(
            `<items node='asterisk/members'><item id='eve@x'><x xmlns='urn:x'/></item>` +
              `<item id='a@b' publisher='a@b/c'><member xmlns='urn:hintbridge:1' eid='${eidA}' name='a' jid='a@b/c' service='s' epoch='${epoch}' version='1'/></item></items>`,
          )
        : ''
    expect(await perform({ to: 'cluster', do: 'readMembers' })).toMatchObject([
      { type: 'MembersRead', items: [{ id: 'a@b', publisher: 'a@b/c' }] },
    ])
    expect(counted).toEqual(['refused_items members element'])
  })
})

describe('an answer that does not come', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is told of with what was asked, once; that its service is late, each 3 s', async () => {
    service.isMute = true
    edge.perform({ to: 'cluster', do: 'readMembers' })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(told).toEqual([
      {
        service: own,
        action: 'subscriptions asterisk/members',
        message: 'no answer of the XMPP server yet',
      },
    ])
    expect(posted).toEqual(Array(3).fill({ type: 'ServiceLate', service: own }))
  })

  it('of another service says so of that one', async () => {
    service.isMute = true
    const subscribe = { member: 'a@b', service: 'pubsub.b', eid: eidA, isAgain: true } as const
    edge.perform({ to: 'cluster', do: 'subscribe', ...subscribe })
    await vi.advanceTimersByTimeAsync(3_000)
    expect(posted).toEqual([{ type: 'ServiceLate', service: 'pubsub.b' }])
  })

  it('is not said of a service that takes long for many requests, but not for any', async () => {
    service.delayMs = 400
    edge.perform({ to: 'cluster', do: 'makeOwnNodes' })
    await vi.advanceTimersByTimeAsync(20_000)
    expect(service.texts.length).toBeGreaterThan(7)
    expect(posted).not.toContainEqual({ type: 'ServiceLate', service: own })
    expect(told).toEqual([])
  })

  it('is not told of where it comes in time', async () => {
    edge.perform({ to: 'cluster', do: 'readMembers' })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(posted).not.toContainEqual({ type: 'ServiceLate', service: own })
    expect(told).toEqual([])
  })
})

describe('the subscription to members', () => {
  it('is made again where it is gone without a word, and only then (rule 19)', async () => {
    let subscribed = ''
    service.answer = ({ text }) =>
      text.includes('<subscriptions')
        ? pubsubText(`<subscriptions>${subscribed}</subscriptions>`)
        : text.includes('<subscribe ')
          ? pubsubText(`<subscription subscription='subscribed'/>`)
          : pubsubText(`<items node='asterisk/members'/>`)
    const readings = async (): Promise<number> => {
      const before = service.asked.length
      await perform({ to: 'cluster', do: 'readMembers' })
      const since = service.asked.slice(before)
      return since.filter(({ text }) => text.includes('<subscribe ')).length
    }
    expect(await readings()).toBe(1)
    subscribed = `<subscription node='asterisk/members' jid='pbx-b@example.org/${eidB}' subscription='subscribed'/>`
    expect(await readings()).toBe(0)
    subscribed = ''
    expect(await readings()).toBe(1)
  })
})

describe('leaving', () => {
  const feed = `asterisk/${eidB}/feed`
  const windows = [`asterisk/${eidB}/device_state`, `asterisk/${eidB}/message_waiting`]

  it('is told as done where nothing is left, also where it was not there', async () => {
    service.answer = ({ text }) => (text.includes('<retract') ? refuse('item-not-found') : '')
    expect(await perform({ to: 'cluster', do: 'deleteOwnNodes' })).toEqual([
      { type: 'OwnNodesDeleted', failures: [] },
    ])
    expect(warned).toEqual([])
  })

  it('tells what was left behind, each cause once, with what to do', async () => {
    service.answer = ({ text }) => {
      if (text.includes('<retract') || text.includes('feed"')) throw new RequestTimeout(own, 1_000)
      return refuse('forbidden', 'auth')
    }
    const reason = `failed to delete what it had at ${own}`
    const silence = `${reason}: no answer from ${own} within 1000 ms: run leave again when it answers`
    expect(await perform({ to: 'cluster', do: 'deleteOwnNodes' })).toEqual([
      {
        type: 'OwnNodesDeleted',
        failures: [
          `the item pbx-b@example.org of asterisk/members, ${feed}: ${silence}`,
          expect.stringMatching(
            `^${windows.join(', ')}: ${reason}: forbidden: what of this is there has to be deleted by the account that made it `,
          ),
        ],
      },
    ])
  })

  it('names in the log each node and item that was left behind, with what to do', async () => {
    service.answer = () => refuse('internal-server-error', 'wait')
    await perform({ to: 'cluster', do: 'deleteOwnNodes' })
    const reason = `failed to delete it at ${own}: internal-server-error`
    const remedy = 'run leave again when it answers'
    expect(warned).toEqual([
      { node: 'asterisk/members', item: 'pbx-b@example.org', reason, remedy },
      ...[feed, ...windows].map((node) => ({ node, reason, remedy })),
    ])
  })

  it('does not send who goes on to run leave for the nodes of a former EID', async () => {
    service.answer = () => refuse('internal-server-error', 'wait')
    await perform({ to: 'cluster', do: 'deleteNodesOf', eid: eidA })
    expect(warned).toHaveLength(3)
    expect(warned[0]).toMatchObject({
      node: `asterisk/${eidA}/feed`,
      remedy: expect.stringContaining('by an administrator of that service') as unknown,
    })
  })

  it('retracts the item of a forgotten member; what is not there is gone, else it says why', async () => {
    const retract = () => edge.retractItemOf('pbx-c@example.org', 1_000)
    expect(await retract()).toBeUndefined()
    expect(service.texts[0]).toContain('<item id="pbx-c@example.org"/>')
    service.answer = () => refuse('item-not-found')
    expect(await retract()).toBeUndefined()
    service.answer = () => refuse('forbidden', 'auth')
    expect(await retract()).toMatchObject({
      condition: 'forbidden',
      reason: expect.stringContaining(
        `failed to retract pbx-c@example.org from asterisk/members at ${own}`,
      ) as unknown,
    })
  })
})
