import type { Socket } from 'node:net'
import { StringDecoder } from 'node:string_decoder'
import { type ConnectionOptions, type PeerCertificate, TLSSocket } from 'node:tls'
import { Client, type TransportSocket } from '@xmpp/client-core'
import tcp from '@xmpp/tcp'
import tls from '@xmpp/tls'
import type { Element } from '@xmpp/xml'
import { StreamFailure } from './errors.js'
import type { ServiceUri } from './service-uri.js'

/** How often the kernel probes an idle connection, in ms. */
const keepAliveMs = 30_000

const streamErrors = 'urn:ietf:params:xml:ns:xmpp-streams'

/** The stock client of one connection, with the faults of its sockets and parser mended. */
export class StreamClient extends Client {
  private readonly sockets = new Set<TransportSocket | Socket>()
  private decoder = new StringDecoder('utf8')
  /** Is the resource bound, so that all that is left are stanzas? */
  private isBound = false

  constructor(
    private readonly service: ServiceUri,
    domain: string,
    timeoutMs: number,
    private readonly directTls: () => ConnectionOptions,
    private readonly onReceived: () => void,
  ) {
    super({ domain, service: service.href, timeout: timeoutMs })
    tcp({ entity: this })
    tls({ entity: this })
  }

  /** Opens the socket and the stream; the negotiation of its features follows by itself. */
  async openStream(domain: string): Promise<void> {
    const connected = this.connect(this.service.href)
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
    const socket = this.rawSocket()
    return socket instanceof TLSSocket ? socket.getPeerCertificate() : undefined
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
    const { host, port, isDirectTls } = this.service
    return isDirectTls ? { ...this.directTls(), host, port } : { host, port }
  }

  override _attachSocket(socket: TransportSocket): void {
    this.keep(socket)
    const raw = 'destroy' in socket ? socket : socket.socket
    if (raw !== null) this.keep(raw)
    this.decoder = new StringDecoder('utf8')
    super._attachSocket(socket)
  }

  /** Characters can be split between chunks; data can come after the stream's end; bad XML throws. */
  override _onData(chunk: Buffer): void {
    this.onReceived()
    if (this.parser === null) return
    try {
      this.parser.write(this.decoder.write(chunk))
    } catch (cause) {
      this.emit('error', new StreamFailure('not-well-formed', 'unreadable XML', { cause }))
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
