/** The Asterisk edge: performs the domain's commands by SIP PUBLISH, and posts what Asterisk publishes. */
import { randomBytes } from 'node:crypto'
import type { AsteriskCommand, Refused } from '../../bridge/commands.js'
import type { AsteriskEvent, Failure } from '../../bridge/events.js'
import { type EntityId, isName, type Kind } from '../../bridge/state.js'
import { reviveOutflow } from '../../bridge/remedies.js'
import { SipAgent } from './agent.js'
import { encodeRefresh, encodeState, fenceEntry } from './body.js'
import { systemClock, type Clock } from './clock.js'
import { ConnectionProof } from './connection-proof.js'
import { EntityIdQuest } from './entity-id-quest.js'
import { ForeignEntityId, type Health } from './foreign-entity-id.js'
import { Identity } from './identity.js'
import { Inbound, type Count, type EdgeLog } from './inbound.js'
import { Liveness } from './liveness.js'
import { bracketed, type HostPort, type SipResponse } from './message.js'
import { OwnUri } from './own-uri.js'
import type { OutgoingRequest } from './publication.js'
import { Publications, type SipSecrets } from './publications.js'
import { ProofQuest } from './proof-quest.js'
import type { StreamTransport } from './tcp-transport.js'
import { isLoopback, UdpTransport, type Transport } from './transport.js'

export interface SipEdgeOptions {
  /** Where Asterisk listens, and sends from. */
  readonly asterisk: HostPort
  /** Where Asterisk publishes to. */
  readonly listen: HostPort
  /** User part of the request URI, endpoint, auth user and publication name, on both sides. */
  readonly resource: string
  /** What the two sides show each other as that auth user. */
  readonly secrets: SipSecrets
  /** The PBX's own EID; learnt from Asterisk where absent. */
  readonly entityId?: EntityId
  /** That EID is configured, and so never given up for another. */
  readonly isEntityIdConfigured?: boolean
  /** Publications in parallel for injections; 32 by default (docs/performance.md). */
  readonly lanes?: number
  /** May `listen` be another address than loopback? */
  readonly allowNonLoopback?: boolean
  /** Called once, before the first event under it, where no EID was given. */
  readonly onEntityIdLearnt: (eid: EntityId) => void
  /** The EID was learnt, and Asterisk has another by now: that of the next start. */
  readonly onEntityIdMoved: (to: EntityId) => void
  readonly post: (event: AsteriskEvent) => void
  /** Tells the administrator what lasts; an error each. */
  readonly health: Health
  readonly log: EdgeLog
  readonly count: Count
  /** Told of each PUBLISH of Asterisk that is refused. */
  readonly refused?: (refused: Refused) => void
  readonly clock?: Clock
  readonly transport?: Transport
  /** Where Asterisk is to be given states by TCP, if it takes a connection. */
  readonly stream?: StreamTransport
}

/** A refresh asked before the EID is known goes under this: well-formed, and nobody's. */
const placeholderEntityId = '02:00:00:00:00:00'

/**
 * So many that both sides find several messages each time they wake up: with 4 they slept and woke for each, which cost
 * a third more time of both.
 */
const defaultLanes = 32

/**
 * The connection is tended each time so many pings were sent, 5 s, and when Asterisk is found: Asterisk ends one that is silent
 * for minutes.
 */
const pingsToTend = 10

/** A SIP user agent beside one Asterisk: the port that the bridge's Asterisk commands and events go through. */
export class SipEdge {
  readonly lanes: number
  private readonly clock: Clock
  private readonly uri: string
  private readonly agent: SipAgent
  private readonly liveness: Liveness
  private readonly inbound: Inbound
  private readonly identity: Identity
  private readonly publications: Publications
  private readonly pingCallId = randomBytes(12).toString('hex')
  private readonly pingTag = randomBytes(6).toString('hex')
  private pingSequence = 0
  private pingCount = 0
  private version: string | undefined
  private cancelPing = (): void => undefined
  private readonly foreign: ForeignEntityId
  private readonly quest: EntityIdQuest
  private readonly proofQuest: ProofQuest
  private readonly connectionProof: ConnectionProof
  private state: 'new' | 'running' | 'stopping' | 'stopped' = 'new'

