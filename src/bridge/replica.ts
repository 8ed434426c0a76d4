/**
 * What is held of one peer: its table as far as its feed and its snapshot told, each entry with the sequence number
 * that it is known from (rules 11 to 14). Pure bookkeeping; who is believed and alive is decided elsewhere.
 */
import type { Batch, Page, PageQuery, Status } from './messages.js'
import { maxEntries } from './messages.js'
import type { FeedEntry, Key, Kind, StateEntry } from './state.js'
import { idOfKey, isSameState, keyOf, kindOfKey } from './state.js'

/** Batches that outran the first page are kept up to this many; a gap mends what is beyond. */
const maxEarlyBatches = 64

/** No Asterisk has as many devices and mailboxes; a member that tells of more is not to fill the memory of the others. */
export const maxStates = 100_000

/** So many states in pages of the longest names, and some: a snapshot without an end is broken off. */
const maxPages = 2_000

/** An entry and since when it says so here, ms. */
export interface Dated<Entry extends StateEntry = StateEntry> {
  readonly entry: Entry
  readonly changedMs: number
}

interface Held extends Dated {
  /** Sequence number as of which it is known; 0 for what another epoch told. */
  sequence: number
  /** The pull whose page named it last; 0 where a batch told it since. */
  readonly pull: number
}

interface Pull {
  readonly number: number
  readonly early: Batch[]
  /** What went away during the pull, and when: an older page must not bring it back. */
  readonly tombstones: Map<Key, number>
  /** For each page: the last key that it covers, and its sequence number. */
  readonly pages: { readonly upTo: Key | undefined; readonly sequence: number }[]
  after?: { readonly kind: Kind; readonly id: string }
}

export type BatchOutcome =
  /** Applied, or kept until the first page. */
  | 'applied'
  /** Already held. */
  | 'duplicate'
  /** Batches are missing before it: pull. Applied as far as it goes. */
  | 'gap'
  /** Of an epoch that is not held: pull. */
  | 'foreign'

export type PageOutcome = 'more' | 'done' | 'restart'

export class Replica {
  readonly #table = new Map<Key, Held>()
  #mailboxes = 0
  #epoch: string | undefined
  #sequence = 0
  #isComplete = false
  #pull: Pull | undefined
  #pullCount = 0
  #isFull = false
  #isReplaying = false

  /**
   * `onChange` is called for every entry that changes or goes, with what stood there before, `onFull` when entries are left
   * out from now on; `now` is the monotonic clock, ms.
   */
  constructor(
    private readonly onChange: (entry: FeedEntry, before?: StateEntry) => void,
    private readonly onFull: () => void = () => undefined,
    private readonly now: () => number = () => 0,
  ) {}

  get epoch(): string | undefined {
    return this.#epoch
  }

  get sequence(): number {
    return this.#sequence
  }

  /** Has a pull of the epoch that is held ended, and none been broken off since? */
  get isComplete(): boolean {
    return this.#isComplete
  }

  get isPulling(): boolean {
    return this.#pull !== undefined
  }

  /** Are batches applied that had outrun the first page? */
  get isReplaying(): boolean {
    return this.#isReplaying
  }

  get size(): number {
    return this.#table.size
  }

  /** How many of the entries are message counts. */
  get mailboxes(): number {
    return this.#mailboxes
  }

