import type { PeerCertificate } from 'node:tls'
import iqCallee, { type IqCallee } from '@xmpp/iq/callee.js'
import iqCaller from '@xmpp/iq/caller.js'
import middleware, { type Middleware } from '@xmpp/middleware'
import resourceBinding from '@xmpp/resource-binding'
import streamFeatures from '@xmpp/stream-features'
import xml, { type Element } from '@xmpp/xml'
import { StreamClient } from './client.js'
import { AnswerTooBig, Disconnected, StreamFailure, toStreamFailure } from './errors.js'
import { answerBounds, stanzaBounds } from './framing.js'
import { domainOf, localOf } from './jid.js'
import { PendingRequests } from './requests.js'
import { authenticate, type SaslPolicy } from './sasl/authenticate.js'
import type { ServiceUri } from './service-uri.js'
import { startTls, tlsOptions, type TlsPolicy } from './tls.js'

/** Of XEP-0077 §6. */
const registerFeature = 'http://jabber.org/features/iq-register'
const streamsNamespace = 'http://etherx.jabber.org/streams'

/** How long the server may take to close its side after we closed ours, in ms. */
const closeTimeoutMs = 1000

export interface StreamOptions {
  readonly service: ServiceUri
  /** Bare JID of the account. */
  readonly jid: string
  readonly resource: string
  readonly password: string
  readonly tls: TlsPolicy
  readonly sasl: SaslPolicy
  /** From the start of the connection until the resource is bound. */
  readonly connectTimeoutMs: number
  /** Registers the handlers of incoming IQs. */
  readonly handlers: (callee: IqCallee) => void
  readonly onStanza: (stanza: Element) => void
  readonly onReceived: () => void
  /** Called once, before pending requests are rejected. */
  readonly onEnd: (failure: StreamFailure) => void
  /** A fault that does not end the stream, such as a handler that threw. */
  readonly onFault: (error: Error) => void
  /** A stanza was dropped as it came: who sent it, where that can be told, and what it has too much of. */
  readonly onPassedOver: (from: string, excess: string) => void
}

/** One XMPP stream from its connection to its end; never used again after that. No stream management (rule 20). */
export class XmppStream {
  private readonly client: StreamClient
  private readonly domain: string
  private readonly requests = new PendingRequests()
  /** Anybody may register an account there (XEP-0077). */
  offersRegistration = false
  private watchdog: NodeJS.Timeout | undefined
  private boundJid: string | undefined
  private failure: StreamFailure | undefined
  private settleOpening: ((failure: StreamFailure | undefined) => void) | undefined

  constructor(private readonly options: StreamOptions) {
    this.domain = domainOf(options.jid)
    this.client = new StreamClient({
      service: options.service,
      domain: this.domain,
      timeoutMs: options.connectTimeoutMs,
      directTls: () => tlsOptions(options.tls, this.domain),
      onReceived: options.onReceived,
      boundsOf: (head) => (this.answered(head) === undefined ? stanzaBounds : answerBounds),
      passedOver: (head, excess) => this.onPassedOver(head, excess),
    })
  }

  /** Connects, secures, authenticates and binds; gives the full JID, or throws `StreamFailure`. */
  open(): Promise<string> {
    const { client, options } = this
    this.negotiate()
    client.on('error', (error: unknown) => this.onError(error))
    client.on('online', () => this.onOnline())
    client.on('stanza', (stanza: Element) => this.onStanza(stanza))
    client.on('close', () => this.end(new StreamFailure('closed', 'the server closed the stream')))
    client.on('disconnect', () => this.end(this.lost()))
    this.watchdog = setTimeout(() => this.end(this.silence()), options.connectTimeoutMs)
    return new Promise((resolve, reject) => {
      this.settleOpening = (failure) => {
        if (failure === undefined) resolve(this.jid)
        else reject(failure)
      }
      client.openStream().catch((error: unknown) => this.onError(error))
    })
  }

  /** The full JID; empty before the resource is bound. */
  get jid(): string {
    return this.boundJid ?? ''
  }

  /** What the server showed, where TLS is used. */
  get certificate(): PeerCertificate | undefined {
    return this.client.certificate
  }

  get isOnline(): boolean {
    return this.boundJid !== undefined && this.failure === undefined
  }

  /** Sends an IQ and gives its result; throws `StanzaError`, `RequestTimeout` or `Disconnected`. */
  request(to: string, type: 'get' | 'set', payload: Element, timeoutMs: number): Promise<Element> {
    if (!this.isOnline)
      return Promise.reject(new Disconnected(this.failure?.message ?? 'not online'))
    const id = this.requests.nextId()
    const answer = this.requests.await(id, to, timeoutMs)
    this.client.send(xml('iq', { type, to, id }, payload)).catch((error: unknown) => {
      this.requests.fail(id, new Disconnected(toStreamFailure(error).message))
    })
    return answer
  }

  /** Sends a stanza that has no answer; dropped where the stream has ended. */
  send(stanza: Element): void {
    if (!this.isOnline) return
    // A write that fails ends the stream, which tells everybody.
    this.client.send(stanza).catch((error: unknown) => this.onError(error))
  }

