/** Serves the own table in pages, two readers at a time (rules 14 and 15). */
import type { Page, PageQuery } from './messages.js'
import { type FeedEntry, type Key, type StateEntry, keyOf } from './state.js'
import { maxEntriesOctets, takeFitting } from './wire.js'

const maxReaders = 2
/** A reader that asks for no further page for this long has given up. */
const readerIdleMs = 3_000

export class SnapshotServer {
  readonly #readers = new Map<string, number>()
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

  /** Takes a place for that reader; `false` where it has to wait. */
  admit(reader: string, nowMs: number): boolean {
    for (const [other, lastMs] of this.#readers) {
      if (nowMs - lastMs > readerIdleMs) this.#readers.delete(other)
    }
    if (!this.#readers.has(reader) && this.#readers.size >= maxReaders) return false
    this.#readers.set(reader, nowMs)
    return true
  }

  /** Gives up that reader's place: it has its last page. */
  dismiss(reader: string): void {
    this.#readers.delete(reader)
  }

  /** The entries of one page, in key order, of at most so many octets. */
  page(query: PageQuery, maxOctets = maxEntriesOctets): Pick<Page, 'entries' | 'isLast'> {
    const keys = (this.#sortedKeys ??= [...this.table.keys()].sort())
    const from = query.after ? firstAfter(keys, keyOf(query.after.kind, query.after.id)) : 0
    const entries = takeFitting(this.#entries(keys, from), query.max, maxOctets)
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
