/**
 * Directed presence: told to each member once, answered once (rule 21). Where it precedes the member item nothing needs
 * to be remembered of it: every member is asked when its item is seen.
 */
import type { Context } from './context.js'

export class Presence {
  readonly #told = new Set<string>()

  constructor(private readonly context: Context) {}

  /** Tells that full JID that this member is here, once. */
  tell(jid: string): void {
    if (this.#told.has(jid)) return
    this.#told.add(jid)
    this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: true })
  }

  /** Shows itself once more to whom it was told, so that this one asks; the next meeting tells it anew. */
  tellAgain(jid: string): void {
    if (!this.#told.delete(jid)) return
    this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: true })
  }

  /** Takes note of a trusted JID's presence and answers `available` once. */
  received(from: string, isAvailable: boolean): void {
    if (isAvailable) this.tell(from)
    // It has to be told again when it returns.
    else this.#told.delete(from)
  }

  /** That full JID may have come anew without having been heard to go: the next time it is told again. */
  forget(jid: string): void {
    this.#told.delete(jid)
  }

  /** Says goodbye to all that were told. */
  leave(): void {
    for (const jid of this.#told) {
      this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: false })
    }
  }

  /** The stream is down: what was told belongs to the old one. */
  reset(): void {
    this.#told.clear()
  }
}
