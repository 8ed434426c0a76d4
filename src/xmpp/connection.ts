import { EventEmitter } from 'node:events'
import type { IqCallee } from '@xmpp/iq/callee.js'
import xml, { type Element } from '@xmpp/xml'
import { Backoff, sleep, type BackoffOptions } from './backoff.js'
import { isHopeful } from './conditions.js'
import { Disconnected, StanzaError, StreamFailure } from './errors.js'
import { domainOf } from './jid.js'
import { scramOnly, type SaslPolicy } from './sasl/authenticate.js'
import { parseServiceUri, type ServiceUri } from './service-uri.js'
import { SilenceDetector } from './silence.js'
import { moveStatus, type ConnectionStatus } from './status.js'
import { XmppStream } from './stream.js'
import type { TlsPolicy } from './tls.js'

/** The part of pino's logger that the edge uses. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface ConnectionOptions {
  /** `xmpp://` or `xmpps://` URIs of the servers of one domain, tried in turn. */
  readonly services: readonly string[]
  /** Bare JID of the account. */
  readonly jid: string
  /** Asked for as is: the Asterisk's entity ID (rule 20). */
  readonly resource: string
  /** Asked at every connect, so that it can be changed while the bridge runs. */
  readonly password: () => string
  readonly tls: TlsPolicy
  /** SCRAM only, and nothing is remembered, unless told otherwise. */
  readonly sasl?: SaslPolicy
  /** Nothing received for half of it: ping (XEP-0199); for all of it: the stream is ended (rule 23). */
  readonly silenceLimitMs: number
  /** What is waited after another bridge took this JID (rule 20: `stale_after`). */
  readonly conflictWaitMs: number
  /** What is waited after the server first refused the credentials, and then longer; 5 min unless told otherwise. */
  readonly credentialsWaitMs?: number
  /** From connecting to the bound resource; 10 s unless told otherwise. */
  readonly connectTimeoutMs?: number
  readonly backoff?: Partial<BackoffOptions>
  readonly log: Log
}

/** An incoming IQ get or set. */
export interface IqRequest {
  readonly from: string
  readonly payload: Element
}

/** Gives the payload of the result, if it has one; throws `StanzaError` for an error. */
export type IqHandler = (request: IqRequest) => Promise<Element | undefined>

interface ConnectionEvents {
  status: [ConnectionStatus]
  /** The full JID; initial presence has been sent. */
  online: [string]
  /** Once for every `online`, before pending requests are rejected. */
  offline: [StreamFailure]
  /** The end of a stream, or an attempt that failed in another way than the last one at that service. */
  failed: [StreamFailure]
  /** Another client took the JID or holds it, or its account was removed. */
  conflicted: [StreamFailure]
  message: [Element]
  presence: [Element]
}

interface Registration {
  readonly type: 'get' | 'set'
  readonly namespace: string
  readonly name: string
  readonly handler: IqHandler
}

const stanzasNamespace = 'urn:ietf:params:xml:ns:xmpp-stanzas'
const pingNamespace = 'urn:xmpp:ping'

/**
 * COMPAT ejabberd: mod_fail2ban bans an address after 20 wrong passwords, and forgets them an hour, or up to 10 minutes more,
 * after the last one. So the wait grows threefold, to more than that: four fall within one count, however long it goes on.
 */
const firstCredentialsWaitMs = 5 * 60_000
const credentialsGrowth = 3
const maxCredentialsWaitMs = 75 * 60_000

/** A server that cannot be reached is tried at least this often, ms: bridges that find it again far apart find each other absent. */
const unreachedCapMs = 5_000

/** A stream that lived shorter than this, in ms, does not start the backoff afresh: else a server could be stormed. */
const stableMs = 10_000

/** The attempts since the last wait or stream. The list is through when each service has failed. */
interface Round {
  failures: number
  /** Has any failed in a way that may pass by itself? */
  isHopeful: boolean
  /** Has any taken the connection? */
  isReached: boolean
  /** Has any refused the credentials? */
  isUnwelcome: boolean
}

const newRound = (): Round => ({
  failures: 0,
  isHopeful: false,
  isReached: false,
  isUnwelcome: false,
})

/** Keeps one XMPP account online: connects, watches, and connects again, until it is stopped. */
export class XmppConnection extends EventEmitter<ConnectionEvents> {
  private readonly services: readonly ServiceUri[]
  private readonly backoff: Backoff
  /** For as long as no server is reached. A server that is back begins with a fresh `backoff`. */
  private readonly search: Backoff
  private readonly silence: SilenceDetector
  private readonly registrations: Registration[] = []
  private readonly stopping = new AbortController()
  /** Of the present attempt: aborted, no wait follows it. */
  private retry = new AbortController()
  /** The wait is for another bridge, as far as is known (rule 20). */
  private isConflictWait = false
  private current: ConnectionStatus = { state: 'offline' }
  private stream: XmppStream | undefined
  private running: Promise<void> | undefined
  private turn = 0
  private onlineSince = 0
  private round = newRound()
  /** How often the credentials were refused since they were last taken, or changed. */
  private refusals = 0
  /** What went wrong last at each service, so that the same is told once. */
  private readonly toldConditions = new Map<string, string>()

