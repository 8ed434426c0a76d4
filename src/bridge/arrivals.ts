/** Batches as they arrive: from whom one is taken (rule 18), and what it says of its way here. */
import { Clocks } from './clocks.js'
import { type Context, bareJid, count, measure, refused } from './context.js'
import type { BridgeEvent } from './events.js'
import type { Batch } from './messages.js'
import type { Peer } from './peer.js'
import type { BatchOutcome } from './replica.js'
import type { Roster } from './roster.js'
import { tally } from './state.js'

export type BatchReceived = Extract<BridgeEvent, { type: 'BatchReceived' }>

export class Arrivals {
  readonly #clocks: Clocks

  constructor(
    private readonly context: Context,
    private readonly roster: Roster,
  ) {
    this.#clocks = new Clocks(context)
  }

  /** The member whose batch it is; `undefined` where it is refused. */
  sender({ service, publisher, batch }: BatchReceived): Peer | undefined {
    const peer = this.roster.holder(batch.eid)
    const objection = !peer
      ? 'not a member'
      : peer.item.service !== service
        ? 'another service'
        : publisher !== undefined && bareJid(publisher) !== peer.jid
          ? 'another publisher'
          : undefined
    if (objection === undefined) return peer
    count(this.context, 'refused_items', { kind: 'feed', reason: objection })
    const from = publisher ?? `${batch.eid} at ${service}`
    refused(this.context, { what: 'feed', from, reason: objection })
    return undefined
  }

  /** Applies a batch to the peer's table; what changes there meanwhile is as old as the batch says. */
  apply(peer: Peer, batch: Batch): BatchOutcome {
    const { ageMs, entries } = batch
    peer.delayMs = ageMs === undefined ? undefined : this.#clocks.judge(peer, ageMs)
    const { delayMs } = peer
    peer.news = { originMs: delayMs === undefined ? undefined : this.context.nowMs - delayMs }
    const outcome = peer.replica.apply(batch)
    peer.news = undefined
    const isNews = outcome === 'applied' || outcome === 'gap'
    if (!isNews || entries.length === 0) return outcome
    measure(this.context, 'batch_entries', entries.length, { way: 'in' })
    for (const [kind, by] of tally(entries)) {
      count(this.context, 'changes_in', { kind, peer: peer.jid }, by)
    }
    return outcome
  }

  /** That peer is gone, and what was said of its clock. */
  forget(peer: Peer): void {
    this.#clocks.forget(peer)
  }
}
