/** The connection beside the datagrams. */
import { connect, isIPv6, type Socket } from 'node:net'
import { Framer } from './framer.js'
import type { HostPort } from './message.js'
import { isSameUser } from './socket-owner.js'
import { isLoopback } from './transport.js'

export interface StreamHandlers {
  /** Connected, from that own address. */
  readonly onOpen: (local: HostPort) => void
  readonly onMessage: (message: Buffer) => void
  /** The connection is over, or could not be had. */
  readonly onClosed: (reason: string) => void
}

/**
 * Is the connection's other end of the user who has the UDP port of that number? `unknown`: the system does not say;
 * `elsewhere`: it is not on this machine.
 */
export type PortOwner = 'same' | 'another' | 'unknown' | 'elsewhere'

/** What carries the own requests where Asterisk listens for connections too; it is told when to try. */
export interface StreamTransport {
  /** Connects from that own address, which Asterisk admits, unless that is done or under way. */
  connect(from: string, handlers: StreamHandlers): void
  send(message: Buffer): void
  /** Tells whose program has the other end. */
  identify(tell: (owner: PortOwner) => void): void
  /** Ends the connection; `onClosed` is not called for it. */
  close(): void
}

export class TcpTransport implements StreamTransport {
  private socket: Socket | undefined
  private isCorked = false

  constructor(private readonly asterisk: HostPort) {}

  connect(from: string, handlers: StreamHandlers): void {
    if (this.socket) return
    const { host, port } = this.asterisk
    const framer = new Framer()
    const family = isIPv6(from) ? 6 : 4
    const socket = connect({ host, port, localAddress: from, family, noDelay: true })
    this.socket = socket
    let reason = 'Asterisk closed the connection'
    socket.on('connect', () =>
      handlers.onOpen({ host: socket.localAddress ?? from, port: socket.localPort ?? 0 }),
    )
    socket.on('data', (chunk) => {
      let messages: Buffer[] = []
      try {
        messages = framer.take(chunk)
      } catch (error) {
        socket.destroy(error as Error)
      }
      for (const message of messages) handlers.onMessage(message)
    })
    socket.on('error', (error) => {
      reason = error.message
    })
    socket.on('close', () => {
      if (this.socket !== socket) return
      this.socket = undefined
      handlers.onClosed(reason)
    })
  }

  identify(tell: (owner: PortOwner) => void): void {
    const { socket } = this
    const { localAddress: host, localPort: port } = socket ?? {}
    if (host === undefined || port === undefined) return tell('unknown')
    if (!isLoopback(this.asterisk.host)) return tell('elsewhere')
    isSameUser({ host, port }, this.asterisk.port).then(
      (isSame) => tell(isSame === undefined ? 'unknown' : isSame ? 'same' : 'another'),
      () => tell('unknown'),
    )
  }

  /** What is sent in one turn goes out at once: in a burst Asterisk then reads many requests whenever it wakes up. */
  send(message: Buffer): void {
    const { socket } = this
    if (!socket) return
    if (!this.isCorked) {
      this.isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.isCorked = false
        socket.uncork()
      })
    }
    socket.write(message)
  }

  close(): void {
    const { socket } = this
    this.socket = undefined
    // resetAndDestroy() would wait until it is connected, and `onOpen` be called.
    if (socket?.connecting) socket.destroy()
    // What this side has not sent yet is not to come behind what goes by another way.
    else socket?.resetAndDestroy()
  }
}
