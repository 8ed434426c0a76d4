/** What of the peers' states the own Asterisk is given: what is shared, not stale, and within its budget of names. */
import { type Context, health } from './context.js'
import type { Injection, News } from './injection.js'
import type { NameBudget } from './name-budget.js'
import type { Peer } from './peer.js'
import { maxStates } from './replica.js'
import type { Roster } from './roster.js'
import type { EntityId, FeedEntry, StateEntry } from './state.js'

export class Giving {
  constructor(
    private readonly context: Context,
    private readonly injection: Injection,
    private readonly roster: Roster,
    private readonly budget: NameBudget,
  ) {}

  /** An entry of a peer's table changed or went. */
  changed(peer: Peer, entry: FeedEntry): void {
    const news = peer.replica.isReplaying ? {} : peer.news
    if (entry.kind === 'gone') this.injection.unwant(peer.eid, entry.of, entry.id, news)
    else this.#give(peer, entry, news)
  }

  /** Gives Asterisk what it should hold of that peer, and takes back what not. */
  giveAll(peer: Peer): void {
    for (const entry of peer.replica.entries()) this.#give(peer, entry)
  }

  /** Asterisk has restarted: what had no place in it may have one now. */
  giveAgain(): void {
    for (const peer of this.roster.peers) if (peer.refusal === undefined) this.giveAll(peer)
  }

  /** What one member took with it, another that holds its EID may say too; `false` where there is none. */
  giveHeirs(eid: EntityId): boolean {
    const heirs = [...this.roster.peers].filter(
      (peer) => peer.eid === eid && peer.refusal === undefined,
    )
    for (const heir of heirs) this.giveAll(heir)
    return heirs.length > 0
  }

  /** A peer has more states than are held. */
  full({ jid }: Peer): void {
    const text = `${jid} has more than ${maxStates} states; the others are left out. Narrow its share filters.`
    health(this.context, fullKey(jid), 'warning', text)
  }

  /** That peer is gone, and what was said of its size. */
  dismissed({ jid }: Peer): void {
    health(this.context, fullKey(jid), 'warning')
  }

  #give(peer: Peer, entry: StateEntry, news?: News): void {
    const share = this.context.settings.share[entry.kind]
    const isStale = peer.isStale && entry.kind === 'device_state'
    const isWanted = share.subscribe && share.isShared(entry.id) && !isStale
    if (isWanted && this.budget.admits(peer.jid, entry.kind, entry.id))
      this.injection.want(peer.eid, entry, news)
    else this.injection.unwant(peer.eid, entry.kind, entry.id, news)
  }
}

function fullKey(jid: string): string {
  return `member-size:${jid}`
}
