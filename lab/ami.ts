/** A client of the Asterisk Manager Interface: actions with their answers, and the stream of events. */
import { EventEmitter } from 'node:events'
import { connect, type Socket } from 'node:net'

/** One answer or event: its headers by name; a header that comes more than once (`Output`) is joined with newlines. */
export type AmiMessage = ReadonlyMap<string, string>

export type AmiFields = Readonly<Record<string, string | number>>

type Match = (event: AmiMessage) => boolean

interface Emitted {
  message: [AmiMessage]
  closed: [Error]
}

const defaultMs = 10_000

/** One logged-in connection; every event since the login is kept in `events`. */
export class AmiClient {
  readonly events: AmiMessage[] = []
  #lastAction = 0
  #rest = ''
  readonly #emitter = new EventEmitter<Emitted>()

  private constructor(private readonly socket: Socket) {
    this.#emitter.setMaxListeners(0)
    socket.setEncoding('utf8')
    socket.setNoDelay(true)
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', () => undefined) // `close` follows
    socket.on('close', () => this.#emitter.emit('closed', new Error('the AMI connection ended')))
  }

  /** Connects to a port of the loopback, logs in and waits until Asterisk has fully booted. */
  static async connect(port: number, username: string, secret: string): Promise<AmiClient> {
    const socket = connect(port, '127.0.0.1')
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    const client = new AmiClient(socket)
    const booted = client.awaitEvent((event) => event.get('Event') === 'FullyBooted', 60_000)
    await Promise.all([client.action('Login', { Username: username, Secret: secret }), booted])
    return client
  }

  /** Sends an action and resolves with its response; throws when Asterisk answers `Error` or not in time. */
  async action(name: string, fields: AmiFields = {}): Promise<AmiMessage> {
    const { response } = this.#send(name, fields)
    return response
  }

  /** Runs a command of Asterisk's console and resolves with its output. */
  async command(line: string): Promise<string> {
    return (await this.action('Command', { Command: line })).get('Output') ?? ''
  }

  /** Sends an action that answers with a list of events, and resolves with those. */
  async list(name: string, fields: AmiFields = {}): Promise<readonly AmiMessage[]> {
    const since = this.events.length
    const { id, response } = this.#send(name, fields)
    const isOurs: Match = (event) => event.get('ActionID') === id
    const complete = this.awaitEvent(
      (event) => isOurs(event) && event.get('EventList') === 'Complete',
    )
    await Promise.all([response, complete])
    return this.events.slice(since).filter((event) => isOurs(event) && !event.has('EventList'))
  }

  /**
   * Resolves with the first event that matches, from now on, or from `since` on (an earlier `events.length`); throws
   * after `timeoutMs` or when the connection ends; `what` is what the error says is missing.
   */
  awaitEvent(
    match: Match,
    timeoutMs = defaultMs,
    since?: number,
    what = 'AMI event',
  ): Promise<AmiMessage> {
    const seen = since === undefined ? undefined : this.events.slice(since).find(match)
    if (seen !== undefined) return Promise.resolve(seen)
    return this.#await((message) => message.has('Event') && match(message), timeoutMs, what)
  }

  close(): void {
    this.socket.destroy()
  }

  #send(name: string, fields: AmiFields): { id: string; response: Promise<AmiMessage> } {
    const id = String(++this.#lastAction)
    const lines = Object.entries({ Action: name, ActionID: id, ...fields }).map(
      ([key, value]) => `${key}: ${value}\r\n`,
    )
    const answered = this.#await(
      (message) => message.has('Response') && message.get('ActionID') === id,
      defaultMs,
      `answer to the AMI action ${name}`,
    )
    this.socket.write(`${lines.join('')}\r\n`)
    const response = answered.then((answer) => {
      if (answer.get('Response') !== 'Error') return answer
      const reason = answer.get('Output') ?? answer.get('Message') ?? 'no reason given'
      throw new Error(`AMI action ${name} failed: ${reason}`)
    })
    return { id, response }
  }

  #await(match: Match, timeoutMs: number, what: string): Promise<AmiMessage> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#emitter.off('message', onMessage)
        this.#emitter.off('closed', onClosed)
      }
      const onMessage = (message: AmiMessage): void => {
        if (!match(message)) return
        settle()
        resolve(message)
      }
      const onClosed = (error: Error): void => {
        settle()
        reject(error)
      }
      const timer = setTimeout(
        () => onClosed(new Error(`no ${what} in ${timeoutMs} ms`)),
        timeoutMs,
      )
      this.#emitter.on('message', onMessage)
      this.#emitter.on('closed', onClosed)
      if (this.socket.destroyed) onClosed(new Error('the AMI connection has ended'))
    })
  }

  #receive(text: string): void {
    const blocks = (this.#rest + text).split('\r\n\r\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const message = parse(block)
      if (message.has('Event')) this.events.push(message)
      this.#emitter.emit('message', message)
    }
  }
}

function parse(block: string): AmiMessage {
  const message = new Map<string, string>()
  for (const line of block.split('\r\n')) {
    const colon = line.indexOf(':') // the greeting `Asterisk Call Manager/…` has none
    if (colon < 0) continue
    const name = line.slice(0, colon)
    const value = line.slice(colon + 1).replace(/^ /, '')
    const before = message.get(name)
    message.set(name, before === undefined ? value : `${before}\n${value}`)
  }
  return message
}
