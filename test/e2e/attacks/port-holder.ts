/** A program of a user without rights that holds a port; the test says what it answers. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import {
  parseMessage,
  type SipMessage,
  type SipRequest,
} from '../../../src/asterisk/sip/message.js'

/**
 * Holds a port of the loopback and tells standard output what comes, a line of hex each; what comes by standard input, a port (or 0
 * for who spoke last) and hex, it sends.
 */
const program = `
const [, protocol, port] = process.argv
const tell = (text) => process.stdout.write(text + '\\n')
let send
if (protocol === 'udp') {
  const socket = require('node:dgram').createSocket('udp4')
  let last = 0
  socket.on('message', (datagram, from) => {
    last = from.port
    tell(datagram.toString('hex'))
  })
  socket.bind(Number(port), '127.0.0.1', () => tell('bound'))
  send = (to, octets) => socket.send(octets, to || last, '127.0.0.1')
} else {
  const sockets = new Set()
  const server = require('node:net').createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (octets) => tell(octets.toString('hex')))
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(Number(port), '127.0.0.1', () => tell('bound'))
  send = (_, octets) => sockets.forEach((socket) => socket.write(octets))
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const [to, hex] = line.split(' ')
  send(Number(to), Buffer.from(hex, 'hex'))
})
`
/** Of no account: it owns nothing and reads no secret. Not `nobody`, who stands for every user that a namespace does not know. */
const nobody = ['--reuid=64321', '--regid=64321', '--clear-groups', '--pdeathsig=KILL']

export class PortHolder {
  /** All that came, as text. */
  readonly heard: string[] = []
  /** Called with each message; `answer` sends a response to a request of it. */
  onMessage: (message: SipMessage) => void = () => undefined
  private waiting: (() => void)[] = []

  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when it holds the port; rejects where it cannot have it. */
  static async hold(protocol: 'udp' | 'tcp', port: number): Promise<PortHolder> {
    const args = [...nobody, process.execPath, '-e', program, protocol, String(port)]
    const child = spawn('setpriv', args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const holder = new PortHolder(child)
    const lines = createInterface({ input: child.stdout })
    const bound = once(lines, 'line')
    const ended = once(child, 'exit').then(() =>
      Promise.reject(new Error(`port ${port} is not to be had`)),
    )
    await Promise.race([bound, ended])
    ended.catch(() => undefined)
    lines.on('line', (line) => holder.take(Buffer.from(line, 'hex')))
    return holder
  }

  send(text: string | Buffer, port = 0): void {
    this.child.stdin?.write(`${port} ${Buffer.from(text).toString('hex')}\n`)
  }

  answer(request: SipRequest, status: number, ...fields: string[]): void {
    const via = (request.headers.get('via') ?? '').replace(';rport;', `;rport=1;`)
    const copied = ['From', 'To', 'Call-ID', 'CSeq'].map(
      (name) => `${name}: ${request.headers.get(name.toLowerCase()) ?? ''}`,
    )
    const lines = [`SIP/2.0 ${status} Squatter`, `Via: ${via}`, ...copied, ...fields]
    this.send([...lines, 'Content-Length: 0', '', ''].join('\r\n'))
  }

  /** Resolves when what was heard makes it true; the test's own time limit bounds it. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  async end(): Promise<void> {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
  }

  private take(octets: Buffer): void {
    this.heard.push(octets.toString())
    try {
      this.onMessage(parseMessage(octets))
    } catch {
      // A part of a stream: the text is kept.
    }
    for (const resolve of this.waiting.splice(0)) resolve()
  }
}
