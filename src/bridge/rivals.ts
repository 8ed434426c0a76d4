/**
 * Who else claims the own EID (rule 18): a live incumbent stays, the newcomer is refused on both sides and judged again
 * when either leaves. Until that is known this member neither announces itself nor publishes. Two that came at once, and
 * saw each other only when both were in, are told apart by their JIDs: the smaller one stays, everywhere.
 */
import type { Asks } from './asks.js'
import { type Context, bareJid, health, log } from './context.js'
import type { MemberItem, Status } from './messages.js'
import type { Presence } from './presence.js'
import type { Keeping } from './readers.js'

const graceTimer = 'rival-grace'

export interface RivalsOutlets {
  /** The own EID is this member's; `hasYielded`: it had been before, and was left to another meanwhile. */
  onJudged(hasYielded: boolean): void
  /** Another holds the own EID; `wasIn`: this member had announced itself and must take that back. */
  onRefused(wasIn: boolean): void
}

export class Rivals {
  readonly #items = new Map<string, MemberItem>()
  readonly #pending = new Set<string>()
  /** Full JIDs that asked from the own EID and have no item: they wait. */
  readonly #newcomers = new Set<string>()
  /** Ids of the member items that stood at the last reading. */
  #standing: ReadonlySet<string> = new Set()
  #incumbent: MemberItem | undefined
  /** Since when the incumbent does not answer, ms. */
  #missingSinceMs: number | undefined
  #isMembersRead = false
  #isEstablished = false
  /** This member has gone in, and has left its EID to nobody since. */
  #isIn = false
  #hasYielded = false

  constructor(
    private readonly context: Context,
    private readonly asks: Asks,
    private readonly presence: Presence,
    private readonly outlets: RivalsOutlets,
  ) {}

  /** May this member announce itself and publish? */
  get isClear(): boolean {
    return this.#isEstablished
  }

  /** Does another live member hold the own EID, as far as is known? */
  get isRefused(): boolean {
    return this.#incumbent !== undefined
  }

  /** May this member say who reads the nodes of its EID? */
  get keeping(): Keeping {
    if (this.isRefused) return 'not'
    return this.#isEstablished ? 'keeps' : 'will'
  }

  /** Has the list been read on this stream? */
  get isMembersRead(): boolean {
    return this.#isMembersRead
  }

  /** Was this member in, and has it left its EID to another since? */
  get hasYielded(): boolean {
    return this.#hasYielded
  }

  /** A trusted member item with the own EID. */
  consider(item: MemberItem): void {
    const known = this.#items.get(item.id)
    this.#items.set(item.id, item)
    if (this.#isEstablished) {
      if (known?.jid !== item.jid || known.epoch !== item.epoch) this.#complain(item.id, 'it')
      if (item.id < this.context.settings.jid) this.#askWhetherIn(item)
      return
    }
    this.#ask(item)
  }

  /** Its item stands beside the own one: it may have gone in before it saw that, as this member has. */
  #askWhetherIn(item: MemberItem): void {
    this.asks.ask('rival', item.jid, {
      answered: (_from, { eid, epoch, phase }) => {
        const isIn = eid === this.context.settings.eid && epoch === item.epoch && phase === 'ready'
        if (this.#isEstablished && isIn) this.#yield(item)
      },
      failed: () => undefined,
    })
  }

