/** Who is known, and who holds which EID (rule 18). */
import type { Context } from './context.js'
import type { FeedAt } from './events.js'
import type { MemberItem } from './messages.js'
import { Namesakes } from './namesakes.js'
import type { Peer } from './peer.js'
import { Replica } from './replica.js'
import type { EntityId, FeedEntry, StateEntry } from './state.js'

export interface RosterOutlets {
  /** An entry of a peer's table changed or went; `before` is what stood there. */
  onChange(peer: Peer, entry: FeedEntry, before?: StateEntry): void
  /** A peer has more states than are held. */
  onFull(peer: Peer): void
}

export class Roster {
  readonly #peers = new Map<string, Peer>()
  readonly #namesakes: Namesakes

  constructor(
    private readonly context: Context,
    private readonly outlets: RosterOutlets,
  ) {
    this.#namesakes = new Namesakes(context)
  }

  get peers(): IterableIterator<Peer> {
    return this.#peers.values()
  }

  get size(): number {
    return this.#peers.size
  }

  get(jid: string): Peer | undefined {
    return this.#peers.get(jid)
  }

  /** Whose feed that is; nobody's where its member has another by now: what is said of it says nothing of that one. */
  ownerOf({ member, service, eid }: FeedAt): Peer | undefined {
    const peer = this.#peers.get(member)
    return peer?.item.service === service && peer.eid === eid ? peer : undefined
  }

  add(item: MemberItem): Peer {
    const peer: Peer = {
      jid: item.id,
      eid: item.eid,
      item,
      life: 'unknown',
      phase: undefined,
      isBelieved: false,
      refusal: undefined,
      isRefusing: false,
      isStale: false,
      isFollowed: false,
      isSynced: false,
      lastHeardMs: this.context.nowMs,
      awaitedSinceMs: undefined,
      missedSinceMs: undefined,
      serviceLateMs: -Infinity,
      aliveSinceMs: undefined,
      reason: undefined,
      delayMs: undefined,
      news: undefined,
      isRetainedUnread: false,
      replica: new Replica(
        (entry, before) => this.outlets.onChange(peer, entry, before),
        () => this.outlets.onFull(peer),
        () => this.context.nowMs,
      ),
    }
    this.#peers.set(item.id, peer)
    return peer
  }

  /** It has another item by now. */
  update(peer: Peer, item: MemberItem): void {
    peer.item = item
    this.#namesakes.judge(this.peers)
  }

  remove(jid: string): void {
    this.#peers.delete(jid)
    this.#namesakes.judge(this.peers)
  }

  /** Another live member that holds the peer's EID. */
  incumbent(peer: Peer): Peer | undefined {
    for (const other of this.peers) {
      const isRival = other !== peer && other.eid === peer.eid
      if (isRival && other.isBelieved && isLive(other)) return other
    }
    return undefined
  }

  /** May it be asked whether it holds its EID: does no live member that is in? */
  mayContest(peer: Peer): boolean {
    const incumbent = this.incumbent(peer)
    return incumbent === undefined || incumbent.phase === 'syncing'
  }

  /** The live incumbent stays, unless it is not in itself: it had been away, and another holds its EID since. */
  contest(peer: Peer): { readonly winner: Peer; readonly loser?: Peer } {
    const incumbent = this.incumbent(peer)
    if (!incumbent) return { winner: peer }
    const isLeft = peer.phase === 'ready' && incumbent.phase === 'syncing'
    return isLeft ? { winner: peer, loser: incumbent } : { winner: incumbent, loser: peer }
  }

  /** The peer from whose feed batches with that EID are taken. */
  holder(eid: EntityId): Peer | undefined {
    let holder: Peer | undefined
    for (const peer of this.peers) {
      if (peer.eid !== eid || peer.refusal !== undefined) continue
      // One that is dead may have been believed too.
      if (!holder || (peer.isBelieved && (isLive(peer) || !isLive(holder)))) holder = peer
    }
    return holder
  }
}

function isLive({ life }: Peer): boolean {
  return life === 'alive' || life === 'suspected'
}
