/**
 * Who else claims the own EID (rule 18): a live incumbent stays, the newcomer is refused on both sides and judged again
 * when either leaves. Until that is known this member neither announces itself nor publishes.
 */
import type { Asks } from './asks.js'
import { type Context, health, log } from './context.js'
import type { MemberItem, Phase, Status } from './messages.js'

export class Rivals {
  readonly #items = new Map<string, MemberItem>()
  readonly #pending = new Set<string>()
  #incumbent: MemberItem | undefined
  #isMembersRead = false
  #isEstablished = false

  constructor(
    private readonly context: Context,
    private readonly asks: Asks,
    private readonly onJudged: () => void,
  ) {}

  /** May this member announce itself and publish? */
  get isClear(): boolean {
    return this.#isEstablished
  }

  /** A trusted member item with the own EID. */
  consider(item: MemberItem): void {
    const known = this.#items.get(item.id)
    this.#items.set(item.id, item)
    if (this.#isEstablished) {
      if (known?.jid !== item.jid || known.epoch !== item.epoch) this.#complain(item, 'it')
      return
    }
    this.#ask(item)
  }

  /** All of `members` has been considered. */
  membersRead(): void {
    this.#isMembersRead = true
    if (!this.#isEstablished) for (const item of this.#items.values()) this.#ask(item)
    this.#judge()
  }

  /** That full JID has gone: whoever waited for its EID may have it. */
  unavailable(jid: string): void {
    for (const item of this.#items.values()) {
      if (item.jid !== jid) continue
      this.#items.delete(item.id)
      health(this.context, healthKey(item.id), 'error')
      this.#unanswered(item)
    }
  }

  /** The stream is down: another may take the EID meanwhile. */
  reset(): void {
    this.#isEstablished = false
    this.#isMembersRead = false
    this.#incumbent = undefined
    this.#pending.clear()
    this.#items.clear()
  }

  #answered(item: MemberItem, status: Status): void {
    this.#pending.delete(item.id)
    if (status.eid === this.context.settings.eid && this.#yieldsTo(item, status.phase)) {
      this.#incumbent = item
      this.#complain(item, 'this member')
    } else if (this.#incumbent?.id === item.id) {
      this.#incumbent = undefined
    }
    this.#judge()
  }

  #unanswered(item: MemberItem): void {
    this.#pending.delete(item.id)
    if (this.#incumbent?.id === item.id) this.#incumbent = undefined
    this.#judge()
  }

  /** Two that start at once would wait for each other for ever: the smaller JID goes first. */
  #yieldsTo(item: MemberItem, phase: Phase): boolean {
    if (this.#isEstablished || phase === 'leaving') return false
    return phase === 'ready' || item.id < this.context.settings.jid
  }

  #ask(item: MemberItem): void {
    this.#pending.add(item.id)
    this.asks.ask('rival', item.jid, {
      answered: (_from, status) => this.#answered(item, status),
      failed: () => this.#unanswered(item),
    })
  }

  #judge(): void {
    if (this.#isEstablished || !this.#isMembersRead) return
    if (this.#pending.size > 0 || this.#incumbent) return
    this.#isEstablished = true
    for (const id of this.#items.keys()) health(this.context, healthKey(id), 'error')
    this.onJudged()
  }

  #complain(item: MemberItem, refused: string): void {
    const { eid } = this.context.settings
    const text =
      `${item.id} claims the EID ${eid} of this PBX too; ${refused} is refused until the other leaves. ` +
      `Give each Asterisk its own entityid in asterisk.conf.`
    health(this.context, healthKey(item.id), 'error', text)
    log(this.context, 'error', 'two members claim one EID', { eid, other: item.id, refused })
  }
}

function healthKey(jid: string): string {
  return `eid:${jid}`
}