  constructor(private readonly options: ConnectionOptions) {
    super()
    if (options.services.length === 0) throw new TypeError('no XMPP service to connect to')
    this.services = options.services.map(parseServiceUri)
    const backoff = { firstMs: 500, capMs: 30_000, random: Math.random, ...options.backoff }
    this.backoff = new Backoff(backoff)
    this.search = new Backoff({ ...backoff, capMs: Math.min(backoff.capMs, unreachedCapMs) })
    this.silence = new SilenceDetector({
      limitMs: options.silenceLimitMs,
      ping: () => this.ping(),
      onSilence: () => this.endStream(`nothing received for ${options.silenceLimitMs} ms`),
    })
    // XEP-0199 §4.2: a ping is answered with an empty result.
    this.handle('get', pingNamespace, 'ping', () => Promise.resolve(undefined))
  }

  get status(): ConnectionStatus {
    return this.current
  }

  /** The full JID while online. */
  get jid(): string | undefined {
    return this.current.state === 'online' ? this.current.jid : undefined
  }

  /** Registers what answers incoming IQs; before `start`. */
  handle(type: 'get' | 'set', namespace: string, name: string, handler: IqHandler): void {
    this.registrations.push({ type, namespace, name, handler })
  }

  /** Begins to connect; a stopped connection cannot be started again. */
  start(): void {
    if (this.stopping.signal.aborted) throw new Error('a stopped connection cannot start again')
    this.running ??= this.run()
  }

  /** Ends the stream as the RFC has it, or whatever attempt or wait there is, and stays offline. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await this.stream?.close('stopped')
    await this.running
    if (this.current.state !== 'stopped') this.move({ state: 'stopped' })
  }

  /** Sends an IQ and gives the result stanza; throws `StanzaError`, `RequestTimeout` or `Disconnected`. */
  request(to: string, type: 'get' | 'set', payload: Element, timeoutMs: number): Promise<Element> {
    if (this.stream === undefined) return Promise.reject(new Disconnected(this.current.state))
    return this.stream.request(to, type, payload, timeoutMs)
  }

  /** Sends a stanza that has no answer. Offline it is dropped: a resync follows every connect. */
  send(stanza: Element): void {
    this.stream?.send(stanza)
  }

  /** Ends the present stream, if any, at once; a new one is opened. */
  endStream(reason: string): void {
    this.stream?.end(new StreamFailure('silent', reason))
  }

