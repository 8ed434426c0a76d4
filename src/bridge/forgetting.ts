/**
 * Members that have left, and those that an administrator has had forgotten (rules 12 and 22): what they said in the
 * epochs of before is not taken any more, though their item and their message counts may stand on the server. It is no
 * ban: a new epoch is a new member, and whoever answers all the same is taken in again.
 */
import type { Asks } from './asks.js'
import type { Census } from './census.js'
import type { Context } from './context.js'
import type { Injection } from './injection.js'
import type { MemberItem } from './messages.js'
import type { Peer } from './peer.js'
import type { Roster } from './roster.js'
import type { EntityId } from './state.js'

/** Whom `forget` named, and in which epochs it was known; the journal keeps it over restarts. */
export interface ForgottenMember {
  /** Bare JID. */
  readonly jid: string
  readonly epochs: readonly string[]
}

export interface ForgettingParts {
  readonly asks: Asks
  readonly census: Census
  readonly injection: Injection
  readonly roster: Roster
  /** Withdraws everything of a peer and drops it. */
  readonly dismiss: (peer: Peer, reason: string) => void
}

export class Forgetting {
  /** Epochs that have ended, by bare JID. */
  readonly #ended = new Map<string, ReadonlySet<string>>()
  readonly #forgotten: Map<string, ReadonlySet<string>>

  constructor(
    private readonly context: Context,
    private readonly parts: ForgettingParts,
    forgotten: readonly ForgottenMember[],
  ) {
    this.#forgotten = new Map(forgotten.map(({ jid, epochs }) => [jid, new Set(epochs)]))
  }

  /** The peer has left for good, in the epoch named, if one was. */
  left(peer: Peer, epoch?: string): void {
    this.#ended.set(peer.jid, new Set([...epochsOf(peer), ...(epoch === undefined ? [] : [epoch])]))
  }

  /** Is what that bare JID said in that epoch over? */
  isOver(jid: string, epoch: string): boolean {
    return (this.#ended.get(jid)?.has(epoch) ?? false) || this.#isForgotten(jid, epoch)
  }

  /** Is the item of an epoch that is over? Calls `take` where its member answers in that epoch all the same. */
  keepsOut(item: MemberItem, take: () => void): boolean {
    if (!this.isOver(item.id, item.epoch)) return false
    this.#ask(item, take)
    return true
  }

  /**
   * Drops what is kept of a member, its message counts too (rule 22), by its bare JID or, where it is not known any
   * more, its EID or full JID.
   */
  forget(member: string): void {
    const { census, dismiss, injection } = this.parts
    const kept = this.#kept(member)
    if (typeof kept === 'object') {
      this.#remember(kept.jid, epochsOf(kept))
      dismiss(kept, 'it was forgotten')
      return
    }
    if (kept === undefined) return
    const item = census.itemOf(member)
    if (item) this.#remember(item.id, [item.epoch])
    injection.withdrawMember(kept)
  }

  /** Is anything kept of that member? */
  keeps(member: string): boolean {
    const kept = this.#kept(member)
    return typeof kept === 'string' ? this.parts.injection.holdsOf(kept) : kept !== undefined
  }

  /** The id of that member's item, its bare JID, if one is known. */
  itemIdOf(member: string): string | undefined {
    const kept = this.#kept(member)
    return typeof kept === 'string' ? this.parts.census.itemOf(member)?.id : kept?.jid
  }

  /** Whom that names: who is known, or else an EID under which something may have been injected. */
  #kept(member: string): Peer | EntityId | undefined {
    const { roster, census } = this.parts
    const peer = roster.get(member)
    if (peer) return peer
    // The resource of a full JID is the EID (rule 20).
    const eid = census.entityIdOf(member) ?? member.slice(member.indexOf('/') + 1)
    const holder = roster.holder(eid)
    if (!holder) return eid
    return member === eid || member === holder.item.jid ? holder : undefined
  }

  #isForgotten(jid: string, epoch: string): boolean {
    return this.#forgotten.get(jid)?.has(epoch) ?? false
  }

  #remember(jid: string, epochs: readonly string[]): void {
    this.#forgotten.set(jid, new Set(epochs))
    this.context.emit({ to: 'journal', do: 'forget', jid, epochs })
  }

  /**
   * Who was forgotten may have been dead to this member only: the stream, or the network, had parted them. Who has left may
   * be there again: its last run is heard to leave when the item of the next one has come already.
   */
  #ask(item: MemberItem, take: () => void): void {
    this.parts.asks.ask('over', item.jid, {
      answered: (from, { eid, epoch, phase }) => {
        const isIt = from === item.jid && eid === item.eid && epoch === item.epoch
        if (!isIt || phase === 'leaving') return
        this.#ended.delete(item.id)
        if (this.#forgotten.delete(item.id)) {
          this.context.emit({ to: 'journal', do: 'forget', jid: item.id, epochs: [] })
        }
        take()
      },
      failed: () => undefined,
    })
  }
}

/** Its item may still stand in `members` with the epoch of a run before the last. */
function epochsOf({ replica, item }: Peer): string[] {
  return [...new Set([replica.epoch, item.epoch].filter((epoch) => epoch !== undefined))]
}