  constructor(private readonly options: SipEdgeOptions) {
    const { asterisk, listen, resource, log, count, post, health } = options
    this.lanes = options.lanes ?? defaultLanes
    this.clock = options.clock ?? systemClock
    this.uri = `sip:${resource}@${bracketed(asterisk.host)}:${asterisk.port}`
    this.identity = new Identity(options.entityId, (eid) => this.learn(eid))
    const { clock, identity, uri } = this
    this.foreign = new ForeignEntityId({
      clock,
      own: () => identity.eid,
      isConfigured: options.isEntityIdConfigured ?? false,
      health,
      onMoved: options.onEntityIdMoved,
    })
    this.quest = new EntityIdQuest({
      clock,
      isKnown: () => identity.eid !== undefined,
      ask: (onEnd) =>
        this.publications.publish('control', 'device_state', this.refreshBody(), onEnd),
      health,
      log,
    })
    this.inbound = new Inbound({
      clock,
      resource,
      secret: options.secrets.toBridge,
      ownUri: new OwnUri({ resource, listen, asterisk, bound: () => this.agent.address }),
      identity,
      foreign: this.foreign,
      onProven: (kind) => this.proven(kind),
      onProofReturned: (nonce) => this.connectionProof.returned(nonce),
      post,
      log,
      count,
      ...(options.refused && { refused: options.refused }),
    })
    this.liveness = new Liveness({
      clock,
      ping: () => this.ping(),
      onHeard: () => this.hear(),
      onDue: () => this.askForProof(),
      onFound: () => this.find(),
      onAbsent: (reason) => this.tellAbsence(reason),
      onUnproven: () => this.tellUnproven(),
      onLost: (reason, wasFound) => this.lose(reason, wasFound),
    })
    this.proofQuest = new ProofQuest({
      clock,
      publish: (kind, body, onEnd) => this.publications.publish('proof', kind, body, onEnd),
    })
    this.publications = new Publications({
      clock,
      uri,
      user: resource,
      secrets: options.secrets,
      hasGiven: (nonce) => this.inbound.hasGiven(nonce),
      isRunning: () => this.state === 'running',
      liveness: this.liveness,
      agent: () => this.agent,
      health,
    })
    this.connectionProof = new ConnectionProof({
      ...this.publications.common,
      stream: options.stream,
      eid: () => identity.eid,
      health,
      send: (request, onOutcome) => this.agent.requestByConnection(request, onOutcome),
    })
    this.agent = new SipAgent({
      transport: options.transport ?? new UdpTransport({ listen, asterisk }),
      ...(options.stream && { stream: options.stream }),
      clock,
      peer: asterisk,
      requestUri: uri,
      user: resource,
      agentName: 'hintbridge',
      ping: () => this.nextPing(),
      onAnswered: (admit) => this.connectionProof.examine(admit),
      onConnected: () => this.tellWay('TCP'),
      onDisconnected: (reason) => this.disconnected(reason),
      onClosed: () => this.connectionProof.reset(),
      answer: (request) => this.inbound.answer(request),
      onHeard: () => this.liveness.heard(),
      onUnreachable: (reason) => this.liveness.refused(reason),
      onMalformed: (reason) => {
        count('refused_publishes', { reason: 'malformed' })
        log.warn({ reason }, 'refused a malformed SIP message of Asterisk')
      },
    })
  }

  /** The PBX's own EID, once it is known. */
  get entityId(): EntityId | undefined {
    return this.identity.eid
  }

  /**
   * Binds the socket and begins to look for Asterisk, without waiting for it.
   * @throws {RangeError} where `listen` is not loopback and that was not allowed; else the error of the bind.
   */
  async start(): Promise<void> {
    const { listen, allowNonLoopback } = this.options
    if (!isLoopback(listen.host) && !allowNonLoopback) {
      throw new RangeError(
        `failed to listen for SIP on ${listen.host}: not a loopback address; allow it explicitly`,
      )
    }
    await this.agent.start()
    this.state = 'running'
    this.liveness.start()
  }

  /** Un-publishes what Asterisk holds of us, for at most 1 s, and closes the socket. What was injected stays. */
  async stop(): Promise<void> {
    if (this.state !== 'running') return
    this.state = 'stopping'
    if (this.liveness.isHeard) await this.publications.remove()
    this.state = 'stopped'
    this.liveness.stop()
    this.foreign.stop()
    await this.agent.stop()
  }

  /** Performs a command; its answer is posted, at once where Asterisk is known to be lost. */
  perform(command: AsteriskCommand): void {
    const { post } = this.options
    switch (command.do) {
      case 'refresh': {
        const { kind, token } = command
        this.publications.publish('control', kind, this.refreshBody(), (failure) => {
          const taken = failure ? undefined : this.publications.taken('control', kind)
          const how = { ...(failure && { failure }), ...(taken !== undefined && { taken }) }
          post({ type: 'RefreshAnswered', kind, token, ...how })
        })
        return
      }
      case 'fence':
        this.sendFence(command.kind, command.nonce)
        return
      case 'inject': {
        const { lane, eid, entry } = command
        this.publications.publish(`lane-${lane}`, entry.kind, encodeState(eid, entry), (failure) =>
          post({ type: 'InjectionAnswered', lane, ...(failure && { failure }) }),
        )
        return
      }
    }
  }

  private refreshBody(): string {
    return encodeRefresh(this.entityId ?? placeholderEntityId)
  }

