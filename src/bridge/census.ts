/**
 * What the readings of `members` say of those that do not speak for themselves: whose message counts an earlier run
 * injected (rule 22), who has an item but was never believed (rule 18), and which dead member has left unheard.
 *
 * A missing item alone is no death (rule 19), and death alone takes no message counts (rule 22). Both together say that a
 * member has left, for it takes its item along when it does – unless the service has lost its store, which takes all items
 * alike. So this member's own item tells the two apart: what is missing with it was lost, and tells nothing until it is
 * seen again.
 */
import { type Context, count, health, log } from './context.js'
import type { Injection } from './injection.js'
import type { MemberItem } from './messages.js'
import { objectionTo } from './objections.js'
import { absentAfterMs } from './own-absence.js'
import type { Peer } from './peer.js'
import type { Roster } from './roster.js'

/** Where the service hides publishers anybody may write items: so many that nobody vouched for are followed. */
const maxUnbelieved = 200

export interface CensusOutlets {
  /** It has left. */
  dismiss(peer: Peer): void
  /** When a member that has not been heard on this stream should be back, ms. */
  returnedByMs(): number
}

export class Census {
  /** The items of the last reading that may be members'. */
  #items: readonly MemberItem[] | undefined
  /** Not named by the reading before the next: an item that was pushed during a reading is not gone. */
  #missing = new Set<string>()
  /** Items that may have been lost with the store; one that comes again is another object. */
  readonly #lost = new WeakMap<Peer, MemberItem>()
  #isCrowded = false
  #isCountsDue = false

  constructor(
    private readonly context: Context,
    private readonly injection: Injection,
    private readonly roster: Roster,
    private readonly outlets: CensusOutlets,
  ) {
    const { staleAfterMs } = context.settings.liveness
    const absentMs = context.nowMs + absentAfterMs(context.settings.liveness)
    context.agenda.set('inherited-devices', absentMs, () => this.#releaseAllDevices())
    context.agenda.set('inherited-counts', context.nowMs + staleAfterMs, () => {
      this.#isCountsDue = true
      this.#releaseCounts()
    })
  }

  /** A reading of `members` is complete, and its items were considered. */
  read(items: readonly MemberItem[]): void {
    this.#items = items.filter((item) => objectionTo(item, this.context.settings) === undefined)
    const missing = this.#unnamed(items)
    if (!items.some(({ id }) => id === this.context.settings.jid)) this.#lose(missing)
    this.#dismissGone(missing)
    this.#releaseCounts()
  }

  /** Own nodes went without a word, perhaps with the whole store: this member's item may be back before it is missed. */
  storeDoubted(): void {
    this.#lose(this.roster.peers)
  }

  /** May one more that nobody has vouched for be followed? */
  admits(item: MemberItem): boolean {
    if (this.#unbelieved().length < maxUnbelieved) return true
    count(this.context, 'refused_items', { kind: 'members', reason: 'too many' })
    if (this.#isCrowded) return false
    this.#isCrowded = true
    log(this.context, 'warn', 'too many member items that nobody answers for', { item: item.id })
    health(
      this.context,
      'members-crowd',
      'warning',
      `more than ${maxUnbelieved} member items that nobody answers for: the others are left out. Retract those that ` +
        `are no members', and have the server show publishers.`,
    )
    return false
  }

  /**
   * It may have died while this bridge was down: what an earlier run injected of it gets `grace`, as at any death, and the time
   * that it may take to come back where its server was away.
   */
  releaseDevices(peer: Peer): void {
    const { agenda, nowMs, settings } = this.context
    const timer = `inherited:${peer.jid}`
    if (agenda.has(timer)) return
    const atMs = Math.max(nowMs + settings.liveness.graceMs, this.outlets.returnedByMs())
    agenda.set(timer, atMs, () => {
      if (peer.life === 'dead') this.injection.withdrawInheritedDevices(peer.eid)
    })
  }

  /** No snapshot came since the start (rule 9); where the stream is just there, those that are late are waited for, once. */
  #releaseAllDevices(): void {
    const withdraw = (): void => this.injection.withdrawInheritedDevices()
    const { agenda, nowMs } = this.context
    const returnedByMs = this.outlets.returnedByMs()
    if (nowMs >= returnedByMs) withdraw()
    else agenda.set('inherited-devices', returnedByMs, withdraw)
  }

  /** The other's item that the last reading gives for that EID, full or bare JID. */
  itemOf(member: string): MemberItem | undefined {
    return this.#items?.find(
      ({ id, jid, eid }) => id !== this.context.settings.jid && [id, jid, eid].includes(member),
    )
  }

  /** The EID that the last reading gives for that bare JID. */
  entityIdOf(jid: string): string | undefined {
    return this.#items?.find(({ id }) => id === jid)?.eid
  }

  #unbelieved(): Peer[] {
    return [...this.roster.peers].filter((peer) => !peer.isBelieved)
  }

  #unnamed(items: readonly MemberItem[]): Peer[] {
    const [there, admissible] = [items, this.#items].map(
      (each) => new Set(each?.map(({ id }) => id)),
    )
    // Who was believed has an item there although another may have written it.
    return [...this.roster.peers].filter(
      ({ jid, isBelieved }) => !(isBelieved ? there : admissible)?.has(jid),
    )
  }

  #lose(peers: Iterable<Peer>): void {
    for (const peer of peers) this.#lost.set(peer, peer.item)
  }

  #dismissGone(missing: readonly Peer[]): void {
    for (const peer of missing) {
      if (this.#missing.has(peer.jid) && this.#isGone(peer)) this.outlets.dismiss(peer)
    }
    this.#missing = new Set(missing.map(({ jid }) => jid))
    if (!this.#isCrowded || this.#unbelieved().length >= maxUnbelieved) return
    this.#isCrowded = false
    health(this.context, 'members-crowd', 'warning')
  }

  /** Of one whose item is missing. */
  #isGone(peer: Peer): boolean {
    const isLost = this.#lost.get(peer) === peer.item
    // Of one that was absent all the time nothing but its message counts is worth keeping.
    if (!peer.isBelieved) return !isLost || peer.replica.mailboxes === 0
    return !isLost && peer.life === 'dead'
  }

  /** Whoever left while this bridge was down took its item along: `stale_after` after the start nobody names its EID. */
  #releaseCounts(): void {
    if (!this.#isCountsDue || !this.#items) return
    const named = new Set(this.#items.map(({ eid }) => eid))
    // A missing item alone is no death (rule 19).
    for (const peer of this.roster.peers) if (peer.isBelieved) named.add(peer.eid)
    this.injection.withdrawInheritedMailboxes(named)
    this.#isCountsDue = false
  }
}
