/** An XMPP server with its pubsub service: streams, directed presence, IQs, nodes; with faults that can be switched on. */
import type { ClusterCommand } from '../../src/bridge/commands.js'
import { bareJid } from '../../src/bridge/context.js'
import type { BridgeEvent, Failure } from '../../src/bridge/events.js'
import type { Batch, MemberItem, Page, Status } from '../../src/bridge/messages.js'
import type { EntityId, StateEntry } from '../../src/bridge/state.js'
import type { FakeTime } from './fake-time.js'
import { service } from './settings.js'

/** How likely each feed notification is to suffer. */
export interface Faults {
  readonly lose: number
  readonly duplicate: number
  /** Late, so that later ones overtake it. */
  readonly delay: number
  /** A publish of a batch is never answered: before it reached the node, or after. */
  readonly swallow: number
  /** An answer of a peer takes seconds. */
  readonly slow: number
}

export const noFaults: Faults = { lose: 0, duplicate: 0, delay: 0, swallow: 0, slow: 0 }

export function failure(condition: string, isTemporary = true): Failure {
  return { condition, reason: condition, isTemporary }
}

/** What the XMPP edge posts of a command that failed; nothing of one that is not answered. */
export function failed(command: ClusterCommand, reason: Failure): BridgeEvent | undefined {
  switch (command.do) {
    case 'makeOwnNodes':
      return { type: 'OwnNodesFailed', failure: reason }
    case 'setReaders':
      return { type: 'ReadersFailed', failure: reason }
    case 'deleteOwnNodes':
      return { type: 'OwnNodesDeleted', failures: [reason.reason] }
    case 'announce':
      return { type: 'AnnounceFailed', failure: reason }
    case 'readMembers':
      return { type: 'MembersUnread', failure: reason }
    case 'subscribe': {
      const { member, service: where, eid } = command
      return { type: 'SubscribeFailed', member, service: where, eid, failure: reason }
    }
    case 'publishBatch':
      return { type: 'BatchFailed', sequence: command.batch.sequence, failure: reason }
    case 'pull':
      return { type: 'PullFailed', token: command.token, failure: reason }
    case 'ask':
      return { type: 'AskFailed', token: command.token, failure: reason }
    case 'writeWindow':
    case 'retractWindow':
      return { type: 'WindowFailed', failure: reason }
    case 'readWindow':
      return { type: 'WindowUnread', eid: command.eid, kind: command.kind, failure: reason }
    case 'answerPage':
    case 'answerStatus':
    case 'deleteNodesOf':
    case 'disregard':
    case 'endStream':
    case 'present':
    case 'refuse':
    case 'retractItem':
    case 'unsubscribe':
      return undefined
  }
}

interface Pending {
  readonly fail: (failure: Failure) => void
}

/** One connection of one bridge; what it sends and what it is sent stays in order. */
export class Stream {
  isUp = true
  readonly told = new Set<string>()
  readonly pending = new Set<Pending>()
  /** Feeds that its edge takes for subscribed. */
  readonly knownFeeds = new Set<EntityId>()
  isFollowingMembers = false
  #toServerMs = 0
  #toClientMs = 0

  constructor(
    readonly jid: string,
    private readonly time: FakeTime,
    private readonly random: () => number,
    private readonly deliver: (event: BridgeEvent) => void,
  ) {}

  toServer(run: () => void): void {
    this.#toServerMs = Math.max(this.#toServerMs, this.time.nowMs + this.#latencyMs())
    this.#at(this.#toServerMs, run)
  }

  toClient(event: BridgeEvent, lateMs = 0): void {
    const atMs = Math.max(this.#toClientMs, this.time.nowMs + this.#latencyMs())
    if (lateMs === 0) this.#toClientMs = atMs
    this.#at(atMs + lateMs, () => {
      // The edge knows of it before the bridge does.
      if (event.type === 'NodeDisturbed') this.knownFeeds.delete(event.node.split('/')[1] ?? '')
      this.deliver(event)
    })
  }

  /** Sends a request; `act` is what the server does with it; no answer within a heartbeat is a timeout. */
  request(
    timeoutMs: number,
    failed: (failure: Failure) => BridgeEvent | undefined,
    act: (respond: (event: BridgeEvent) => void) => void,
  ): void {
    const pending: Pending = {
      fail: (reason) => {
        const event = failed(reason)
        if (this.pending.delete(pending) && event) this.deliver(event)
      },
    }
    this.pending.add(pending)
    this.toServer(() =>
      act((event) => {
        this.#toClientMs = Math.max(this.#toClientMs, this.time.nowMs + this.#latencyMs())
        this.#at(this.#toClientMs, () => {
          if (this.pending.delete(pending)) this.deliver(event)
        })
      }),
    )
    this.time.after(timeoutMs, () => pending.fail(failure('timeout')))
  }

  #latencyMs(): number {
    return 0.5 + 2 * this.random()
  }

  #at(atMs: number, run: () => void): void {
    this.time.at(atMs, () => {
      if (this.isUp) run()
    })
  }
}

/** What a peer answers to an IQ, or the server in its place. */
export interface Answer {
  readonly status?: Status
  readonly page?: Page
  readonly failure?: Failure
}

type Settle = (answer: Answer) => void

