/** Why a member item must not even be considered (rule 18), said once each. */
import { type BridgeSettings, type Context, bareJid, count, health, log } from './context.js'
import type { MemberItem } from './messages.js'

/** Whoever may write to `members` chooses the item ids: what is remembered of them is bounded. */
const maxRemembered = 1_000

/** What speaks against an item by itself; `undefined` where nothing does. */
export function objectionTo(item: MemberItem, settings: BridgeSettings): string | undefined {
  if (!settings.isTrusted(item.id)) return 'trust does not name its JID'
  if (bareJid(item.jid) !== item.id) return 'it claims the JID of another'
  if (item.publisher !== undefined && bareJid(item.publisher) !== item.id) {
    return 'another account published it'
  }
  return undefined
}

export class Objections {
  readonly #said = new Set<string>()

  constructor(private readonly context: Context) {}

  complain(item: MemberItem, objection: string): void {
    count(this.context, 'refused_items', { kind: 'members', reason: objection })
    const name = `${item.id} ${objection}`
    if (this.#said.has(name) || this.#said.size >= maxRemembered) return
    this.#said.add(name)
    const { publisher } = item
    const fields = { item: item.id, objection, ...(publisher !== undefined && { publisher }) }
    log(this.context, 'warn', 'member item refused', fields)
    health(
      this.context,
      'members',
      'warning',
      `the member item ${item.id} is refused: ${objection}. If it is a member, name its JID under trust and see that ` +
        `its own account publishes it; else remove the item.`,
    )
  }
}
