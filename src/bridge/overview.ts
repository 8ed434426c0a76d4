/** What stands in the bridge, as others may see it: for gauges, readiness and the commands. */
import type { DepartedMember } from './departed.js'
import type { Status } from './messages.js'
import type { Life, Peer } from './peer.js'
import type { EntityId } from './state.js'

export interface MemberOverview {
  readonly jid: string
  readonly eid: EntityId
  readonly name: string
  readonly version: string
  readonly pbxVersion?: string
  readonly life: Life
  /** Why it is suspected or dead. */
  readonly reason?: string
  readonly isBelieved: boolean
  readonly refusal?: string
  /** It answers `forbidden`: its `trust` does not name this member. */
  readonly isRefusing?: boolean
  /** Its table is complete. */
  readonly isSynced: boolean
  readonly isStale: boolean
  readonly sequence: number
  /** How many states are held of it … */
  readonly states: number
  /** … and how many of those are message counts. */
  readonly mailboxes: number
  /** How many different names it has given the own Asterisk since that started. */
  readonly names: number
  /** Monotonic, ms. */
  readonly aliveSinceMs?: number
  readonly lastHeardMs: number
  /** From the oldest change of its last batch to that batch's arrival, ms. */
  readonly delayMs?: number
}

/** The own status and what surrounds it. */
export interface Overview extends Status {
  /** The own full JID while the stream is up. */
  readonly jid?: string
  readonly isAsteriskFound: boolean
  /** Asterisk has told all of its states: the fence is back (rule 1). */
  readonly isFenced: boolean
  /** Of Asterisk, as it names itself in SIP. */
  readonly pbxVersion?: string
  /** The own pubsub nodes are there. */
  readonly hasOwnNodes: boolean
  /** The list of members was read on this stream. */
  readonly isMembersRead: boolean
  /** How many own states the cluster has been told. */
  readonly ownStates: number
  /** How many of those are message counts. */
  readonly ownMailboxes: number
  readonly feedPending: number
  /** How long the last batch's oldest change took until the server had it, ms. */
  readonly feedLagMs: number
  readonly windowPending: number
  /** How many states of peers are in the own Asterisk, or are about to be. */
  readonly injected: number
  /** How many of those are message counts. */
  readonly injectedMailboxes: number
  readonly injectionPending: number
  /** How long the last injection took from its change to Asterisk's answer, ms. */
  readonly injectionLagMs: number
  /** How many different names the members have given the own Asterisk since that started. */
  readonly names: number
  readonly members: readonly MemberOverview[]
  /** Who left for good of late. */
  readonly departed: readonly DepartedMember[]
}

export function memberOverview(peer: Peer, names: number): MemberOverview {
  return {
    jid: peer.jid,
    eid: peer.eid,
    name: peer.item.name,
    version: peer.item.version,
    ...(peer.item.pbxVersion !== undefined && { pbxVersion: peer.item.pbxVersion }),
    life: peer.life,
    ...(peer.reason !== undefined && { reason: peer.reason }),
    isBelieved: peer.isBelieved,
    ...(peer.refusal !== undefined && { refusal: peer.refusal }),
    ...(peer.isRefusing && { isRefusing: true }),
    isSynced: peer.isSynced,
    isStale: peer.isStale,
    sequence: peer.replica.sequence,
    states: peer.replica.size,
    mailboxes: peer.replica.mailboxes,
    names,
    ...(peer.aliveSinceMs !== undefined && { aliveSinceMs: peer.aliveSinceMs }),
    lastHeardMs: peer.lastHeardMs,
    ...(peer.delayMs !== undefined && { delayMs: peer.delayMs }),
  }
}

/**
 * Why the member is not in sync yet; none where it is. A peer that refuses this one keeps it from nothing: only an
 * administrator can mend that, and its health warning stands.
 */
export function unreadiness(overview: Overview): string[] {
  const reasons: string[] = []
  if (!overview.isAsteriskFound) reasons.push('Asterisk does not answer')
  if (overview.jid === undefined) reasons.push('the XMPP stream is down')
  else if (!overview.hasOwnNodes) reasons.push('the own pubsub nodes are not made')
  const isListAwaited = overview.isFenced && !overview.isMembersRead
  if (overview.phase === 'syncing' && isListAwaited) {
    if (overview.jid !== undefined) reasons.push('the list of members was not read yet')
  } else if (overview.phase !== 'ready') reasons.push(`this member is ${overview.phase}`)
  for (const { jid, life, isSynced, refusal, isRefusing = false } of overview.members) {
    if (refusal !== undefined || isRefusing || life === 'dead' || isSynced) continue
    if (life === 'unknown') reasons.push(`${jid} was not heard yet`)
    else reasons.push(`the states of ${jid} are not complete`)
  }
  if (overview.injectionPending > 0) {
    reasons.push(`${overview.injectionPending} states wait for Asterisk`)
  }
  return reasons
}