export class SimulatedService {
  faults: Faults = noFaults
  /** Pages are no longer than this, so that a small table needs several. */
  pageSize = 2
  readonly streams = new Map<string, Stream>()
  readonly members = new Map<string, MemberItem>()
  readonly feeds = new Set<EntityId>()
  /** Full JIDs by feed; they outlive streams (facts-xmpp). */
  readonly subscribers = new Map<EntityId, Set<string>>()
  /** Bare JIDs that may read the nodes of that EID; who was subscribed before is told all the same, as by real services. */
  readonly readers = new Map<EntityId, ReadonlySet<string>>()
  /** Retained items: by EID and kind, then item id. */
  readonly windows = new Map<string, Map<string, StateEntry>>()
  readonly #requests = new Map<number, Settle>()
  #requestCount = 0

  constructor(
    private readonly time: FakeTime,
    private readonly random: () => number,
  ) {}

  /** The stream ends: its requests are rejected, and whom it told that it is here is told that it is gone. */
  end(stream: Stream, reason: string, tell: (event: BridgeEvent) => void): void {
    if (!stream.isUp) return
    stream.isUp = false
    if (this.streams.get(stream.jid) === stream) this.streams.delete(stream.jid)
    const isRejectedFirst = this.random() < 0.5
    if (!isRejectedFirst) tell({ type: 'StreamDown', reason })
    for (const pending of [...stream.pending]) pending.fail(failure('disconnected'))
    if (isRejectedFirst) tell({ type: 'StreamDown', reason })
    for (const jid of stream.told) {
      this.streams.get(jid)?.toClient({
        type: 'PresenceReceived',
        from: stream.jid,
        isAvailable: false,
      })
    }
  }

  /** The store is lost: nodes, items and subscriptions. */
  wipe(): void {
    this.members.clear()
    this.feeds.clear()
    this.subscribers.clear()
    this.readers.clear()
    this.windows.clear()
  }

  /** An IQ to a full JID; `arrive` makes the event from the handle for the answer. */
  route(to: string, settle: Settle, arrive: (handle: number) => BridgeEvent): void {
    const stream = this.streams.get(to)
    if (!stream) {
      settle({ failure: failure('service-unavailable') })
      return
    }
    this.#requestCount += 1
    this.#requests.set(this.#requestCount, settle)
    stream.toClient(arrive(this.#requestCount))
  }

  /** The peer's answer goes back. */
  answer(handle: number, answer: Answer): void {
    const settle = this.#requests.get(handle)
    this.#requests.delete(handle)
    if (this.random() < this.faults.slow) {
      this.time.after(4_000 * this.random(), () => settle?.(answer))
    } else {
      settle?.(answer)
    }
  }

  announce(item: MemberItem): void {
    this.members.set(item.id, item)
    for (const stream of this.streams.values()) {
      if (stream.isFollowingMembers) stream.toClient({ type: 'MemberItemReceived', item })
    }
  }

  retractItem(id: string): void {
    if (!this.members.delete(id)) return
    for (const stream of this.streams.values()) {
      if (!stream.isFollowingMembers) continue
      stream.toClient({ type: 'NodeDisturbed', node: 'asterisk/members', change: 'retracted' })
    }
  }

  /** Tells a feed's subscribers; the faults strike here. */
  notify(batch: Batch, publisher: string): void {
    for (const jid of this.subscribers.get(batch.eid) ?? []) {
      const stream = this.streams.get(jid)
      if (!stream || this.random() < this.faults.lose) continue
      const event: BridgeEvent = { type: 'BatchReceived', service, publisher, batch }
      stream.toClient(event, this.random() < this.faults.delay ? 3_000 * this.random() : 0)
      if (this.random() < this.faults.duplicate) stream.toClient(event, 3_000 * this.random())
    }
  }

  window(eid: EntityId, kind: string): Map<string, StateEntry> | undefined {
    return this.windows.get(`${eid} ${kind}`)
  }

  mayRead(eid: EntityId, jid: string): boolean {
    return this.readers.get(eid)?.has(jid) ?? false
  }

  /** Who may not read any more loses its subscription, and is told so by ejabberd only. */
  setReaders(eid: EntityId, readers: readonly string[]): void {
    this.readers.set(eid, new Set(readers))
    const node = `asterisk/${eid}/feed`
    for (const jid of this.subscribers.get(eid) ?? []) {
      if (this.mayRead(eid, bareJid(jid))) continue
      this.subscribers.get(eid)?.delete(jid)
      if (this.random() < 0.5) continue
      this.streams.get(jid)?.toClient({ type: 'NodeDisturbed', node, change: 'unsubscribed' })
    }
  }

  makeNodes(eid: EntityId): void {
    this.feeds.add(eid)
    for (const kind of ['device_state', 'message_waiting']) {
      const name = `${eid} ${kind}`
      this.windows.set(name, this.windows.get(name) ?? new Map<string, StateEntry>())
    }
  }

  /** Its subscribers are told. */
  deleteFeed(eid: EntityId): void {
    this.feeds.delete(eid)
    const node = `asterisk/${eid}/feed`
    for (const jid of this.subscribers.get(eid) ?? []) {
      this.streams.get(jid)?.toClient({ type: 'NodeDisturbed', node, change: 'deleted' })
    }
    this.subscribers.delete(eid)
    this.readers.delete(eid)
  }

  deleteNodes(eid: EntityId, jid?: string): void {
    this.deleteFeed(eid)
    if (jid !== undefined) this.retractItem(jid)
    for (const kind of ['device_state', 'message_waiting']) this.windows.delete(`${eid} ${kind}`)
  }
}
