/** Asks the peers where they stand: in which epoch, at which number, and whether they are ready (rules 15, 16 and 21). */
import type { Asker, Asks } from './asks.js'
import type { Failure } from './events.js'
import type { Status } from './messages.js'
import type { Peer } from './peer.js'

/** What a peer is asked for: where it stands, or that because its feed brought nothing. */
const purposes = { standing: 'peer', silence: 'quiet' } as const

/** After what came of a question the next one follows, ms, plus jitter. */
const retryMs = { syncing: 1_000, unanswered: 2_000, dead: 15_000, forbidden: 60_000 } as const

export interface InquiriesOutlets {
  /** `false` where it must not be believed, left, or is not ready. */
  mayTake(peer: Peer, from: string, status: Status): boolean
  /** It is ready, and there. */
  onReady(peer: Peer, status: Status): void
  /** It answers that it is ready, or refuses this one, but its feed brought nothing for 1.5 heartbeats. */
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
    this.asks.ask(purposes.standing, peer.item.jid, this.#asker(peer))
  }

  /** Whoever was asked there may be gone. */
  askAnew(peer: Peer): void {
    this.drop(peer)
    this.ask(peer)
  }

  askLater(peer: Peer, because: keyof typeof retryMs): void {
    peer.isSynced = false
    this.asks.askLater(purposes.standing, peer.item.jid, this.#asker(peer), retryMs[because])
  }

  /** It goes, or is no longer there: what it was asked no longer counts. */
  drop({ item }: Peer): void {
    for (const purpose of Object.values(purposes)) this.asks.drop(purpose, item.jid)
  }

  /** Nothing comes of it. Only if it answers is its feed what is missing: else the server is late, and must not be drowned. */
  askQuiet(peer: Peer): void {
    const { sequence } = peer.replica
    const onAnswered = (): void => {
      if (peer.replica.sequence === sequence) this.outlets.onFeedMissed(peer)
    }
    const asker = this.#asker(peer, onAnswered)
    this.asks.ask(purposes.silence, peer.item.jid, {
      ...asker,
      failed: (failure) => {
        // Whoever refuses this member is there too.
        if (failure.condition === 'forbidden') onAnswered()
        asker.failed(failure)
      },
    })
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
