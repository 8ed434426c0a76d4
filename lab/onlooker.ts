/** An XMPP client with an account of its own: it looks on as an administrator would, or makes mischief as a stranger would. */
import { EventEmitter } from 'node:events'
import type { Element } from '@xmpp/xml'
import { parse } from 'ltx'
import { parseEvent } from '../src/pubsub/event.js'
import type { Item } from '../src/pubsub/items.js'
import type { PubsubService } from '../src/pubsub/service.js'
import { XmppConnection } from '../src/xmpp/connection.js'
import type { Account, XmppServer } from './xmpp-server.js'

const requestMs = 10_000
const ignore = (): void => undefined
const silent = { debug: ignore, info: ignore, warn: ignore, error: ignore }

/** An item that a subscription brought. */
export interface Notification {
  readonly node: string
  readonly item: Item
}

export class Onlooker {
  /** All that its subscriptions brought, in order. */
  readonly notifications: Notification[] = []
  readonly #connection: XmppConnection
  readonly #arrivals = new EventEmitter<{ arrived: [] }>()

  private constructor(
    private readonly server: XmppServer,
    { user, password }: Account,
    resource: string,
  ) {
    this.#connection = new XmppConnection({
      services: [server.service],
      jid: `${user}@${server.domain}`,
      resource,
      password: () => password,
      tls: { mode: 'required', caFile: server.caFile },
      silenceLimitMs: 60_000,
      conflictWaitMs: 1_000,
      log: silent,
    })
    this.#connection.on('message', (message) => this.#receive(message))
  }

  /** Logs in; rejects when that takes longer than 10 s. */
  static async connect(
    server: XmppServer,
    account: Account,
    resource = 'onlooker',
  ): Promise<Onlooker> {
    const onlooker = new Onlooker(server, account, resource)
    const connection = onlooker.#connection
    connection.start()
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${account.user} is not let in`)), requestMs)
      connection.once('online', () => {
        clearTimeout(timer)
        resolve()
      })
    })
    return onlooker
  }

  /** The pubsub service, for the verbs of `src/pubsub`. */
  get pubsub(): PubsubService {
    return { iq: this.#connection, service: this.server.pubsub, timeoutMs: requestMs }
  }

  /** The full JID. */
  get jid(): string {
    return this.#connection.jid ?? 'offline'
  }

  /** Sends an IQ get with that XML text in it; rejects with a `StanzaError`. */
  ask(to: string, payload: string): Promise<Element> {
    return this.#connection.request(to, 'get', parse(payload), requestMs)
  }

  /** Sends a stanza, given as XML text. */
  send(stanza: string): void {
    this.#connection.send(parse(stanza))
  }

  /** Resolves as soon as the notifications so far make the condition true; throws after `timeoutMs`. */
  async awaitNotifications(
    isEnough: (notifications: readonly Notification[]) => boolean,
    timeoutMs = requestMs,
  ): Promise<void> {
    if (isEnough(this.notifications)) return
    await new Promise<void>((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        this.#arrivals.off('arrived', look)
        act()
      }
      const look = (): void => {
        if (isEnough(this.notifications)) settle(resolve)
      }
      const timer = setTimeout(() => {
        const seen = this.notifications.length
        settle(() => reject(new Error(`not enough of ${seen} notifications in ${timeoutMs} ms`)))
      }, timeoutMs)
      this.#arrivals.on('arrived', look)
    })
  }

  stop(): Promise<void> {
    return this.#connection.stop()
  }

  #receive(message: Element): void {
    for (const event of parseEvent(message)) {
      if (event.type !== 'items') continue
      this.notifications.push(...event.items.map((item) => ({ node: event.node, item })))
    }
    this.#arrivals.emit('arrived')
  }
}