  /** Closes the stream as RFC 6120 §4.4 has it: our end tag, the server's, then the socket. */
  async close(reason: string): Promise<void> {
    if (this.failure !== undefined) return
    if (this.isOnline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, closeTimeoutMs)
        const done = (): void => {
          clearTimeout(timer)
          resolve()
        }
        this.client.once('close', done)
        this.client.once('disconnect', done)
        this.client.write('</stream:stream>').catch(done)
      })
    }
    this.end(new StreamFailure('closed', reason))
  }

  /** Ends the stream without more words, and everything that waits for it. */
  end(failure: StreamFailure): void {
    if (this.failure !== undefined) return
    this.failure = failure
    clearTimeout(this.watchdog)
    this.settleOpening?.(failure)
    this.options.onEnd(failure)
    this.requests.rejectAll(failure.message)
    // Where the server has closed it gets our end tag; where it is mute, destroying must not wait for it.
    this.client.destroySockets(failure.condition === 'closed')
  }

  private negotiate(): void {
    const { client, options } = this
    const parts = middleware({ entity: client })
    const features = streamFeatures({ middleware: parts })
    this.noteRegistration(parts)
    this.demandTls(parts)
    startTls(features, options.tls, this.domain)
    authenticate(features, {
      ...options.sasl,
      client,
      credentials: { username: localOf(options.jid), password: options.password },
      service: `${this.domain} ${options.service.href}`,
    })
    resourceBinding(
      { iqCaller: iqCaller({ entity: client, middleware: parts }), streamFeatures: features },
      options.resource,
    )
    options.handlers(iqCallee({ entity: client, middleware: parts }))
  }

  /** What it says before anybody has logged in; over TLS, as servers show more there. */
  private noteRegistration(parts: Middleware): void {
    parts.use(({ stanza }, next) => {
      if (stanza.is('features', streamsNamespace)) {
        this.offersRegistration ||= stanza.getChild('register', registerFeature) !== undefined
      }
      return next()
    })
  }

  /** Before anything else is negotiated, so that no password is said in clear text. */
  private demandTls(parts: Middleware): void {
    if (this.options.tls.mode === 'insecure') return
    parts.use(({ stanza, entity }, next) => {
      const isClearOffer =
        stanza.is('features', streamsNamespace) &&
        !entity.isSecure() &&
        stanza.getChild('starttls', 'urn:ietf:params:xml:ns:xmpp-tls') === undefined
      if (isClearOffer) {
        throw new StreamFailure('tls-unavailable', 'the server offers no STARTTLS')
      }
      return next()
    })
  }

  /** Nobody took the connection, or whoever took it stays mute. */
  private silence(): StreamFailure {
    const { service, connectTimeoutMs } = this.options
    return this.client.isReached
      ? new StreamFailure('timeout', `${service.href} did not answer within ${connectTimeoutMs} ms`)
      : new StreamFailure(
          'ETIMEDOUT',
          `no connection to ${service.href} within ${connectTimeoutMs} ms`,
        )
  }

  /** The connection ended. Where nothing came, nobody may be there but a proxy that takes connections for a server. */
  private lost(): StreamFailure {
    return this.client.isHeard
      ? new StreamFailure('closed', 'the connection was lost')
      : new StreamFailure('unanswered', 'the connection ended before the server said anything')
  }

  private onOnline(): void {
    if (this.failure !== undefined) return
    clearTimeout(this.watchdog)
    this.boundJid = this.client.jid?.toString() ?? ''
    this.client.bound()
    this.settleOpening?.(undefined)
  }

  private onStanza(stanza: Element): void {
    // Before the caller knows of the stream there is nobody for it; a resync follows every connect.
    if (!this.isOnline) return
    const { type } = stanza.attrs
    if (stanza.name === 'iq') {
      if (type === 'result' || type === 'error') this.requests.settle(stanza, this.jid)
      return
    }
    try {
      this.options.onStanza(stanza)
    } catch (error) {
      this.options.onFault(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** The id of the request that such a stanza answers. */
  private answered(head: string): string | undefined {
    const { name, id } = readStartTag(head)
    return name === 'iq' && id !== undefined && this.requests.isPending(id) ? id : undefined
  }

  private onPassedOver(head: string, excess: string): void {
    const { from = '' } = readStartTag(head)
    const id = this.answered(head)
    if (id === undefined) this.options.onPassedOver(from, excess)
    else this.requests.fail(id, new AnswerTooBig(from, excess))
  }

  /** Until the resource is bound every error ends the attempt; afterwards only those of the stream and its socket. */
  private onError(error: unknown): void {
    if (this.failure !== undefined) return
    const isReset = error instanceof Error && 'code' in error && error.code === 'ECONNRESET'
    const failure = isReset && !this.client.isHeard ? this.lost() : toStreamFailure(error)
    const isXmlError = failure.condition === 'not-well-formed'
    const isSocketError = error instanceof Error && 'code' in error
    if (!this.isOnline || error instanceof StreamFailure || isXmlError || isSocketError) {
      this.end(failure)
    } else {
      this.options.onFault(failure)
    }
  }
}

/** Of a stanza that is not parsed; what it says is no more believed than the rest of it. */
function readStartTag(head: string): { name?: string; id?: string; from?: string } {
  const [tag = '', name = ''] = /^<([^\s/>]+)[^>]*/.exec(head) ?? []
  const attribute = (key: string): string | undefined =>
    new RegExp(`\\s${key}=(["'])(.*?)\\1`).exec(tag)?.[2]
  const [id, from] = [attribute('id'), attribute('from')]
  return { name, ...(id !== undefined && { id }), ...(from !== undefined && { from }) }
}
