/** A TLS proxy on the loopback that ends the client's TLS with a certificate of its own, and reads all: a load balancer, or an attacker. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Server, type TLSSocket } from 'node:tls'
import type { Certificate } from './ca.js'
import { claimPort } from './scratch.js'

export interface TlsProxyOptions {
  readonly certificate: Certificate
  /** Of the server's direct TLS, on the loopback. */
  readonly targetPort: number
  readonly caFile: string
  /** What the client gets in place of what the server said; each read is one text. */
  readonly rewrite?: (text: string) => string
}

export class TlsProxy {
  /** What clients have said so far. */
  overheard = ''
  readonly #sockets = new Set<TLSSocket>()

  private constructor(
    readonly port: number,
    private readonly server: Server,
  ) {}

  static async start(options: TlsProxyOptions): Promise<TlsProxy> {
    const { certificate } = options
    const server = createServer({
      cert: readFileSync(certificate.certFile),
      key: readFileSync(certificate.keyFile),
    })
    const proxy = new TlsProxy(await claimPort(), server)
    server.on('secureConnection', (client) => proxy.#lead(client, options))
    server.on('tlsClientError', () => undefined)
    server.listen(proxy.port, '127.0.0.1')
    await once(server, 'listening')
    return proxy
  }

  /** `xmpps://127.0.0.1:…` */
  get service(): string {
    return `xmpps://127.0.0.1:${this.port}`
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close')
    this.server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #lead(client: TLSSocket, { targetPort, caFile, rewrite }: TlsProxyOptions): void {
    const target = connect({
      ...{ port: targetPort, host: '127.0.0.1', servername: 'example.org' },
      ca: readFileSync(caFile),
    })
    for (const socket of [client, target]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined) // `close` follows
    }
    client.on('data', (octets: Buffer) => {
      this.overheard += octets.toString()
      target.write(octets)
    })
    target.on('data', (octets: Buffer) => {
      client.write(rewrite === undefined ? octets : rewrite(octets.toString()))
    })
    client.on('close', () => target.destroy())
    target.on('close', () => client.destroySoon())
  }
}
