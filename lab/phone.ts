/** SIP phones for the lab, played by SIPp (Debian's sip-tester) with the scenarios in `lab/sipp`. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { PhoneAccount } from './asterisk.js'
import { awaitFile, readText, run, type Exit, type Running } from './running.js'
import { claimPort, type Scratch } from './scratch.js'

/** One NOTIFY that a phone got, RFC 6665. */
export interface Notify {
  /** `active;expires=…`, `terminated;…` */
  readonly subscriptionState: string
  readonly contentType: string
  readonly body: string
}

/** A standing subscription: the NOTIFYs so far, in order. */
export interface Subscription {
  readonly notifies: readonly Notify[]
  /** Resolves with all NOTIFYs so far as soon as `isEnough` says so of them; throws after `timeoutMs`. */
  awaitNotifies(
    isEnough: (notifies: readonly Notify[]) => boolean,
    timeoutMs?: number,
  ): Promise<readonly Notify[]>
  /** Goes away without unsubscribing. */
  stop(): Promise<void>
}

/** A call that was placed. */
export interface Call {
  readonly running: Running
  /** Code 0: answered, held and hung up by this phone. */
  readonly ended: Promise<Exit>
}

const defaultMs = 10_000

/** A phone of a PBX on the loopback. Nothing happens until it is told. */
export class Phone {
  readonly #programs: Running[] = []
  #contact: number | undefined

  constructor(
    private readonly scratch: Scratch,
    private readonly account: PhoneAccount,
    /** Where its PBX listens for SIP. */
    private readonly sipPort: number,
  ) {}

  /**
   * Registers a contact that rings for `ringMs` and then answers; every call until `stop`. Resolves when it is registered.
   */
  async register({ ringMs = 200 }: { ringMs?: number } = {}): Promise<void> {
    const contact = await claimPort()
    const answering = await this.#play('answer', ['-p', contact, '-d', ringMs])
    await boundUdp(answering, contact)
    await this.#bind(contact, 3_600)
    this.#contact = contact
  }

  /** Takes the contact back that `register` gave; a call that stands goes on. */
  async unregister(): Promise<void> {
    if (this.#contact === undefined) throw new Error(`${this.account.user} is not registered`)
    await this.#bind(this.#contact, 0)
    this.#contact = undefined
  }

  /** Calls an extension, stays in the call for `holdMs` after the answer, and hangs up. */
  async call(exten: string, { holdMs = 1_000 }: { holdMs?: number } = {}): Promise<Call> {
    return this.#call('call', exten, holdMs)
  }

  /** Calls an extension, puts it on hold as soon as it answers, and hangs up after `holdMs`. */
  async callOnHold(exten: string, { holdMs = 1_000 }: { holdMs?: number } = {}): Promise<Call> {
    return this.#call('call-on-hold', exten, holdMs)
  }

  /** Publishes a body as `application/json` to a resource (RFC 3903); resolves when it is accepted. */
  async publish(resource: string, event: string, body: unknown): Promise<void> {
    const status = await this.tryPublish(resource, event, body)
    if (status !== 200) throw new Error(`a PUBLISH to ${resource} was answered ${status}`)
  }

  /** The same; resolves with the final SIP status, whatever it is. */
  async tryPublish(resource: string, event: string, body: unknown): Promise<number> {
    const running = await this.#play('publish', [
      ...['-m', 1, '-s', resource, '-key', 'event', event, '-key', 'body', JSON.stringify(body)],
    ])
    await running.exited
    const statuses = [...readText(messageFile(running)).matchAll(/^SIP\/2\.0 (\d{3})/gm)]
    const status = statuses.at(-1)?.[1]
    if (status === undefined) throw failure(running, `no answer to a PUBLISH to ${resource}`)
    return Number(status)
  }

  /** Subscribes to the hint of an extension (RFC 4235); resolves when the first NOTIFY came. */
  subscribeHint(exten: string): Promise<Subscription> {
    return this.#subscribe(exten, 'dialog', 'application/dialog-info+xml')
  }

  /** Subscribes to the lamp of its own mailbox (RFC 3842); resolves when the first NOTIFY came. */
  subscribeMailbox(): Promise<Subscription> {
    const { user } = this.account
    return this.#subscribe(user, 'message-summary', 'application/simple-message-summary')
  }

  /** Ends all that this phone does, as if its plug were pulled. */
  async stop(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.kill()))
  }

  async #subscribe(exten: string, event: string, accept: string): Promise<Subscription> {
    const running = await this.#play('subscribe', [
      ...['-m', 1, '-s', exten, '-key', 'event', event, '-key', 'accept', accept],
    ])
    const messages = messageFile(running)
    const ended = new AbortController()
    void running.exited.then(() => ended.abort(failure(running, `no subscription to ${exten}`)))
    const awaitNotifies: Subscription['awaitNotifies'] = (isEnough, timeoutMs = defaultMs) =>
      awaitFile(
        messages,
        (text) => {
          const notifies = parseNotifies(text)
          return isEnough(notifies) ? notifies : undefined
        },
        timeoutMs,
        ended.signal,
      )
    await awaitNotifies((notifies) => notifies.length > 0)
    return {
      get notifies() {
        return parseNotifies(readText(messages))
      },
      awaitNotifies,
      stop: async () => {
        await running.kill()
      },
    }
  }

  async #call(scenario: string, exten: string, holdMs: number): Promise<Call> {
    const running = await this.#play(scenario, ['-m', 1, '-s', exten, '-d', holdMs])
    return { running, ended: running.exited }
  }

  async #bind(contact: number, expires: number): Promise<void> {
    await this.#succeed('register', `register ${this.account.user}`, [
      ...['-key', 'contact', contact, '-key', 'expires', expires],
    ])
  }

  /** Plays a scenario once, to its end. */
  async #succeed(
    scenario: string,
    what: string,
    args: readonly (string | number)[],
  ): Promise<void> {
    const running = await this.#play(scenario, ['-m', 1, ...args])
    const { code } = await running.exited
    if (code !== 0) throw failure(running, `failed to ${what}`)
  }

  async #play(scenario: string, args: readonly (string | number)[]): Promise<Running> {
    const { user, password } = this.account
    const name = `${scenario}-${user}-${this.sipPort}-${this.#programs.length}`
    const folder = this.scratch.makeFolder(join('phones', name))
    const port = args.includes('-p') ? [] : ['-p', await claimPort()]
    const running = run({
      name,
      command: 'sipp',
      args: [
        ...[
          `127.0.0.1:${this.sipPort}`,
          '-sf',
          join(import.meta.dirname, 'sipp', `${scenario}.xml`),
        ],
        ...['-i', '127.0.0.1', ...port, '-nostdin', '-trace_msg', '-message_file', 'messages.log'],
        ...['-trace_err', '-error_file', 'errors.log', '-key', 'user', user],
        ...['-au', user, '-ap', password, ...args],
      ].map(String),
      env: { TERM: 'dumb' },
      cwd: folder,
      logFile: join(folder, 'screen.log'),
    })
    this.#programs.push(running)
    return running
  }
}

