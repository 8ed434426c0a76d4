/** Why a member item must not even be considered (rule 18), said once each while it is so. */
import {
  type BridgeSettings,
  type Context,
  bareJid,
  count,
  health,
  log,
  refused,
} from './context.js'
import type { MemberItem } from './messages.js'

/** Whoever may write to `members` chooses the item ids: what is remembered of them is bounded … */
const maxRemembered = 1_000
/** … and so is what the problem names. */
const maxNamed = 3

/** What speaks against an item by itself; `undefined` where nothing does. */
export function objectionTo(item: MemberItem, settings: BridgeSettings): string | undefined {
  if (!settings.isTrusted(item.id)) return 'trust does not name its JID'
  if (bareJid(item.jid) !== item.id) return 'it claims the JID of another'
  if (item.publisher !== undefined && bareJid(item.publisher) !== item.id) {
    return 'another account published it'
  }
  return undefined
}

export interface Complaint {
  /** It took a question to find out: the next reading of `members` ends before its answer comes. */
  readonly isLate?: boolean
}

export class Objections {
  /** What is objected to, by what is said of it, with the number of the reading that it outlasts. */
  readonly #standing = new Map<string, number>()
  #reading = 0

  constructor(private readonly context: Context) {}

  complain(item: MemberItem, objection: string, { isLate = false }: Complaint = {}): void {
    count(this.context, 'refused_items', { kind: 'members', reason: objection })
    refused(this.context, { what: 'members', from: item.publisher ?? item.id, reason: objection })
    const said = `${item.id} is refused: ${objection}`
    const isKnown = this.#standing.has(said)
    if (!isKnown && this.#standing.size >= maxRemembered) return
    this.#standing.set(said, this.#reading + (isLate ? 1 : 0))
    if (isKnown) return
    const { publisher } = item
    const fields = { item: item.id, objection, ...(publisher !== undefined && { publisher }) }
    log(this.context, 'warn', 'member item refused', fields)
    this.#tell()
  }

  /** Judges all of `members` anew by `consider`: what is no longer objected to may be said again when it comes back. */
  read(consider: () => void): void {
    this.#reading += 1
    consider()
    const before = this.#standing.size
    for (const [said, until] of this.#standing) {
      if (until < this.#reading) this.#standing.delete(said)
    }
    if (this.#standing.size < before) this.#tell()
  }

  #tell(): void {
    const said = [...this.#standing.keys()]
    if (said.length === 0) {
      health(this.context, 'members', 'warning')
      return
    }
    const more = said.length > maxNamed ? `; and ${said.length - maxNamed} more` : ''
    health(
      this.context,
      'members',
      'warning',
      `the member item ${said.slice(0, maxNamed).join('; ')}${more}. If it is a member, name its JID under trust and ` +
        `see that its own account publishes it; else remove the item.`,
    )
  }
}
