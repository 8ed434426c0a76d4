/**
 * Who says what of a mailbox, the own PBX among them, in the order of the changes: Asterisk keeps one count a mailbox, so
 * the last change stands there (rule 5). A member's first word is not known to be a change.
 */
import { type Context, health } from './context.js'
import { type EntityId, type MailboxEntry, isSameState } from './state.js'

export interface MailboxClaim {
  readonly eid: EntityId
  readonly entry: MailboxEntry
}

export class MailboxClaims {
  /** By mailbox, the last change last. */
  readonly #claims = new Map<string, readonly MailboxClaim[]>()

  constructor(private readonly context: Context) {}

  /** What stands, where anybody says anything. */
  last(mailbox: string): MailboxClaim | undefined {
    return this.#of(mailbox).at(-1)
  }

  /** What the own PBX says. */
  own(mailbox: string): MailboxEntry | undefined {
    return this.#of(mailbox).find((claim) => this.#isOwn(claim))?.entry
  }

  /** `false` where that member has said the same before: said once more it is no change. */
  claim(eid: EntityId, entry: MailboxEntry): boolean {
    const claims = this.#of(entry.id)
    const before = claims.find((claim) => claim.eid === eid)
    if (before && isSameState(before.entry, entry)) return false
    const others = claims.filter((claim) => claim !== before)
    const claim = { eid, entry }
    const place = before ? others.length : this.#placeOfFirstWord(claim, others)
    this.#set(entry.id, others.toSpliced(place, 0, claim))
    return true
  }

  /** `false` where that member had said nothing. */
  withdraw(eid: EntityId, mailbox: string): boolean {
    const claims = this.#of(mailbox)
    const others = claims.filter((claim) => claim.eid !== eid)
    if (others.length === claims.length) return false
    this.#set(mailbox, others)
    return true
  }

  /** Leaves what the own PBX says. */
  withdrawPeers(): void {
    for (const [mailbox, claims] of this.#claims) {
      this.#set(
        mailbox,
        claims.filter((claim) => this.#isOwn(claim)),
      )
    }
  }

  /** Who finds a mailbox empty has changed nothing; nor has a peer where messages lie in the own PBX. */
  #placeOfFirstWord(claim: MailboxClaim, others: readonly MailboxClaim[]): number {
    if (isEmpty(claim.entry)) return 0
    const last = others.at(-1)
    const isOwnLast = last !== undefined && this.#isOwn(last) && !isEmpty(last.entry)
    return isOwnLast ? others.length - 1 : others.length
  }

  #of(mailbox: string): readonly MailboxClaim[] {
    return this.#claims.get(mailbox) ?? []
  }

  #set(mailbox: string, claims: readonly MailboxClaim[]): void {
    const before = this.#of(mailbox)
    if (claims.length > 0) this.#claims.set(mailbox, claims)
    else this.#claims.delete(mailbox)
    this.#warn(mailbox, holdersOf(before), holdersOf(claims))
  }

  #warn(mailbox: string, before: readonly EntityId[], holders: readonly EntityId[]): void {
    if (holders.length === before.length || Math.max(holders.length, before.length) < 2) return
    const text = `Several members have messages in the mailbox ${mailbox} (${holders.join(', ')}); the last change wins. Keep it on one.`
    const key = `mailbox-owners:${mailbox}`
    health(this.context, key, 'warning', holders.length > 1 ? text : undefined)
  }

  #isOwn({ eid }: MailboxClaim): boolean {
    return eid === this.context.settings.eid
  }
}

/** Who has messages: a member from which the mailbox has moved goes on saying that it is empty there. */
function holdersOf(claims: readonly MailboxClaim[]): EntityId[] {
  return claims.filter(({ entry }) => !isEmpty(entry)).map(({ eid }) => eid)
}

export function isEmpty({ newMessages, oldMessages }: MailboxEntry): boolean {
  return newMessages + oldMessages === 0
}