  *entries(): Generator<StateEntry> {
    for (const held of this.#table.values()) yield held.entry
  }

  get(key: Key): StateEntry | undefined {
    return this.#table.get(key)?.entry
  }

  dated(key: Key): Dated | undefined {
    return this.#table.get(key)
  }

  /** Does that status say that nothing is missing here? */
  isCurrent(status: Status): boolean {
    const { epoch, sequence } = status
    return this.#isComplete && this.#epoch === epoch && this.#sequence === sequence
  }

  apply(batch: Batch): BatchOutcome {
    const isEarly = this.#pull?.pages.length === 0
    if (isEarly) this.#keepEarly(batch)
    if (batch.epoch !== this.#epoch) return isEarly ? 'applied' : 'foreign'
    if (batch.sequence <= this.#sequence) return 'duplicate'
    const isGap = batch.sequence !== this.#sequence + 1
    // A gap keeps the number where it was, so that the status question shows what is missing.
    if (!isGap) this.#sequence = batch.sequence
    for (const entry of batch.entries) this.#applyEntry(entry, batch.sequence)
    // Contiguity counts from the first page: a busy feed must not start the pull again and again.
    return isGap && !isEarly ? 'gap' : 'applied'
  }

  /** Starts a pull, or starts it again; `nextQuery` says what to ask. */
  beginPull(): void {
    this.#pullCount += 1
    this.#pull = { number: this.#pullCount, early: [], tombstones: new Map(), pages: [] }
  }

  abandonPull(): void {
    this.#pull = undefined
  }

  get nextQuery(): PageQuery {
    const after = this.#pull?.after
    return { ...(after && { after }), max: maxEntries }
  }

  /** Takes the next page of the pull; the caller has seen that its phase is `ready` and its sender the peer itself. */
  takePage(page: Page): PageOutcome {
    const pull = this.#pull
    if (!pull) return 'restart'
    if (pull.pages.length === 0) this.#takeEpoch(pull, page)
    else if (page.epoch !== this.#epoch) return 'restart'
    const last = page.entries.at(-1)
    // Pages that do not advance, or never end, would be asked for for ever.
    if ((!page.isLast && !last) || !isAscending(page, pull.after)) return 'restart'
    if (pull.pages.length === maxPages) return 'restart'
    const upTo = page.isLast || !last ? undefined : keyOf(last.kind, last.id)
    for (const entry of page.entries) this.#takeEntry(pull, entry, page.sequence)
    const isFirst = pull.pages.length === 0
    pull.pages.push({ upTo, sequence: page.sequence })
    if (isFirst && !this.#replayEarly(pull, page)) return 'restart'
    if (last) pull.after = { kind: last.kind, id: last.id }
    if (!page.isLast) return 'more'
    this.#sweep(pull)
    this.#pull = undefined
    this.#isComplete = true
    return 'done'
  }

  /** The peer is dead: its devices, epoch and sequence are discarded; its message counts stay (rule 22). */
  discardDevices(): void {
    // Not one page of its last epoch came: what is held is of one before.
    if (this.#epoch === undefined) this.#outdate()
    this.#forgetOrder()
    for (const key of this.#table.keys()) {
      if (kindOfKey(key) === 'device_state') this.#drop(key)
    }
  }

  /** The peer has left for good, or is forgotten. */
  discardAll(): void {
    this.#forgetOrder()
    for (const key of this.#table.keys()) this.#drop(key)
  }

  /** Takes an absent peer's message counts from its retained node (rule 22). */
  takeRetained(entries: readonly StateEntry[]): void {
    if (this.#epoch !== undefined) return
    for (const entry of entries) {
      const key = keyOf(entry.kind, entry.id)
      // What it told itself in its last epoch is as new, or newer: its node is written behind.
      if ((this.#table.get(key)?.sequence ?? 0) === 0) this.#set(key, entry, 0)
    }
  }

  #forgetOrder(): void {
    this.#epoch = undefined
    this.#sequence = 0
    this.#isComplete = false
    this.#isFull = false
    this.#pull = undefined
  }

  #outdate(): void {
    for (const held of this.#table.values()) held.sequence = 0
  }

  /** Only the member's own answer sets its epoch; entries of another epoch are always older (rule 12). */
  #takeEpoch(pull: Pull, page: Page): void {
    if (page.epoch !== this.#epoch) {
      this.#outdate()
      pull.tombstones.clear()
    }
    this.#epoch = page.epoch
    this.#sequence = page.sequence
    // Where the pull is broken off now, what the later pages say is missing.
    this.#isComplete = false
  }

  /** The latest are kept: the first page will be about as new as they are. */
  #keepEarly(batch: Batch): void {
    const early = this.#pull?.early
    if (early?.push(batch) === maxEarlyBatches + 1) early.shift()
  }

  #replayEarly(pull: Pull, page: Page): boolean {
    this.#isReplaying = true
    const batches = pull.early.filter(({ epoch }) => epoch === page.epoch)
    const hasGap = batches.some((batch) => this.apply(batch) === 'gap')
    this.#isReplaying = false
    return !hasGap
  }

  #takeEntry(pull: Pull, entry: StateEntry, sequence: number): void {
    const key = keyOf(entry.kind, entry.id)
    if ((pull.tombstones.get(key) ?? -1) > sequence) return
    const held = this.#table.get(key)
    if (!held || held.sequence <= sequence) this.#set(key, entry, sequence, pull.number)
  }

  #sweep(pull: Pull): void {
    for (const [key, held] of this.#table) {
      if (held.pull === pull.number) continue
      const page = pull.pages.find(({ upTo }) => upTo === undefined || key <= upTo)
      if (page && held.sequence <= page.sequence) this.#drop(key)
    }
  }

  #applyEntry(entry: FeedEntry, sequence: number): void {
    if (entry.kind !== 'gone') {
      const key = keyOf(entry.kind, entry.id)
      const held = this.#table.get(key)
      if (!held || held.sequence < sequence) this.#set(key, entry, sequence)
      return
    }
    const key = keyOf(entry.of, entry.id)
    if ((this.#pull?.tombstones.size ?? 0) < maxStates) this.#pull?.tombstones.set(key, sequence)
    if ((this.#table.get(key)?.sequence ?? Infinity) < sequence) this.#drop(key)
  }

  #set(key: Key, entry: StateEntry, sequence: number, pull = 0): void {
    const before = this.#table.get(key)
    if (!before && this.#table.size >= maxStates) {
      if (!this.#isFull) this.onFull()
      this.#isFull = true
      return
    }
    const isNews = !before || !isSameState(before.entry, entry)
    // Whole ms take no object of their own.
    const changedMs = isNews ? Math.round(this.now()) : before.changedMs
    this.#table.set(key, { entry, sequence, pull, changedMs })
    if (!before && entry.kind === 'message_waiting') this.#mailboxes += 1
    if (isNews) this.onChange(entry, before?.entry)
  }

  #drop(key: Key): void {
    const before = this.#table.get(key)?.entry
    this.#table.delete(key)
    if (before?.kind === 'message_waiting') this.#mailboxes -= 1
    this.onChange({ kind: 'gone', of: kindOfKey(key), id: idOfKey(key) }, before)
  }
}

/** Do the keys of a page follow each other, and the end of the page before it? */
function isAscending({ entries }: Page, after: Pull['after']): boolean {
  let previous = after ? keyOf(after.kind, after.id) : ''
  for (const { kind, id } of entries) {
    const key = keyOf(kind, id)
    if (key <= previous) return false
    previous = key
  }
  return true
}
