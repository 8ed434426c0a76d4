/** The message counts of absent members, read from their retained nodes: a voicemail does not vanish with a server (rule 22). */
import type { Context } from './context.js'
import { type Peer, mayTakeRetained } from './peer.js'
import type { Roster } from './roster.js'
import type { EntityId, StateEntry } from './state.js'

export class Retained {
  constructor(
    private readonly context: Context,
    private readonly roster: Roster,
  ) {}

  /** Its devices are discarded; what was not told here of its counts before it died is read. */
  died(peer: Peer): void {
    const { isComplete } = peer.replica
    peer.isRetainedUnread = false
    peer.replica.discardDevices()
    if (!isComplete) this.read(peer)
  }

  /** Reads what its node holds, where that may be believed. */
  read(peer: Peer): void {
    if (!mayTakeRetained(peer)) return
    peer.isRetainedUnread = false
    const { service, eid } = peer.item
    const kind = 'message_waiting'
    this.context.emit({ to: 'cluster', do: 'readWindow', member: peer.jid, service, eid, kind })
  }

  received(eid: EntityId, entries: readonly StateEntry[]): void {
    const peer = this.roster.holder(eid)
    if (peer?.life === 'dead' && mayTakeRetained(peer)) peer.replica.takeRetained(entries)
  }

  /** It could not be read: the next look at `members`, or question that is not answered, tries again. */
  failed(eid: EntityId): void {
    const peer = this.roster.holder(eid)
    if (peer?.life === 'dead') peer.isRetainedUnread = true
  }
}
