import type { Socket } from 'node:net'
import { type ConnectionOptions, type PeerCertificate, TLSSocket } from 'node:tls'
import { Client, type TransportSocket } from '@xmpp/client-core'
import tcp from '@xmpp/tcp'
import tls from '@xmpp/tls'
import type { Element, Parser } from '@xmpp/xml'
import { StreamFailure } from './errors.js'
import { Framing, type FramingOptions } from './framing.js'
import type { ServiceUri } from './service-uri.js'

/** How often the kernel probes an idle connection, in ms. */
const keepAliveMs = 30_000

const streamErrors = 'urn:ietf:params:xml:ns:xmpp-streams'

export interface StreamClientOptions extends Omit<FramingOptions, 'take'> {
  readonly service: ServiceUri
  /** Of the JID. */
  readonly domain: string
  /** How long a step of the negotiation may take, ms. */
  readonly timeoutMs: number
  readonly directTls: () => ConnectionOptions
  readonly onReceived: () => void
}

/** The stock client of one connection, with the faults of its sockets mended and bounds before its parser. */
export class StreamClient extends Client {
  private readonly sockets = new Set<TransportSocket | Socket>()
  private readonly framing: Framing
  /** First-level elements that the parser has given. */
  private parsed = 0
  private hasReceived = false
  /** Is the resource bound, so that all that is left are stanzas? */
  private isBound = false

  constructor(private readonly own: StreamClientOptions) {
    super({ domain: own.domain, service: own.service.href, timeout: own.timeoutMs })
    this.framing = new Framing({ ...own, take: (text) => this.parse(text) })
    tcp({ entity: this })
    tls({ entity: this })
  }

  /** Opens the socket and the stream; the negotiation of its features follows by itself. */
  async openStream(): Promise<void> {
    const { domain, service } = this.own
    const connected = this.connect(service.href)
    const raw = this.rawSocket()
    if (raw !== null) {
      this.keep(raw)
      // Nagle's algorithm held a request back for 65 ms (seen).
      raw.setNoDelay(true)
      raw.setKeepAlive(true, keepAliveMs)
    }
    await connected
    await this.open({ domain })
  }

  /** The account is let in, and the server has proved itself where the mechanism has it do so. */
  loggedIn(): void {
    this.framing.loggedIn()
  }

  /** The negotiation is over: from now on stanzas take the short way. */
  bound(): void {
    this.isBound = true
  }

  /** Writes a stanza; the stock client would parse its JIDs and run a chain of promises for filters that are not there. */
  override send(stanza: Element): Promise<void> {
    return this.isBound ? this.write(stanza.toString()) : super.send(stanza)
  }

  /** What the middleware has no part in goes straight to who listens to stanzas; requests are left to it. */
  override _onElement(element: Element): void {
    this.parsed += 1
    if (this.isBound && isForListener(element)) this.emit('stanza', element)
    else super._onElement(element)
  }

  /** Ends whatever sockets there are: at once, or after what was written has gone out. */
  destroySockets(isPolite: boolean): void {
    for (const socket of this.sockets) {
      if (!('destroy' in socket)) continue
      if (isPolite) socket.destroySoon()
      else socket.destroy()
    }
  }

  /** What the server showed, where the socket speaks TLS. */
  get certificate(): PeerCertificate | undefined {
    return this.tlsSocket?.getPeerCertificate()
  }

  /** The socket that speaks TLS, where one does. */
  get tlsSocket(): TLSSocket | undefined {
    const socket = this.rawSocket()
    return socket instanceof TLSSocket ? socket : undefined
  }

  /** Has the server taken the connection? */
  get isReached(): boolean {
    return this.rawSocket()?.connecting === false
  }

  /** Has anything come from the server? Whoever takes a connection for direct TLS may be one that ends it in the handshake. */
  get isHeard(): boolean {
    return this.hasReceived || (this.own.service.isDirectTls && this.isReached)
  }

  private rawSocket(): Socket | null {
    const { socket } = this
    if (socket === null) return null
    return 'destroy' in socket ? socket : socket.socket
  }

  /** A socket that is given up can still fail later, and an error without a listener ends the process. */
  private keep(socket: TransportSocket | Socket): void {
    if (this.sockets.has(socket)) return
    this.sockets.add(socket)
    socket.on('error', () => undefined)
  }

  override socketParameters(): object {
    const { host, port, isDirectTls } = this.own.service
    return isDirectTls ? { ...this.own.directTls(), host, port } : { host, port }
  }

  override _attachSocket(socket: TransportSocket): void {
    this.keep(socket)
    const raw = 'destroy' in socket ? socket : socket.socket
    if (raw !== null) this.keep(raw)
    super._attachSocket(socket)
  }

  override _attachParser(parser: Parser): void {
    this.framing.restart()
    super._attachParser(parser)
  }

  /** Data can come after the stream's end, and after it was given up; what is read may throw. */
  override _onData(chunk: Buffer): void {
    this.hasReceived = true
    this.own.onReceived()
    if (this.parser === null) return
    try {
      this.framing.read(chunk)
    } catch (error) {
      // Nothing more is read of a stream that has gone wrong.
      this._detachParser()
      this.emit('error', error)
    }
  }

  /** The parser is given what is whole, and must find it so too: else it would keep what it waits for. */
  private parse(text: string): void {
    const { parser } = this
    if (parser === null) return
    const expected = this.parsed + (parser.root === null ? 0 : 1)
    try {
      parser.write(text)
    } catch (cause) {
      throw new StreamFailure('not-well-formed', 'unreadable XML', { cause })
    }
    // It was let go at the end of the stream.
    if (this.parser !== parser) return
    if (parser.root === null || this.parsed !== expected) {
      throw new StreamFailure('not-well-formed', 'XML that is not well-formed')
    }
  }

  /** Stream errors end the stream, `see-other-host` too: the stock client would connect again by itself. */
  override _onStreamError(element: Element): void {
    const children = element.getChildElements().filter((child) => child.getNS() === streamErrors)
    const named = children.find((child) => !child.is('text'))
    const condition = named?.getName()
    // RFC 6120 §4.9.3.19: the host to see instead.
    const detail = named?.getText().slice(0, 200)
    const text = children
      .find((child) => child.is('text'))
      ?.getText()
      .slice(0, 200)
    this.emit(
      'error',
      new StreamFailure(
        condition ?? 'undefined-condition',
        `the server ended the stream: ${[condition, detail, text].filter((part) => part).join(', ')}`,
      ),
    )
  }
}

function isForListener({ name, attrs }: Element): boolean {
  if (name === 'message' || name === 'presence') return true
  return name === 'iq' && (attrs['type'] === 'result' || attrs['type'] === 'error')
}
