import xml, { type Element } from '@xmpp/xml'
import type { ClusterCommand } from '../bridge/commands.js'
import { type ClusterEvent, type Failure, lateToldMs, type NodeChange } from '../bridge/events.js'
import type { Batch } from '../bridge/messages.js'
import type { EntityId, StateEntry } from '../bridge/state.js'
import type { WireBatch } from '../nodes/feed.js'
import { feedNode, membersNode, windowNode } from '../nodes/names.js'
import { codecs } from '../nodes/registry.js'
import type { Log } from '../xmpp/connection.js'
import type { StreamFailure } from '../xmpp/errors.js'
import { attempt, toFailure } from './failure.js'
import { HeldSubscriptions } from './held-subscriptions.js'
import { failuresOfLeave, logLeft } from './left-behind.js'
import { readNotification } from './notifications.js'
import {
  deleteNodesOf,
  deleteOwnNodes,
  isAbsent,
  makeMembers,
  makeOwnNodes,
  retractItem,
} from './own-nodes.js'
import { OwnReaders } from './own-readers.js'
import { PeerQueries, type ClusterConnection, type CommandOf } from './peer-queries.js'
import { publish } from './publish.js'
import { readMembers, readWindow } from './read-nodes.js'
import { Refusals, type Count, type OnRefused } from './refusals.js'
import { retract } from './retract.js'
import type { PubsubService } from './service.js'
import { unsubscribe } from './unsubscribe.js'

export interface ClusterEdgeOptions {
  /** Not started yet. */
  readonly connection: ClusterConnection
  /** The root of the cluster's node names. */
  readonly root: string
  /** JID of the own pubsub service. */
  readonly service: string
  readonly entityId: EntityId
  /** Bare JID of the own account; also the id of the member item. */
  readonly jid: string
  /** How long an answer may take: one heartbeat (rule 23). */
  readonly requestTimeoutMs: number
  readonly post: (event: ClusterEvent) => void
  readonly log: Log
  readonly count: Count
  /** Told of each item that is refused. */
  readonly refused?: OnRefused
}

/**
 * The item id of every batch. COMPAT: where ejabberd has made a deleted feed anew with its defaults, it retains the
 * items; ids of their own would fill the node, and then each publish would evict one and broadcast its retract.
 */
const feedItemId = 'batch'

/** The cluster as the domain sees it: performs its commands over XMPP and posts what comes from there. */
export class ClusterEdge {
  private readonly held: HeldSubscriptions
  private readonly stamps = new WeakMap<Batch, number>()
  private readonly queries: PeerQueries
  private readonly refusals: Refusals
  private readonly own: PubsubService
  private readonly readers: OwnReaders

  constructor(private readonly options: ClusterEdgeOptions) {
    this.refusals = new Refusals(options.log, options.count, options.refused)
    this.held = new HeldSubscriptions(options.log)
    this.own = this.at(options.service)
    this.readers = new OwnReaders({
      service: this.own,
      jid: options.jid,
      onSet: (readers, isWhole) => options.post({ type: 'ReadersSet', readers, isWhole }),
      onFailed: (failure) => options.post({ type: 'ReadersFailed', failure }),
    })
    this.queries = new PeerQueries({ ...options, refusals: this.refusals })
  }

  /** Listens to the connection; before the connection is started. */
  start(): void {
    const { connection, post } = this.options
    this.queries.start()
    connection.on('online', (jid) => post({ type: 'StreamUp', jid }))
    connection.on('offline', (failure) => this.onOffline(failure))
    connection.on('failed', ({ message, remedy, reaction }) =>
      post({
        type: 'StreamFailed',
        reason: message,
        remedy,
        ...(reaction === 'credentials' && { isAccountRefused: true }),
      }),
    )
    connection.on('conflicted', ({ message }) =>
      post({ type: 'StreamConflicted', reason: message }),
    )
    connection.on('message', (message) => this.onMessage(message))
    connection.on('presence', (presence) => this.onPresence(presence))
  }

  /** Performs one command; its outcome is posted. Never throws. */
  perform(command: ClusterCommand): void {
    switch (command.do) {
      case 'makeOwnNodes':
        return this.makeOwnNodes()
      case 'setReaders':
        return this.readers.set(command.readers)
      case 'deleteOwnNodes':
        return this.deleteOwnNodes()
      case 'retractItem':
        return this.retractItem()
      case 'deleteNodesOf':
        return this.deleteNodesOf(command)
      case 'announce':
        return this.announce(command)
      case 'readMembers':
        return this.readMembers()
      case 'subscribe':
        return this.subscribe(command)
      case 'unsubscribe':
        return this.unsubscribe(command)
      case 'publishBatch':
        return this.publishBatch(command)
      case 'pull':
        return this.queries.pull(command)
      case 'ask':
        return this.queries.ask(command)
      case 'answerPage':
        return this.queries.answerPage(command)
      case 'answerStatus':
        return this.queries.answerStatus(command)
      case 'refuse':
        return this.queries.refuse(command)
      case 'disregard':
        return this.queries.disregard(command)
      case 'present':
        return this.present(command)
      case 'writeWindow':
        return this.writeWindow(command)
      case 'retractWindow':
        return this.retractWindow(command)
      case 'readWindow':
        return this.readWindow(command)
      case 'endStream':
        return this.options.connection.endStream(command.reason)
    }
  }