  private sendFence(kind: Kind, nonce: number): void {
    const eid = this.entityId
    const { log, count, post } = this.options
    const fail = (failure: Failure): void => {
      count('failed_fences', { kind })
      log.warn({ kind, nonce, ...failure }, 'failed to send the fence to Asterisk')
      post({ type: 'FenceFailed', kind, nonce, failure })
    }
    if (eid === undefined) {
      fail({ condition: 'no-eid', reason: 'the EID is not known yet', isTemporary: true })
      return
    }
    const body = encodeState(eid, fenceEntry(kind, nonce))
    this.publications.publish('control', kind, body, (failure) => {
      if (failure) fail(failure)
    })
  }

  private ping(): void {
    this.cancelPing()
    // Whatever it says is life, and the agent has told liveness of it.
    this.cancelPing = this.agent.ping((outcome) => {
      if (outcome.type === 'response') this.learnVersion(outcome.response)
    })
    if (!this.liveness.isFound) return
    // Not their CSeq, which those by the connection share.
    const isDue = ++this.pingCount % pingsToTend === 0
    if (isDue || this.agent.isConnectionUnproven) this.agent.tendConnection()
  }

  private nextPing(): OutgoingRequest {
    return {
      method: 'OPTIONS',
      callId: this.pingCallId,
      fromTag: this.pingTag,
      sequence: ++this.pingSequence,
      fields: [['Accept', 'application/json']],
    }
  }

  /** Where Asterisk was in doubt, it is heard at once; where it has died, the datagram is refused at once. */
  private tellWay(way: 'TCP' | 'UDP', why: { readonly reason?: string } = {}): void {
    const { log } = this.options
    log.info({ asterisk: this.uri, ...why }, `Asterisk is given states by ${way}`)
    this.ping()
  }

  /** What Asterisk calls itself (`user_agent` of its pjsip.conf); for humans, so one that is no name is left out. */
  private learnVersion({ headers }: SipResponse): void {
    const version = headers.get('server') ?? headers.get('user-agent')
    if (version === undefined || version === this.version || !isName(version)) return
    // Whoever else answers says nothing to the cluster.
    if (!this.liveness.isProven) return
    this.version = version
    this.options.post({ type: 'AsteriskVersionLearnt', version })
  }

  /** Somebody answers on Asterisk's port. */
  private hear(): void {
    if (this.state !== 'running') return
    this.options.health('asterisk')
    this.quest.restart()
    if (this.entityId !== undefined) this.proofQuest.restart(this.entityId)
  }

  /** What a PUBLISH of Asterisk would show: one is asked for. */
  private askForProof(): void {
    if (this.state !== 'running') return
    if (this.entityId === undefined) this.quest.ask()
    else this.proofQuest.ask(this.entityId)
  }

  private proven(kind: Kind): void {
    this.proofQuest.proven(kind)
    this.liveness.proven()
  }

  /** With the connection Asterisk may have ended, and another may have its port by now. */
  private disconnected(reason: string): void {
    this.tellWay('UDP', { reason })
    this.inbound.forget()
    this.liveness.doubt()
    if (this.entityId !== undefined) this.proofQuest.restart(this.entityId)
  }

  private tellUnproven(): void {
    // While the EID is not known that says more.
    if (this.entityId === undefined) return
    const { host, port } = this.options.asterisk
    this.options.health(
      'asterisk-unproven',
      `whoever answers at ${bracketed(host)}:${port} has not shown Asterisk's password, and is given no states of other ` +
        `members: are the passwords on both sides the same? ${reviveOutflow}. Where Asterisk does not run, another program has ` +
        `its port (ss -lunp)`,
    )
  }

  private learn(eid: EntityId): void {
    this.quest.end()
    this.options.onEntityIdLearnt(eid)
  }

  private tellAbsence(reason: string): void {
    const { host, port } = this.options.asterisk
    const where = `${bracketed(host)}:${port}`
    this.options.health(
      'asterisk',
      `Asterisk does not answer at ${where}: ${reason}; start it, or correct asterisk.sip.asterisk, which is to be the ` +
        `address of its UDP transport`,
    )
  }

  private find(): void {
    if (this.state !== 'running') return
    this.options.log.info({ asterisk: this.uri }, 'Asterisk answers')
    this.options.health('asterisk-unproven')
    this.options.post({ type: 'AsteriskFound' })
    this.agent.tendConnection()
  }

  private lose(reason: string, wasFound: boolean): void {
    if (this.state !== 'running') return
    this.inbound.forget()
    if (this.liveness.isHeard) {
      this.tellUnproven()
    } else {
      this.options.health('asterisk-unproven')
      this.tellAbsence(reason)
    }
    if (wasFound) this.options.log.warn({ asterisk: this.uri, reason }, 'Asterisk is lost')
    // Whatever refused or was mute is gone.
    this.options.health('asterisk-refuses')
    this.quest.end()
    if (wasFound) this.options.post({ type: 'AsteriskLost', reason })
    // First what waits, else each failure would send the next.
    this.publications.reset(reason)
    this.agent.lost(reason)
  }
}