const messageFile = (running: Running): string => join(running.options.cwd, 'messages.log')

function failure(running: Running, what: string): Error {
  const errors = readText(join(running.options.cwd, 'errors.log')).slice(-2_000)
  return new Error(`${what}; see ${running.options.cwd}\n${errors}`)
}

/** What `<state>` of each dialog-info NOTIFY says, in order: `terminated`, `early`, `confirmed`. */
export function dialogStates(notifies: readonly Notify[]): readonly string[] {
  return notifies.map(({ body }) => /<state>(\w+)<\/state>/.exec(body)?.[1] ?? '')
}

/** Reads SIPp's message log: entries between lines of dashes, each with one message as it was on the wire. */
function parseNotifies(log: string): readonly Notify[] {
  return log.split(/^-{20,}.*$/m).flatMap((entry) => {
    const start = entry.search(/^NOTIFY sip:/m)
    if (start < 0 || !/message received/.test(entry)) return []
    const message = Buffer.from(entry.slice(start))
    const gap = message.indexOf('\r\n\r\n')
    const headers = message.subarray(0, gap).toString()
    const header = (name: string): string =>
      new RegExp(`^${name}: *(.*)\r$`, 'im').exec(`${headers}\r`)?.[1] ?? ''
    const end = gap + 4 + Number(header('Content-Length'))
    // The log is read while it is written: an entry that is not whole yet is left for the next look.
    if (gap < 0 || message.length < end) return []
    return [
      {
        subscriptionState: header('Subscription-State'),
        contentType: header('Content-Type'),
        body: message.subarray(gap + 4, end).toString(),
      },
    ]
  })
}

/** Waits until a program has bound a UDP port of the loopback: nothing tells when, so the kernel's table is looked at. */
async function boundUdp(running: Running, port: number): Promise<void> {
  const local = `: 0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} `
  const deadline = performance.now() + defaultMs
  while (!readText('/proc/net/udp').includes(local)) {
    if (!running.isRunning || performance.now() > deadline) {
      throw failure(running, `no phone on UDP port ${port}`)
    }
    await delay(10)
  }
}