  private at(service: string): PubsubService {
    const { connection, requestTimeoutMs, post, log } = this.options
    const request: typeof connection.request = async (to, type, payload, timeoutMs) => {
      let isTold = false
      const tell = (): void => {
        post({ type: 'ServiceLate', service })
        if (isTold) return
        isTold = true
        const [verb] = payload.getChildElements()
        const action = `${verb?.name ?? payload.name} ${verb?.attrs['node'] ?? ''}`.trim()
        log.info({ service, action }, 'no answer of the XMPP server yet')
      }
      const timer = setInterval(tell, lateToldMs)
      try {
        return await connection.request(to, type, payload, timeoutMs)
      } finally {
        clearInterval(timer)
      }
    }
    return { iq: { request }, service, timeoutMs: requestTimeoutMs }
  }

  private attempt(
    action: string,
    task: () => Promise<ClusterEvent>,
    failed: (failure: Failure) => ClusterEvent,
  ): void {
    attempt(this.options.post, action, task, failed)
  }

  private makeOwnNodes(): void {
    const { root, entityId } = this.options
    this.attempt(
      'make the own pubsub nodes',
      async () => {
        const { nodes, ...made } = await makeOwnNodes(this.own, root, entityId)
        return { type: 'OwnNodesMade', ...made, ...(await this.readers.look(nodes)) }
      },
      (failure) => ({ type: 'OwnNodesFailed', failure }),
    )
  }

  private deleteOwnNodes(): void {
    const { root, service, entityId, jid, post, log } = this.options
    this.readers.clear()
    void deleteOwnNodes(this.own, root, entityId, jid).then((left) => {
      logLeft(log, service, left, { isLeaving: true })
      post({ type: 'OwnNodesDeleted', failures: failuresOfLeave(service, left) })
    })
  }

  private deleteNodesOf({ eid }: CommandOf<'deleteNodesOf'>): void {
    const { root, service, log } = this.options
    void deleteNodesOf(this.own, root, eid).then((left) =>
      logLeft(log, service, left, { isLeaving: false }),
    )
  }

  private retractItem(): void {
    const { root, service, jid, log } = this.options
    void retractItem(this.own, root, jid).then((left) =>
      logLeft(log, service, left, { isLeaving: false }),
    )
  }

  /** Retracts the item of a member that is forgotten; gives why it could not, `undefined` where it is not there now. */
  async retractItemOf(member: string, timeoutMs: number): Promise<Failure | undefined> {
    const { root, service } = this.options
    const pubsub = { ...this.at(service), timeoutMs }
    const [left] = await retractItem(pubsub, root, member)
    if (left === undefined) return undefined
    return toFailure(`retract ${member} from ${membersNode(root)} at ${service}`, left.error)
  }

  private announce({ item }: CommandOf<'announce'>): void {
    const { root } = this.options
    const node = membersNode(root)
    this.attempt(
      `publish ${node}`,
      async () => {
        await publish(this.own, node, item.id, codecs.members.encode(item))
        // COMPAT ejabberd: where the node was just lost this publish has made it, with the server's defaults, and it is closed
        // to the others.
        await makeMembers(this.own, root)
        return { type: 'Announced' }
      },
      (failure) => ({ type: 'AnnounceFailed', failure }),
    )
  }

  private readMembers(): void {
    const node = membersNode(this.options.root)
    // The word that a subscription is gone may have been lost: whoever reads looks at that too (rule 19).
    this.held.doubt(this.options.service)
    this.attempt(
      `read ${node}`,
      async () => {
        await this.held.ensure(this.own, node, this.fullJid)
        return { type: 'MembersRead', items: await readMembers(this.own, node, this.refusals) }
      },
      (failure) => ({ type: 'MembersUnread', failure }),
    )
  }

  private subscribe({ member, service, eid, isAgain }: CommandOf<'subscribe'>): void {
    const node = feedNode(this.options.root, eid)
    const feed = { member, service, eid }
    this.attempt(
      `subscribe to ${node} at ${service}`,
      async () => {
        const pubsub = this.at(service)
        if (isAgain) await this.held.renew(pubsub, node, this.fullJid)
        else await this.held.ensure(pubsub, node, this.fullJid)
        return { type: 'Subscribed', ...feed }
      },
      (failure) => ({ type: 'SubscribeFailed', ...feed, failure }),
    )
  }

