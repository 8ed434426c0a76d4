/** An XMPP server of a few lines, to say what no real one would. */
import { EventEmitter, once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'

const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='example.org' id='1' version='1.0'>`
const mechanisms = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`
const bind = `<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>`

/** The server's end of one connection. */
export class FakePeer {
  /** All that the client has sent. */
  transcript = ''
  private taken = 0
  private readonly changes = new EventEmitter()

  constructor(readonly socket: Socket) {
    socket.on('error', () => undefined)
    // What is written is a chunk of its own at the client.
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => {
      this.transcript += chunk.toString('utf8')
      this.changes.emit('change')
    })
  }

  /** Waits until the client has sent that, after what was waited for before. */
  async expect(pattern: RegExp): Promise<RegExpExecArray> {
    const signal = AbortSignal.timeout(5000)
    for (;;) {
      const match = pattern.exec(this.transcript.slice(this.taken))
      if (match !== null) {
        this.taken += match.index + match[0].length
        return match
      }
      await once(this.changes, 'change', { signal })
    }
  }

  write(text: string | Buffer): void {
    this.socket.write(text)
  }

  async offer(features: string): Promise<void> {
    await this.expect(/<stream:stream[^>]*>/)
    this.write(`${header}<stream:features>${features}</stream:features>`)
  }

  /** Authenticates the client, whatever it says, and binds its resource. */
  async bind(): Promise<void> {
    await this.offer(mechanisms)
    await this.expect(/<auth[^>]*>[^<]*<\/auth>/)
    this.write(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    await this.offer(bind)
    const [, id = ''] = await this.expect(/<iq [^>]*id="([^"]*)".*<\/iq>/)
    const jid = 'pbx-a@example.org/02:00:00:00:00:0a'
    this.write(
      `<iq type='result' id='${id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>${jid}</jid></bind></iq>`,
    )
  }

  /** Binds and hears that the client is there. */
  async login(): Promise<this> {
    await this.bind()
    await this.expect(/<presence[^>]*><priority>-1<\/priority><\/presence>/)
    return this
  }

  /** Ends the stream with an error. */
  fail(condition: string): void {
    this.socket.end(
      `<stream:error><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>`,
    )
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close')
  }
}

export class FakeServer {
  private readonly waiting: FakePeer[] = []
  private readonly all: FakePeer[] = []
  private readonly arrivals = new EventEmitter()

  private constructor(
    private readonly server: Server,
    private readonly scheme: string,
  ) {}

  static async listen(tls?: TlsOptions): Promise<FakeServer> {
    const server = tls === undefined ? createServer() : createTlsServer(tls)
    const fake = new FakeServer(server, tls === undefined ? 'xmpp' : 'xmpps')
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      const peer = new FakePeer(socket)
      fake.waiting.push(peer)
      fake.all.push(peer)
      fake.arrivals.emit('peer')
    })
    server.on('tlsClientError', () => undefined)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return fake
  }

  get uri(): string {
    return `${this.scheme}://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** The next connection of the client. */
  async accept(): Promise<FakePeer> {
    const signal = AbortSignal.timeout(5000)
    for (;;) {
      const peer = this.waiting.shift()
      if (peer !== undefined) return peer
      await once(this.arrivals, 'peer', { signal })
    }
  }

  close(): void {
    for (const { socket } of this.all) socket.destroy()
    this.server.close()
  }
}
