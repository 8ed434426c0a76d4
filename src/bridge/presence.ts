/**
 * Directed presence: told to each member once, answered once (rule 21). Where it precedes the member item nothing needs
 * to be remembered of it: every member is asked when its item is seen. Whoever is told subscribes to the own feed if it could
 * not before: so it is told when it has been admitted, and once more where it was told too early.
 */
import { type Context, bareJid } from './context.js'

/** Who may read the own feed. */
export interface Admissions {
  isAdmitted(jid: string): boolean
  isAwaited(jid: string): boolean
}

export class Presence {
  readonly #told = new Set<string>()
  /** They are told as soon as they are admitted. */
  readonly #held = new Set<string>()
  /** They were told before they were admitted. */
  readonly #early = new Set<string>()

  constructor(
    private readonly context: Context,
    private readonly admissions: Admissions,
  ) {}

  /** Tells that full JID that this member is here, once. */
  tell(jid: string): void {
    if (this.#told.has(jid)) return
    if (this.admissions.isAwaited(bareJid(jid))) this.#held.add(jid)
    else this.#say(jid)
  }

  /** These bare JIDs may read the own feed now. */
  admitted(jids: readonly string[]): void {
    const may = new Set(jids)
    for (const jid of [...this.#held, ...this.#early]) if (may.has(bareJid(jid))) this.#say(jid)
  }

  /** Nobody can be admitted at the moment. */
  hindered(): void {
    for (const jid of this.#held) this.#say(jid)
  }

  /** Shows itself once more to whom it was told, so that this one asks; the next meeting tells it anew. */
  tellAgain(jid: string): void {
    if (!this.#told.has(jid)) return
    this.forget(jid)
    this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: true })
  }

  /** Takes note of a trusted JID's presence and answers `available` once. */
  received(from: string, isAvailable: boolean): void {
    if (isAvailable) this.tell(from)
    // It has to be told again when it returns.
    else this.forget(from)
  }

  /** That full JID may have come anew without having been heard to go: the next time it is told again. */
  forget(jid: string): void {
    for (const jids of this.#all) jids.delete(jid)
  }

  /** Says goodbye to all that were told. */
  leave(): void {
    for (const jid of this.#told) {
      this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: false })
    }
  }

  /** The stream is down: what was told belongs to the old one. */
  reset(): void {
    for (const jids of this.#all) jids.clear()
  }

  get #all(): readonly Set<string>[] {
    return [this.#told, this.#held, this.#early]
  }

  #say(jid: string): void {
    this.forget(jid)
    this.#told.add(jid)
    if (!this.admissions.isAdmitted(bareJid(jid))) this.#early.add(jid)
    this.context.emit({ to: 'cluster', do: 'present', jid, isAvailable: true })
  }
}