  private unsubscribe({ service, eid }: CommandOf<'unsubscribe'>): void {
    const node = feedNode(this.options.root, eid)
    this.held.release(service, node)
    // Not answered: the node may be gone with its member, and what still comes from it is judged anyway.
    unsubscribe(this.at(service), node, this.fullJid).catch((error: unknown) => {
      const { reason } = toFailure(`unsubscribe from ${node} at ${service}`, error)
      this.options.log.debug({ reason }, 'a subscription was left behind')
    })
  }

  /** The fast path. A batch that is sent again is the same to the octet (rule 11). */
  private publishBatch({ batch }: CommandOf<'publishBatch'>): void {
    const { sequence } = batch
    const node = feedNode(this.options.root, this.options.entityId)
    this.attempt(
      `publish ${node}`,
      async () => {
        await publish(this.own, node, feedItemId, codecs.feed.encode(this.stamped(batch)))
        return { type: 'BatchPublished', sequence }
      },
      (failure) => ({ type: 'BatchFailed', sequence, failure }),
    )
  }

  /** With the time on the wall of its oldest change: that of the first sending, also where it is sent again. */
  private stamped(batch: Batch): WireBatch {
    if (batch.ageMs === undefined) return batch
    const atMs = this.stamps.get(batch) ?? Date.now() - batch.ageMs
    this.stamps.set(batch, atMs)
    return { ...batch, atMs }
  }

  private present({ jid, isAvailable }: CommandOf<'present'>): void {
    const type = isAvailable ? undefined : 'unavailable'
    this.options.connection.send(xml('presence', { to: jid, type }))
  }

  private writeWindow({ entry }: CommandOf<'writeWindow'>): void {
    const { root, entityId } = this.options
    this.attempt(
      `publish ${entry.kind} for '${entry.id}'`,
      async () => {
        const node = windowNode(root, entityId, entry.kind)
        await publish(this.own, node, entry.id, encodeWindowItem(entityId, entry))
        return { type: 'WindowWritten' }
      },
      (failure) => ({ type: 'WindowFailed', failure }),
    )
  }

  private retractWindow({ kind, id }: CommandOf<'retractWindow'>): void {
    const { root, entityId } = this.options
    this.attempt(
      `retract ${kind} of '${id}'`,
      async () => {
        try {
          await retract(this.own, windowNode(root, entityId, kind), id)
        } catch (error) {
          if (!isAbsent(error)) throw error
        }
        return { type: 'WindowWritten' }
      },
      (failure) => ({ type: 'WindowFailed', failure }),
    )
  }

  private readWindow({ member, service, eid, kind }: CommandOf<'readWindow'>): void {
    const node = windowNode(this.options.root, eid, kind)
    this.attempt(
      `read ${node} at ${service}`,
      async () => {
        const source = { node, member, eid, kind }
        const found = await readWindow(this.at(service), source, this.refusals)
        return { type: 'WindowRead', eid, kind, ...found }
      },
      (failure) => ({ type: 'WindowUnread', eid, kind, failure }),
    )
  }

  private get fullJid(): string {
    return this.options.connection.jid ?? this.options.jid
  }

  private onOffline(failure: StreamFailure): void {
    this.held.clear()
    this.readers.clear()
    this.queries.clear()
    this.options.post({ type: 'StreamDown', reason: failure.message })
  }

  private onMessage(message: Element): void {
    const { root, service, post } = this.options
    const events = readNotification(message, {
      root,
      service,
      refusals: this.refusals,
      isSubscribedAt: (jid) => this.held.knows(jid),
    })
    for (const event of events) {
      if (event.type === 'NodeDisturbed' && endsSubscription(event.change)) {
        this.held.forget(message.attrs['from'] ?? '', event.node)
      }
      post(event)
    }
  }

  private onPresence(presence: Element): void {
    const { from, type } = presence.attrs
    if (from === undefined || from === this.options.connection.jid) return
    // Subscription requests, probes and errors say nothing about life.
    if (type !== undefined && type !== 'unavailable') return
    this.options.post({ type: 'PresenceReceived', from, isAvailable: type === undefined })
  }
}

function endsSubscription(change: NodeChange): boolean {
  return change === 'deleted' || change === 'unsubscribed'
}

function encodeWindowItem(eid: EntityId, entry: StateEntry): Element {
  return entry.kind === 'device_state'
    ? codecs.device_state.encode({ eid, entry })
    : codecs.message_waiting.encode({ eid, entry })
}
