/** Directed presence: told to each member once, answered once, remembered where it precedes the member item (rule 21). */
import { type Context, bareJid } from './context.js'

export class Presence {
  readonly #told = new Set<string>()
  readonly #available = new Set<string>()

  constructor(private readonly context: Context) {}

  /** Tells that full JID that this member is here, once. */
  tell(jid: string): void {
    if (this.#told.has(jid)) return
    this.#told.add(jid)
    this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: true })
  }

  /** Takes note of a trusted JID's presence and answers `available` once. */
  received(from: string, isAvailable: boolean): void {
    if (isAvailable) {
      this.#available.add(from)
      this.tell(from)
    } else {
      this.#available.delete(from)
      // It has to be told again when it returns.
      this.#told.delete(from)
    }
  }

  /** Has this full JID said that it is here? */
  isAvailable(jid: string): boolean {
    return this.#available.has(jid)
  }

  /** Says goodbye to all that were told. */
  leave(): void {
    for (const jid of this.#told) {
      this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: false })
    }
  }

  /** The stream is down: what was told and heard belongs to the old one. */
  reset(): void {
    this.#told.clear()
    this.#available.clear()
  }

  /** Drops what is no longer trusted. */
  retrust(): void {
    for (const jid of this.#available) {
      if (!this.context.settings.isTrusted(bareJid(jid))) this.#available.delete(jid)
    }
  }
}
