/** A TCP proxy on the loopback that cuts connections as a broken network does: without a FIN, without a word. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { claimPort } from './scratch.js'

export type Direction = 'toServer' | 'toClient'

const bothWays: readonly Direction[] = ['toServer', 'toClient']

interface Link {
  readonly client: Socket
  readonly server: Socket
  /** Ways on which bytes were swallowed: a stream with a hole in it can carry nothing any more. */
  readonly broken: Set<Direction>
}

export class TcpProxy {
  readonly #links = new Set<Link>()
  readonly #cut = new Set<Direction>()
  #server: Server | undefined

  constructor(
    /** Where it listens. */
    readonly port: number,
    /** Where it leads to, on the loopback. */
    private readonly targetPort: number,
  ) {}

  /** Starts one on a port of its own, or on the one that was claimed for it. */
  static async start(targetPort: number, port?: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port ?? (await claimPort()), targetPort)
    await proxy.start()
    return proxy
  }

  start(): Promise<void> {
    const server = createServer((client) => this.#accept(client))
    this.#server = server
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.port, '127.0.0.1', resolve)
    })
  }

  /** Swallows what is sent one way, or both ways; new connections are accepted, and as mute. */
  cut(directions: readonly Direction[] = bothWays): void {
    for (const direction of directions) this.#cut.add(direction)
  }

  /** New connections pass again; those that lost something stay mute until their ends give up. */
  heal(): void {
    this.#cut.clear()
  }

  /** Ends every connection at once, with an RST at both ends; new ones pass. */
  reset(): void {
    for (const { client, server } of this.#links) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    const closed = new Promise((resolve) => server.close(resolve))
    for (const link of this.#links) {
      link.client.destroy()
      link.server.destroy()
    }
    await closed
  }

  #accept(client: Socket): void {
    const link: Link = {
      client,
      server: connect(this.targetPort, '127.0.0.1'),
      broken: new Set(),
    }
    this.#links.add(link)
    this.#lead(link, client, link.server, 'toServer')
    this.#lead(link, link.server, client, 'toClient')
  }

  #lead(link: Link, from: Socket, to: Socket, direction: Direction): void {
    from.setNoDelay(true)
    from.on('error', () => undefined) // `close` follows
    from.on('data', (octets) => {
      if (this.#swallows(link, direction)) return
      if (to.write(octets)) return
      from.pause()
      to.once('drain', () => from.resume())
    })
    from.on('close', () => {
      if (link.client.destroyed && link.server.destroyed) this.#links.delete(link)
      // An end that goes while the way is cut goes unheard of.
      if (this.#swallows(link, direction)) return
      to.end()
      to.destroySoon()
    })
  }

  #swallows(link: Link, direction: Direction): boolean {
    if (this.#cut.has(direction)) link.broken.add(direction)
    return link.broken.has(direction)
  }
}
