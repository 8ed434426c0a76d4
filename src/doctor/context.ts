import { randomBytes } from 'node:crypto'
import { runConsole } from '../asterisk/console.js'
import type { EntityId } from '../bridge/state.js'
import type { Config } from '../config/config.js'
import { readEntityId } from '../journal/identity.js'
import { Mechanisms } from '../journal/mechanisms.js'
import type { OverviewAnswer } from '../observe/api.js'
import { askControl } from '../observe/control-client.js'
import { isRoot } from '../privilege.js'
import { StreamFailure, toStreamFailure } from '../xmpp/errors.js'
import { XmppSession } from '../xmpp/session.js'
import { Unchecked } from './finding.js'

/** How a login at one of `xmpp.service` went. */
export type Login =
  | { readonly service: string; readonly session: XmppSession; readonly tookMs: number }
  | { readonly service: string; readonly failure: StreamFailure }

/** What checks ask; each answer is got once, when the first check wants it. */
export interface DoctorContext {
  readonly config: Config
  /** Output of a command on Asterisk's console, run once unless it is wanted `anew`; throws `ConsoleUnusable`. */
  console(command: string, when?: 'anew'): Promise<string>
  /** What the running bridge says of itself; `undefined` where none runs, `Unchecked` where it cannot be asked. */
  overview(): Promise<OverviewAnswer | undefined>
  /** What the running bridge answers there; `undefined` where none runs, `Unchecked` where it cannot be asked. */
  ask<Answer>(path: string): Promise<Answer | undefined>
  /** The configured or learnt entity ID of Asterisk. */
  eid(): EntityId | undefined
  /** One for each service of the list. */
  logins(): Promise<readonly Login[]>
  /** A session beside the bridge's; `Unchecked` where no service lets this account in. */
  session(): Promise<XmppSession>
  /** A session for one check, which closes it. */
  freshSession(): Promise<XmppSession>
}

/** How long a question to the XMPP server may take, ms. */
export const requestTimeoutMs = 10_000

/** The real context: this machine, its Asterisk, its bridge, its XMPP server. */
export class Surroundings implements DoctorContext {
  readonly #outputs = new Map<string, Promise<string>>()
  #overview: Promise<OverviewAnswer | undefined> | undefined
  #logins: Promise<readonly Login[]> | undefined

  constructor(readonly config: Config) {}

  /** One question finds out whether there is a console at all: one that hangs is waited for once. */
  async console(command: string, when?: 'anew'): Promise<string> {
    await this.#output('core show version')
    if (when === 'anew') this.#outputs.delete(command)
    return this.#output(command)
  }

  #output(command: string): Promise<string> {
    const known = this.#outputs.get(command)
    if (known !== undefined) return known
    const output = runConsole(this.config.asterisk, command)
    this.#outputs.set(command, output)
    return output
  }

  overview(): Promise<OverviewAnswer | undefined> {
    this.#overview ??= this.ask<OverviewAnswer>('/api/overview')
    return this.#overview
  }

  ask<Answer>(path: string): Promise<Answer | undefined> {
    return askBridge<Answer>(this.config.controlSocket, path)
  }

  eid(): EntityId | undefined {
    try {
      return this.config.asterisk.eid ?? readEntityId(this.config.stateDir)
    } catch {
      // Not readable by this user: as if it had not been learnt.
      return undefined
    }
  }

  logins(): Promise<readonly Login[]> {
    const { services } = this.config.xmpp
    this.#logins ??= Promise.all(services.map((service) => this.#logIn(service)))
    return this.#logins
  }

  async session(): Promise<XmppSession> {
    return (await this.#firstIn()).session
  }

  async freshSession(): Promise<XmppSession> {
    return this.#open((await this.#firstIn()).service)
  }

  /** Ends what was opened; may be called again. */
  async close(): Promise<void> {
    const logins = (await this.#logins) ?? []
    this.#logins = undefined
    await Promise.all(logins.flatMap((login) => ('session' in login ? login.session.close() : [])))
  }

  async #firstIn(): Promise<Extract<Login, { session: XmppSession }>> {
    const login = (await this.logins()).find((each) => 'session' in each)
    if (login === undefined) throw new Unchecked('the XMPP server does not let this account in')
    return login
  }

  async #logIn(service: string): Promise<Login> {
    const start = performance.now()
    try {
      const session = await this.#open(service)
      return { service, session, tookMs: performance.now() - start }
    } catch (error) {
      return { service, failure: toStreamFailure(error) }
    }
  }

  #open(service: string): Promise<XmppSession> {
    const { jid, password, tls } = this.config.xmpp
    const resource = `doctor-${randomBytes(4).toString('hex')}`
    const { stateDir, xmpp } = this.config
    const sasl = { mode: xmpp.sasl, memory: new Mechanisms(stateDir).forReading() }
    return XmppSession.open({ service, jid, resource, password: password.reveal(), tls, sasl })
  }
}

/** As `overview`, and `undefined` too where the bridge cannot be asked, which another check tells. */
export async function overviewIfAny(context: DoctorContext): Promise<OverviewAnswer | undefined> {
  try {
    return await context.overview()
  } catch (error) {
    if (error instanceof Unchecked) return undefined
    throw error
  }
}

async function askBridge<Answer>(controlSocket: string, path: string): Promise<Answer | undefined> {
  let answer
  try {
    answer = await askControl(controlSocket, 'GET', path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const remedy = isRoot()
      ? 'see with systemctl status hintbridge, or its log, what the bridge does; restart it'
      : 'run this as root or as the user of the bridge'
    throw new Unchecked(reason, remedy)
  }
  if (answer === undefined) return undefined
  if (answer.status !== 200) {
    throw new Unchecked(
      `the bridge answers ${answer.status}`,
      'restart it: it is of another version',
    )
  }
  return answer.body as Answer
}