  #yield(item: MemberItem): void {
    this.#isEstablished = false
    this.#isIn = false
    this.#hasYielded = true
    this.#incumbent = item
    // It is no newcomer any more, whose going would end the complaint.
    this.#newcomers.delete(item.jid)
    this.#complain(item.id, 'this member')
    this.outlets.onRefused(true)
    // So that the other hears of it, and each is told of the other's end.
    this.#ask(item)
  }

  /** All of `members` has been considered. */
  membersRead(items: readonly MemberItem[]): void {
    this.#isMembersRead = true
    this.#standing = new Set(items.map(({ id }) => id))
    if (!this.#isEstablished) for (const item of this.#items.values()) this.#ask(item)
    this.#judge()
  }

  /** A trusted full JID asks that has the own EID as its resource (rule 20): a newcomer that is not announced. */
  asked(jid: string): void {
    if (!this.#isEstablished || this.#newcomers.has(jid)) return
    this.#newcomers.add(jid)
    this.#complain(bareJid(jid), 'it')
  }

  /** That full JID has gone: whoever waits for its EID may have it, unless it is back within `grace` (rule 24). */
  unavailable(jid: string): void {
    if (this.#newcomers.delete(jid)) health(this.context, healthKey(bareJid(jid)), 'error')
    for (const item of this.#items.values()) {
      if (item.jid !== jid) continue
      if (this.#isEstablished) {
        this.#items.delete(item.id)
        health(this.context, healthKey(item.id), 'error')
      } else {
        this.#unanswered(item)
      }
    }
  }

  /** The stream is down: others come and go meanwhile, but an incumbent stays one until it was missed for `grace`. */
  reset(): void {
    this.#isEstablished = false
    this.#isMembersRead = false
    this.#missingSinceMs = undefined
    this.context.agenda.cancel(graceTimer)
    this.#pending.clear()
    // Who is still there when the stream is back is complained of anew.
    for (const jid of this.#newcomers) health(this.context, healthKey(bareJid(jid)), 'error')
    for (const id of this.#items.keys()) {
      if (id !== this.#incumbent?.id) health(this.context, healthKey(id), 'error')
    }
    this.#newcomers.clear()
    this.#items.clear()
    if (this.#incumbent) this.#items.set(this.#incumbent.id, this.#incumbent)
  }

  #answered(item: MemberItem, status: Status): void {
    const { eid, phase } = status
    this.#pending.delete(item.id)
    const isIncumbent = this.#incumbent?.id === item.id
    const isRival = eid === this.context.settings.eid
    if (isRival && this.#yieldsTo(item, status)) {
      this.#heard()
      this.#incumbent = item
      if (!isIncumbent) {
        this.#complain(item.id, 'this member')
        this.outlets.onRefused(false)
      }
    } else if (isIncumbent && !(isRival && phase === 'syncing' && this.#mayReturn(item))) {
      this.#heard()
      this.#incumbent = undefined
    }
    this.#judge()
  }

  #unanswered(item: MemberItem): void {
    this.#pending.delete(item.id)
    if (this.#incumbent?.id === item.id && !this.#mayReturn(item)) {
      this.#heard()
      this.#incumbent = undefined
    }
    this.#judge()
  }

  /** The incumbent is awaited for `grace`, as its peers do (rule 24), unless it took its item along. */
  #mayReturn(item: MemberItem): boolean {
    if (!this.#standing.has(item.id)) return false
    const { agenda, nowMs, settings } = this.context
    this.#missingSinceMs ??= nowMs
    const untilMs = this.#missingSinceMs + settings.liveness.graceMs
    if (nowMs < untilMs) agenda.set(graceTimer, untilMs, () => this.#ask(item))
    return nowMs < untilMs
  }

  #heard(): void {
    this.#missingSinceMs = undefined
    this.context.agenda.cancel(graceTimer)
  }

  /**
   * Who is in goes before who is not, though its fence may be out at the moment: its item stands, with the epoch that it
   * answers. Two that start at once, or were both in, would wait for each other for ever: the smaller JID goes first.
   */
  #yieldsTo(item: MemberItem, { phase, epoch }: Status): boolean {
    if (this.#isEstablished || phase === 'leaving') return false
    if (phase === 'ready') return true
    const isIn = this.#standing.has(item.id) && epoch === item.epoch
    return isIn === this.#isIn ? item.id < this.context.settings.jid : isIn
  }

  #ask(item: MemberItem): void {
    this.#pending.add(item.id)
    // So that the server tells each of the other's end.
    this.presence.tell(item.jid)
    this.asks.ask('rival', item.jid, {
      answered: (_from, status) => this.#answered(item, status),
      failed: () => this.#unanswered(item),
    })
  }

  #judge(): void {
    if (this.#isEstablished || !this.#isMembersRead) return
    if (this.#pending.size > 0 || this.#incumbent) return
    this.#isEstablished = true
    this.#isIn = true
    for (const id of this.#items.keys()) health(this.context, healthKey(id), 'error')
    const hasYielded = this.#hasYielded
    this.#hasYielded = false
    this.outlets.onJudged(hasYielded)
  }

  #complain(other: string, refused: string): void {
    const { eid } = this.context.settings
    const text =
      `${other} claims the EID ${eid} of this PBX too; ${refused} is refused until the other leaves. ` +
      `Give each Asterisk its own entityid in asterisk.conf.`
    health(this.context, healthKey(other), 'error', text)
    log(this.context, 'error', 'two members claim one EID', { eid, other, refused })
  }
}

function healthKey(jid: string): string {
  return `eid:${jid}`
}
