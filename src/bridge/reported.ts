/** What the own PBX said last, of all its devices and mailboxes: the filters decide only what of it is told. */
import type { Key, StateEntry } from './state.js'

/** So many uncachable states that are not shared are kept: `Local/` devices may have a name for each number called. */
const mostUncachable = 10_000

export class Reported {
  readonly #entries = new Map<Key, StateEntry>()
  /** Of the uncachable states that are not shared, the last told last. */
  readonly #bounded = new Set<Key>()

  constructor(private readonly mayShare: (entry: StateEntry) => boolean) {}

  get(key: Key): StateEntry | undefined {
    return this.#entries.get(key)
  }

  keys(): IterableIterator<Key> {
    return this.#entries.keys()
  }

  [Symbol.iterator](): IterableIterator<[Key, StateEntry]> {
    return this.#entries[Symbol.iterator]()
  }

  /** `false` where it leaves in force what was said before. */
  take(key: Key, entry: StateEntry): boolean {
    const isBounded = this.#isBounded(entry)
    // Asterisk goes on holding the cachable state of that device, and names it in its dump.
    if (isBounded && this.#entries.has(key) && !this.#bounded.has(key)) return false
    this.#entries.set(key, entry)
    this.#bound(key, isBounded)
    return true
  }

  delete(key: Key): void {
    this.#entries.delete(key)
    this.#bounded.delete(key)
  }

  /** The filters changed. */
  refilter(): void {
    for (const [key, entry] of this.#entries) {
      const isBounded = this.#isBounded(entry)
      if (isBounded !== this.#bounded.has(key)) this.#bound(key, isBounded)
    }
  }

  #isBounded(entry: StateEntry): boolean {
    return entry.kind === 'device_state' && !entry.cachable && !this.mayShare(entry)
  }

  #bound(key: Key, isBounded: boolean): void {
    this.#bounded.delete(key)
    if (!isBounded) return
    this.#bounded.add(key)
    const [oldest] = this.#bounded
    if (this.#bounded.size > mostUncachable && oldest !== undefined) this.delete(oldest)
  }
}
