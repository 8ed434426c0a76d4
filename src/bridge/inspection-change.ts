/** Tells whoever watches of a change as it passes. */
import type { Change } from './commands.js'
import type { Context } from './context.js'
import type { Peer } from './peer.js'
import type { FeedEntry, StateEntry } from './state.js'

export interface Origin extends Pick<Change, 'eid' | 'jid' | 'name'> {
  readonly isOwn?: boolean
  readonly delayMs?: number
}

/** A peer; the delay is that of the batch which is being applied. */
export function peerOrigin({ eid, jid, item, news }: Peer, nowMs: number): Origin {
  const originMs = news?.originMs
  return { eid, jid, name: item.name, ...(originMs !== undefined && { delayMs: nowMs - originMs }) }
}

/** `entry` is what its origin says now, `before` what it said before. */
export function tellChange(
  context: Context,
  { eid, jid, name, isOwn = false, delayMs }: Origin,
  entry: FeedEntry,
  before?: StateEntry,
): void {
  const change: Change = {
    eid,
    jid,
    name,
    isOwn,
    kind: entry.kind === 'gone' ? entry.of : entry.kind,
    id: entry.id,
    ...(before && { before }),
    ...(entry.kind !== 'gone' && { after: entry }),
    ...(delayMs !== undefined && { delayMs }),
  }
  context.emit({ to: 'observe', do: 'changed', change })
}
