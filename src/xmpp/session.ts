import { EventEmitter } from 'node:events'
import type { PeerCertificate } from 'node:tls'
import type { Element } from '@xmpp/xml'
import type { StreamFailure } from './errors.js'
import { scramOnly, type SaslPolicy } from './sasl/authenticate.js'
import { parseServiceUri } from './service-uri.js'
import { XmppStream } from './stream.js'
import type { TlsPolicy } from './tls.js'

export interface SessionOptions {
  /** One `xmpp://` or `xmpps://` URI. */
  readonly service: string
  /** Bare JID of the account. */
  readonly jid: string
  /** Another than any bridge's: the server would end that one's stream. */
  readonly resource: string
  readonly password: string
  readonly tls: TlsPolicy
  /** SCRAM only, and nothing is remembered, unless told otherwise. */
  readonly sasl?: SaslPolicy
  /** From connecting to the bound resource; 10 s unless told otherwise. */
  readonly connectTimeoutMs?: number
}

const ignore = (): void => undefined

/**
 * A login for a few questions, beside the bridge's own. It sends no presence, so that neither a bridge with the same account
 * nor its peers hear of it, and it does not connect again.
 */
export class XmppSession extends EventEmitter<{ message: [Element]; ended: [StreamFailure] }> {
  readonly #stream: XmppStream

  private constructor({
    service,
    sasl = scramOnly,
    connectTimeoutMs = 10_000,
    ...options
  }: SessionOptions) {
    super()
    this.#stream = new XmppStream({
      ...options,
      service: parseServiceUri(service),
      sasl,
      connectTimeoutMs,
      handlers: ignore,
      onStanza: (stanza) => {
        if (stanza.name === 'message') this.emit('message', stanza)
      },
      onReceived: ignore,
      onEnd: (failure) => this.emit('ended', failure),
      onFault: ignore,
      onPassedOver: ignore,
    })
  }

  /** Connects, secures, authenticates and binds; throws `StreamFailure`, whose `remedy` says what can be done. */
  static async open(options: SessionOptions): Promise<XmppSession> {
    const session = new XmppSession(options)
    await session.#stream.open()
    return session
  }

  /** The full JID. */
  get jid(): string {
    return this.#stream.jid
  }

  /** What the server showed, where TLS is used; whether it is good was judged when the session was opened. */
  get certificate(): PeerCertificate | undefined {
    return this.#stream.certificate
  }

  /** The server lets anybody register an account (XEP-0077). */
  get offersRegistration(): boolean {
    return this.#stream.offersRegistration
  }

  /** Sends an IQ and gives the result stanza; throws `StanzaError`, `RequestTimeout` or `Disconnected`. */
  request(to: string, type: 'get' | 'set', payload: Element, timeoutMs: number): Promise<Element> {
    return this.#stream.request(to, type, payload, timeoutMs)
  }

  /** Ends the stream; may be called again. */
  close(): Promise<void> {
    return this.#stream.close('done')
  }
}
