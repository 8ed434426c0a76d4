/** One other member, as far as it is known here. */
import type { News } from './injection.js'
import type { MemberItem, Phase } from './messages.js'
import type { Replica } from './replica.js'
import type { EntityId } from './state.js'

/**
 * `unknown`: seen in `members`, not yet heard. `suspected`: the server says that it is gone, `grace` runs. `dead`: its
 * device states are withdrawn, its message counts stay (rules 21 and 22).
 */
export type Life = 'unknown' | 'alive' | 'suspected' | 'dead'

/** How its server says that a full JID has no stream (RFC 6121 §8.5.3.2.3); silence may be that of a slow one. */
export const absences: ReadonlySet<string> = new Set([
  'service-unavailable',
  'recipient-unavailable',
])

export interface Peer {
  /** Bare JID. */
  readonly jid: string
  readonly eid: EntityId
  item: MemberItem
  life: Life
  /** What it answered last. */
  phase: Phase | undefined
  /** It answered for its EID from the full JID that it claims, and nobody else alive holds that EID (rule 18). */
  isBelieved: boolean
  /** Why it is not believed, where it was refused. */
  refusal: string | undefined
  /** It answers `forbidden`: its `trust` does not name this member. */
  isRefusing: boolean
  /** Its device states are held, but no longer given to Asterisk (rules 16 and 23). */
  isStale: boolean
  /** Its service has said, on this stream, that its feed is subscribed to. */
  isFollowed: boolean
  /** Its table is complete as of its epoch and sequence, and its feed is followed. */
  isSynced: boolean
  lastHeardMs: number
  /** Since when the own stream is back, ms, where it was alive when that ended and has not been heard since. */
  awaitedSinceMs: number | undefined
  /** Since it was last in sync a page that it was asked for did not come, or could not be taken. */
  missedSinceMs: number | undefined
  /** When its pubsub service, or the own one, was last known to let requests wait, ms; -Infinity: never. */
  serviceLateMs: number
  /** Since when it is alive, ms; a `grace` that it survived does not count. */
  aliveSinceMs: number | undefined
  /** Why it is suspected or dead. */
  reason: string | undefined
  /** From the oldest change of its last batch to that batch's arrival, ms, as far as its clock can be believed. */
  delayMs: number | undefined
  /** While a batch of it is applied. */
  news: News | undefined
  /** It is absent, and its retained node could not be read. */
  isRetainedUnread: boolean
  readonly replica: Replica
}

/** Where the publisher is hidden anybody may have written its item, with a service of his own: it must have answered. */
export function mayTakeRetained({ isBelieved, item }: Peer): boolean {
  return isBelieved || item.publisher !== undefined
}
