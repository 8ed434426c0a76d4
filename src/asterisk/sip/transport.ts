/** The datagrams between this side and Asterisk. */
import { createSocket, type Socket } from 'node:dgram'
import { isIP, isIPv6 } from 'node:net'
import type { HostPort } from './message.js'

export interface TransportHandlers {
  readonly onDatagram: (datagram: Buffer) => void
  /** Nobody listens at the other end, or the system cannot reach it. */
  readonly onUnreachable: (reason: string) => void
}

/** What carries SIP to and from the one peer. */
export interface Transport {
  /** Resolves with the own address as the peer sees it; rejects where that cannot be bound. */
  open(handlers: TransportHandlers): Promise<HostPort>
  send(datagram: Buffer): void
  close(): Promise<void>
}

/**
 * One UDP socket, bound to `listen` and connected to Asterisk: the kernel drops what others send, and ICMP errors show as
 * ECONNREFUSED. Asterisk sends from the port that it listens on, and need not be there yet.
 */
export class UdpTransport implements Transport {
  private socket: Socket | undefined
  private onError: (error: Error) => void = () => undefined
  /** One function for all sends: only a callback is told of an error at once. */
  private readonly afterSend = (error: Error | null): void => {
    if (error) this.onError(error)
  }

  constructor(private readonly ends: { readonly listen: HostPort; readonly asterisk: HostPort }) {}

  async open({ onDatagram, onUnreachable }: TransportHandlers): Promise<HostPort> {
    const { listen, asterisk } = this.ends
    const socket = createSocket(isIPv6(listen.host) ? 'udp6' : 'udp4')
    this.socket = socket
    try {
      await bind(socket, listen)
    } catch (cause) {
      await this.close()
      const where = `${listen.host} port ${listen.port}`
      throw new Error(`failed to listen for SIP on ${where}: ${bindRemedy(cause)}`, { cause })
    }
    try {
      await connect(socket, asterisk)
    } catch (cause) {
      await this.close()
      const message =
        `failed to reach Asterisk at ${asterisk.host} port ${asterisk.port}: ${codeOf(cause)}; ` +
        `set asterisk.sip.asterisk to where it listens`
      throw new Error(message, { cause })
    }
    const remote = socket.remoteAddress()
    socket.on('message', (datagram, { address, port }) => {
      // What came between bind and connect may be a stranger's.
      if (address === remote.address && port === remote.port) onDatagram(datagram)
    })
    this.onError = (error) => onUnreachable(reasonOf(error))
    socket.on('error', this.onError)
    const { address, port } = socket.address()
    return { host: address, port }
  }

  send(datagram: Buffer): void {
    this.socket?.send(datagram, this.afterSend)
  }

  close(): Promise<void> {
    const { socket } = this
    this.socket = undefined
    this.onError = () => undefined
    return new Promise((resolve) => {
      if (socket) socket.close(() => resolve())
      else resolve()
    })
  }
}

function bind(socket: Socket, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind({ address: host, port, exclusive: true }, () => {
      socket.off('error', reject)
      resolve()
    })
  })
}

function connect(socket: Socket, { host, port }: HostPort): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.connect(port, host, (error?: Error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

/** Why the own address cannot be bound, and what the administrator can do. */
function bindRemedy(cause: unknown): string {
  const code = codeOf(cause)
  const remedy = bindRemedies.get(code) ?? 'see asterisk.sip.listen'
  return `${code}: ${remedy}`
}

const bothSides = 'set asterisk.sip.listen (and server_uri in pjsip_hintbridge.conf) to'

/** By the code of bind(2). */
const bindRemedies: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', `another program has it; ${bothSides} a free port, or stop it`],
  ['EADDRNOTAVAIL', `this machine has no such address; ${bothSides} one of its own`],
  ['EACCES', `this user may not listen there; ${bothSides} a port above 1023`],
  ['ENOTFOUND', `the name is not known; ${bothSides} an address`],
])

/** The system's code of an error, else its message. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error ? String(error.code) : error.message
}

function reasonOf(error: Error): string {
  const code = codeOf(error)
  return code === 'ECONNREFUSED' ? 'nobody listens on its SIP port (ECONNREFUSED)' : code
}

/** Is that host on this machine only: `localhost`, 127.0.0.0/8 or ::1? */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
