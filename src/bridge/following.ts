/**
 * The subscriptions to the peers' feeds (rules 14, 17 and 19). Whoever is not subscribed misses changes without a sign of it:
 * a peer is followed only from the moment when its service says so, on this stream.
 */
import type { Context } from './context.js'
import type { Failure } from './events.js'
import type { Peer } from './peer.js'
import { withRemedy } from './remedies.js'
import type { Troubles } from './troubles.js'

/** How a service says that who asks is not admitted to read the node (XEP-0060 §6.1.3.4), or not yet. */
const barred: ReadonlySet<string> = new Set(['forbidden', 'not-allowed', 'not-authorized'])
/** Its member admits whoever shows itself: what lasts longer than so many attempts is no matter of time. */
const patientMisses = 3
/** A node that is not there may be in the making, and who asks about to be admitted: it is asked again so soon, and then after twice the time … */
const firstRetryMs = 500
/** … up to this, which is what any other failure waits. */
const retryMs = 5_000
/** A feed that went may be about to be made again, and a burst of changes to it is answered once. */
const disturbedMs = 500

export class Following {
  /** JIDs whose feed is being asked for. */
  readonly #asked = new Set<string>()
  /** They have come, or show themselves anew, while their feed is being asked for. */
  readonly #hurried = new Set<string>()
  /** How often in a row the feed was not there, or not to be read. */
  readonly #misses = new WeakMap<Peer, number>()
  #isStreamUp = false
  /** Who was dismissed while the stream was down: the subscription outlives the stream (rule 17). */
  readonly #unwanted = new Set<Peer>()

  constructor(
    private readonly context: Context,
    private readonly troubles: Troubles,
  ) {}

  get isStreamUp(): boolean {
    return this.#isStreamUp
  }

  /** Subscribes to the peer's feed; with `isAgain` whatever is known of the subscription. */
  follow(peer: Peer, isAgain = false): void {
    if (isAgain) this.lost(peer)
    else if (this.#asked.has(peer.jid)) return
    this.#asked.add(peer.jid)
    this.context.agenda.cancel(timer(peer))
    const { service, eid } = peer.item
    this.context.emit({ to: 'cluster', do: 'subscribe', member: peer.jid, service, eid, isAgain })
  }

  /** The peer shows itself: its feed is there, and this member admitted, if ever. */
  hurry(peer: Peer): void {
    if (this.#asked.has(peer.jid)) this.#hurried.add(peer.jid)
    else this.follow(peer)
  }

  /** The service has said so; `false` where it had before. */
  confirmed(peer: Peer): boolean {
    const wasFollowed = peer.isFollowed
    this.#answered(peer)
    this.#misses.delete(peer)
    peer.isFollowed = true
    this.troubles.over(peer.jid, 'feed')
    return !wasFollowed
  }

  /** Says why, and tries again; of one that is known to be absent the next reading of `members` is soon enough. */
  failed(peer: Peer, failure: Failure): void {
    const isHurried = this.#answered(peer)
    this.lost(peer)
    // Nor is one that was refused meanwhile asked for anything.
    if (peer.life === 'dead' || peer.refusal !== undefined) return
    const isBarred = barred.has(failure.condition)
    const misses = this.#misses.get(peer) ?? 0
    // Whoever refuses this member has told so itself.
    if (!isBarred || (misses >= patientMisses && !peer.isRefusing)) {
      const text = withRemedy(failure, 'feed', this.context.settings, peer.item.service)
      this.troubles.raise(peer.jid, 'feed', text)
    }
    if (!isBarred && failure.condition !== 'item-not-found') this.#retryIn(peer, retryMs)
    else {
      this.#misses.set(peer, misses + 1)
      this.#retryIn(peer, isHurried ? 0 : Math.min(retryMs, firstRetryMs * 2 ** misses))
    }
  }

  /** The feed, or the subscription to it, may be gone (rule 19). */
  disturbed(peer: Peer): void {
    this.lost(peer)
    const atMs = this.context.nowMs + disturbedMs
    this.context.agenda.set(timer(peer), atMs, () => this.follow(peer, true))
  }

  /** What the feed tells no longer comes, or may not: a peer that is not followed is not in sync. */
  lost(peer: Peer): void {
    peer.isFollowed = false
    peer.isSynced = false
  }

  /** Its full JID or its service is another: what was asked there no longer counts. */
  moved(peer: Peer): void {
    this.end(peer)
    this.lost(peer)
  }

  /** Nothing more is asked for that peer. */
  end(peer: Peer): void {
    this.#answered(peer)
    this.context.agenda.cancel(timer(peer))
  }

  /** Drops the subscription to a member that is one no more: now, or before anything is subscribed to on the next stream. */
  unfollow(peer: Peer): void {
    if (!this.#isStreamUp) {
      this.#unwanted.add(peer)
      return
    }
    const { service, eid } = peer.item
    this.context.emit({ to: 'cluster', do: 'unsubscribe', service, eid })
  }

  streamUp(): void {
    this.#isStreamUp = true
    for (const peer of this.#unwanted) this.unfollow(peer)
    this.#unwanted.clear()
  }

  /** The stream is down: what it confirmed is asked for on the next one. */
  streamDown(peers: Iterable<Peer>): void {
    this.#isStreamUp = false
    this.#asked.clear()
    this.#hurried.clear()
    for (const peer of peers) {
      this.moved(peer)
      this.#misses.delete(peer)
    }
  }

  /** `true` where the peer has shown itself meanwhile. */
  #answered(peer: Peer): boolean {
    this.#asked.delete(peer.jid)
    return this.#hurried.delete(peer.jid)
  }

  #retryIn(peer: Peer, delayMs: number): void {
    const atMs = this.context.nowMs + delayMs * (1 + this.context.random())
    this.context.agenda.set(timer(peer), atMs, () => this.follow(peer))
  }
}

function timer({ jid }: Peer): string {
  return `follow:${jid}`
}
