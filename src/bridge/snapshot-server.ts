/** Serves the own table in pages, to two members at a time (rules 14 and 15), each of which is given so much a second. */
import type { Page, PageQuery } from './messages.js'
import { Pace } from './pace.js'
import { Patience } from './patience.js'
import { type FeedEntry, type Key, type StateEntry, keyOf } from './state.js'
import { takeFitting, wireOctets } from './wire.js'

const maxReaders = 2
/** A reader that asks for no further page for this long has given up. */
const readerIdleMs = 3_000
/**
 * Octets, after which a reader begins no further pull: half of what a server reads of a bridge, as we ship it. What
 * began goes on to its end, as a table may be larger than any allowance; the next one then waits for longer.
 */
const allowance = { perSecond: 500_000, atOnce: 1_000_000 }

interface Reader {
  readonly lastMs: number
  /** Where its last page ended. Only a reader that asks for what comes next goes on with a pull. */
  readonly upTo: Key | undefined
  /** How much this reader is given at once: more, as long as it asks for the next page soon. */
  readonly pace: Pace
}

export class SnapshotServer {
  /** By bare JID: a member has one place, whatever resources it asks from. */
  readonly #readers = new Map<string, Reader>()
  readonly #patience = new Patience(allowance)
  #sortedKeys: readonly Key[] | undefined

  constructor(private readonly table: ReadonlyMap<Key, StateEntry>) {}

  /** The table has changed by this entry; the order of its keys is kept unless one came or went. */
  changed(entry: FeedEntry): void {
    const keys = this.#sortedKeys
    if (!keys) return
    if (entry.kind !== 'gone') {
      const key = keyOf(entry.kind, entry.id)
      if (keys[firstAfter(keys, key) - 1] === key) return
    }
    this.#sortedKeys = undefined
  }

  /**
   * One page in key order; `undefined` where the reader has to wait for a place, or asks too much. Its first page holds what
   * the own server takes at once, `feedOctets`; the next ones what the time until it asks again allows, also where it gave up
   * and begins anew.
   */
  page(
    reader: string,
    query: PageQuery,
    nowMs: number,
    feedOctets: number,
  ): Pick<Page, 'entries' | 'isLast'> | undefined {
    const after = query.after && keyOf(query.after.kind, query.after.id)
    const known = this.#readers.get(reader)
    const isNext = after !== undefined && after === known?.upTo
    if (!isNext && !this.#patience.has(reader, nowMs)) return undefined
    for (const [other, { lastMs }] of this.#readers) {
      if (nowMs - lastMs > readerIdleMs) this.#readers.delete(other)
    }
    if (!this.#readers.has(reader) && this.#readers.size >= maxReaders) return undefined
    known?.pace.answered(nowMs - known.lastMs, true)
    const pace = known?.pace ?? new Pace(feedOctets)
    const { entries, isLast } = this.#cut(after, query.max, pace.octets)
    const octets = entries.reduce((sum, entry) => sum + wireOctets(entry), 0)
    this.#patience.spend(reader, nowMs, octets)
    const last = entries.at(-1)
    if (isLast) this.#readers.delete(reader)
    else this.#readers.set(reader, { lastMs: nowMs, upTo: last && keyOf(last.kind, last.id), pace })
    return { entries, isLast }
  }

  /** The own stream is down: with the next one readers come by another way. */
  reset(): void {
    this.#readers.clear()
  }

  #cut(after: Key | undefined, max: number, octets: number): Pick<Page, 'entries' | 'isLast'> {
    const keys = (this.#sortedKeys ??= [...this.table.keys()].sort())
    const from = after === undefined ? 0 : firstAfter(keys, after)
    const entries = takeFitting(this.#entries(keys, from), max, octets)
    return { entries, isLast: from + entries.length >= keys.length }
  }

  *#entries(keys: readonly Key[], from: number): Generator<StateEntry> {
    for (let index = from; index < keys.length; index += 1) {
      const entry = this.table.get(keys[index] as Key)
      if (entry) yield entry
    }
  }
}

/** Index of the first key greater than `key` (binary search). */
function firstAfter(keys: readonly Key[], key: Key): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] as Key) <= key) low = middle + 1
    else high = middle
  }
  return low
}
