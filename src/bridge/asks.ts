/** Questions for a status under way: who waits for each answer, one at a time for each purpose. */
import type { Context } from './context.js'
import type { Failure } from './events.js'
import type { Status } from './messages.js'

export interface Asker {
  /** `from` is the full JID that answered. */
  answered(from: string, status: Status): void
  failed(failure: Failure): void
}

export class Asks {
  readonly #askers = new Map<number, { readonly purpose: string; readonly asker: Asker }>()
  /** The token of what is being asked, by purpose and JID. */
  readonly #tokens = new Map<string, number>()
  /** The names of the timers that run. */
  readonly #later = new Set<string>()
  #token = 0

  constructor(private readonly context: Context) {}

  /** Asks that full JID, unless it is being asked for the same purpose. */
  ask(purpose: string, jid: string, asker: Asker): void {
    const name = `${purpose} ${jid}`
    if (this.#tokens.has(name)) return
    this.#token += 1
    this.#tokens.set(name, this.#token)
    this.#askers.set(this.#token, { purpose: name, asker })
    this.context.emit({ to: 'cluster', do: 'ask', jid, token: this.#token })
  }

  /** Asks after that time, plus jitter, unless the stream ends before. */
  askLater(purpose: string, jid: string, asker: Asker, delayMs: number): void {
    const name = `ask:${purpose} ${jid}`
    const atMs = this.context.nowMs + delayMs * (1 + this.context.random())
    this.#later.add(name)
    this.context.agenda.set(name, atMs, () => {
      this.#later.delete(name)
      this.ask(purpose, jid, asker)
    })
  }

  /** Nothing is asked of that JID for that purpose any more, and what comes of it no longer counts. */
  drop(purpose: string, jid: string): void {
    const name = `${purpose} ${jid}`
    const token = this.#tokens.get(name)
    if (token !== undefined) this.#take(token)
    this.#later.delete(`ask:${name}`)
    this.context.agenda.cancel(`ask:${name}`)
  }

  answered(token: number, from: string, status: Status): void {
    this.#take(token)?.answered(from, status)
  }

  failed(token: number, failure: Failure): void {
    this.#take(token)?.failed(failure)
  }

  /** The stream is down: no answer will come. */
  reset(): void {
    this.#askers.clear()
    this.#tokens.clear()
    for (const name of this.#later) this.context.agenda.cancel(name)
    this.#later.clear()
  }

  #take(token: number): Asker | undefined {
    const asked = this.#askers.get(token)
    if (!asked) return undefined
    this.#askers.delete(token)
    this.#tokens.delete(asked.purpose)
    return asked.asker
  }
}