  /**
   * Tries at once, and tells what fails anew: what the connection needs, its password say, has changed. A wait that another
   * bridge may be the cause of (rule 20) ends only with `evenInConflict`: it takes the JID from that one.
   */
  retryNow({ evenInConflict = false } = {}): void {
    if (this.current.state === 'online' || (this.isConflictWait && !evenInConflict)) return
    this.resetBackoffs()
    this.refusals = 0
    this.round = newRound()
    this.toldConditions.clear()
    // An attempt under way has the old password: it ends by itself, and no wait follows it.
    this.retry.abort()
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      this.retry = new AbortController()
      const delayMs = await this.live()
      await sleep(delayMs, AbortSignal.any([signal, this.retry.signal]))
      this.isConflictWait = false
    }
    if (this.current.state !== 'stopped') this.move({ state: 'stopped' })
  }

  /** One stream from its connection to its end; gives what is to be waited before the next, in ms. */
  private live(): Promise<number> {
    const service = this.services[this.turn % this.services.length]
    if (service === undefined) throw new RangeError('the turn is out of the list of services')
    const { jid, resource, tls, password, log } = this.options
    const { sasl = scramOnly, connectTimeoutMs = 10_000 } = this.options
    this.move({ state: 'connecting', service: service.href })
    return new Promise((resolve) => {
      const stream = new XmppStream({
        service,
        jid,
        resource,
        tls,
        sasl,
        connectTimeoutMs,
        password: password(),
        handlers: (callee) => this.registerHandlers(callee),
        onStanza: (stanza) => this.dispatch(stanza),
        onReceived: () => this.silence.received(),
        onFault: (error) => log.warn({ err: error }, 'failed to handle a stanza'),
        onPassedOver: (from, excess) => log.warn({ from, excess }, 'a stanza was too big'),
        onEnd: (failure) => resolve(this.ended(failure, service)),
      })
      this.stream = stream
      // A failure to open is told through onEnd, as every end is.
      stream.open().then(
        (fullJid) => this.opened(fullJid, service),
        () => undefined,
      )
    })
  }

  private opened(jid: string, service: ServiceUri): void {
    // It may have ended between the binding and this turn.
    if (this.stream?.isOnline !== true) return
    this.onlineSince = performance.now()
    this.refusals = 0
    this.toldConditions.clear()
    this.round = newRound()
    this.move({ state: 'online', service: service.href, jid })
    this.options.log.info({ service: service.href, jid }, 'connected to the XMPP server')
    this.silence.start()
    // Rule 20: no message meant for a human is routed to a bridge.
    this.send(xml('presence', {}, xml('priority', {}, '-1')))
    this.emit('online', jid)
  }

  private ended(failure: StreamFailure, service: ServiceUri): number {
    const wasOnline = this.current.state === 'online'
    this.silence.stop()
    this.stream = undefined
    const isStopping = this.stopping.signal.aborted
    this.isConflictWait = failure.reaction === 'conflict'
    // What was asked for before the conflict does not shorten the wait for it.
    if (this.isConflictWait) this.retry = new AbortController()
    const delayMs = isStopping ? 0 : this.delayAfter(failure, wasOnline)
    this.move(
      isStopping ? { state: 'stopped' } : { state: 'waiting', delayMs, reason: failure.message },
    )
    if (wasOnline) this.emit('offline', failure)
    if (!isStopping) this.tell(failure, service, delayMs)
    if (failure.reaction === 'conflict') this.emit('conflicted', failure)
    return delayMs
  }

  private resetBackoffs(): void {
    this.backoff.reset()
    this.search.reset()
  }

  /** Each call counts as one refusal. */
  private nextCredentialsWaitMs(): number {
    const firstMs = this.options.credentialsWaitMs ?? firstCredentialsWaitMs
    const waitMs = Math.min(firstMs * credentialsGrowth ** this.refusals, maxCredentialsWaitMs)
    this.refusals += 1
    return waitMs
  }

  /** Decides the next service and what is waited before it, in ms. The table is in conditions.ts. */
  private delayAfter({ reaction }: StreamFailure, wasOnline: boolean): number {
    if (reaction === 'conflict') return this.options.conflictWaitMs
    if (wasOnline) {
      if (performance.now() - this.onlineSince >= stableMs) this.resetBackoffs()
      if (reaction === 'next') this.turn = (this.turn + 1) % this.services.length
      if (reaction === 'credentials') return this.nextCredentialsWaitMs()
      return reaction === 'slow' ? this.backoff.slow() : this.backoff.next()
    }
    this.turn = (this.turn + 1) % this.services.length
    const { round } = this
    round.failures += 1
    round.isHopeful ||= isHopeful(reaction)
    round.isReached ||= reaction !== 'unreached'
    round.isUnwelcome ||= reaction === 'credentials'
    // The other servers of the list are tried before any waiting.
    if (round.failures < this.services.length) return 0
    this.round = newRound()
    // However hopeful the others are: each round is one more wrong password there.
    if (round.isUnwelcome) return this.nextCredentialsWaitMs()
    if (!round.isHopeful) return this.backoff.slow()
    return (round.isReached ? this.backoff : this.search).next()
  }

  /** Says each trouble of a service once, until it is over or another takes its place. */
  private tell(failure: StreamFailure, { href }: ServiceUri, delayMs: number): void {
    const { log, jid } = this.options
    const fields = {
      jid,
      service: href,
      condition: failure.condition,
      reason: failure.message,
      remedy: failure.remedy,
      delayMs: Math.round(delayMs),
    }
    if (this.toldConditions.get(href) === failure.condition) {
      log.debug(fields, 'still not connected to the XMPP server')
      return
    }
    this.toldConditions.set(href, failure.condition)
    this.emit('failed', failure)
    if (failure.isTemporary) log.warn(fields, 'not connected to the XMPP server')
    else log.error(fields, 'the XMPP server does not take this bridge')
  }

  private dispatch(stanza: Element): void {
    if (stanza.name === 'message') this.emit('message', stanza)
    else if (stanza.name === 'presence') this.emit('presence', stanza)
  }

  private registerHandlers(callee: IqCallee): void {
    for (const { type, namespace, name, handler } of this.registrations) {
      callee[type](namespace, name, async ({ stanza, element }) => {
        try {
          const { from } = stanza.attrs
          if (from === undefined || element === undefined || this.jid === undefined) {
            throw new StanzaError('resource-constraint', 'wait')
          }
          return (await handler({ from, payload: element })) ?? true
        } catch (error) {
          return toErrorElement(error)
        }
      })
    }
  }

  private ping(): void {
    const { jid, silenceLimitMs } = this.options
    const payload = xml('ping', { xmlns: pingNamespace })
    // Any answer is a sign of life, an error too, and silence is found without its help.
    this.request(domainOf(jid), 'get', payload, silenceLimitMs).catch(() => undefined)
  }

  private move(to: ConnectionStatus): void {
    this.current = moveStatus(this.current, to)
    this.emit('status', to)
  }
}

function toErrorElement(error: unknown): Element {
  const { condition, type } =
    error instanceof StanzaError ? error : new StanzaError('internal-server-error', 'cancel')
  return xml('error', { type }, xml(condition, { xmlns: stanzasNamespace }))
}
