/** Asks the peers where they stand: in which epoch, at which number, and whether they are ready (rules 15, 16 and 21). */
import type { Asker, Asks } from './asks.js'
import type { Failure } from './events.js'
import type { Status } from './messages.js'
import type { Peer } from './peer.js'

const purpose = 'peer'

export interface InquiriesOutlets {
  /** `false` where it must not be believed, left, or is not ready. */
  mayTake(peer: Peer, from: string, status: Status): boolean
  /** It is ready, and there. */
  onReady(peer: Peer, status: Status): void
  /** It is ready, but its feed brought nothing for 1.5 heartbeats. */
  onFeedMissed(peer: Peer): void
  onUnanswered(peer: Peer, failure: Failure): void
}

export class Inquiries {
  constructor(
    private readonly asks: Asks,
    private readonly outlets: InquiriesOutlets,
  ) {}

  /** Asks that peer, unless it is being asked. */
  ask(peer: Peer): void {
    this.asks.ask(purpose, peer.item.jid, this.#asker(peer))
  }

  /** Whoever was asked there may be gone. */
  askAnew(peer: Peer): void {
    this.asks.askAnew(purpose, peer.item.jid, this.#asker(peer))
  }

  askLater(peer: Peer, delayMs: number): void {
    peer.isSynced = false
    this.asks.askLater(purpose, peer.item.jid, this.#asker(peer), delayMs)
  }

  /** Nothing comes of it. Only if it answers is its feed what is missing: else the server is late, and must not be drowned. */
  askQuiet(peer: Peer): void {
    const { sequence } = peer.replica
    const asker = this.#asker(peer, () => {
      if (peer.replica.sequence === sequence) this.outlets.onFeedMissed(peer)
    })
    this.asks.ask('quiet', peer.item.jid, asker)
  }

  #asker(peer: Peer, onReady?: () => void): Asker {
    return {
      answered: (from, status) => {
        if (!this.outlets.mayTake(peer, from, status)) return
        onReady?.()
        this.outlets.onReady(peer, status)
      },
      failed: (failure) => this.outlets.onUnanswered(peer, failure),
    }
  }
}
