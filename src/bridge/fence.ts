/**
 * One fence: asks Asterisk for a dump of one kind and finds its end (rules 1 to 3). Between dumps it asks a queue that is
 * silent whether it still moves: each kind has a queue of its own in Asterisk, and one that waits for ever says nothing.
 */
import { fenceNonces } from './commands.js'
import type { Context } from './context.js'
import { health, log } from './context.js'
import type { Failure } from './events.js'
import { reviveOutflow } from './remedies.js'
import type { Key, Kind, StateEntry } from './state.js'
import { isSameState } from './state.js'

/** Overdue after this long (rule 6). */
const overdueMs = 30_000
/** A queue of which nothing was heard for so long is asked; with `overdueMs` a dead one is known within a minute. */
const quietMs = 20_000
/** With this many ambiguous dumps behind it the table is taken as it is, and asked for again later … */
const promptPasses = 3
const laterPassMs = 2_000
/** … up to this many: a device that always flaps mends itself with its next change. */
const maxPasses = 6

/** What a whole dump, or what Asterisk sent during it, named. */
export type Dump = ReadonlySet<Key>

export interface FenceOutlets {
  /** A dump is asked for: until it ended the table cannot be told. */
  onAsk(): void
  /** Asterisk is sent this refresh. */
  onRefresh(token: number): void
  /** Is another dump asked for where this one may have overtaken a change of that (rule 3)? */
  isWorthAnother(entry: StateEntry): boolean
  /** A dump ended, with what it named, and the mailboxes that dumps before it may have filled again. */
  onComplete(dump: Dump, doubted: ReadonlySet<Key>): void
}

export class Fence {
  /** `stalled`: nothing comes; no dump is asked for until something does, for each would wait in Asterisk's memory. */
  #phase: 'idle' | 'refreshing' | 'fencing' | 'complete' | 'stalled' = 'idle'
  #nonce: number
  #pass = 0
  /** When anything of this kind was last heard of Asterisk, and when it was last asked for a dump, ms. */
  #heardMs = -Infinity
  #askedMs = -Infinity
  /** Why Asterisk did not take what was last sent, where it did not. */
  #failure: Failure | undefined
  /** Of the last `refresh`: an answer to an earlier one says nothing of the dump that is awaited. */
  #token = 0
  /** Since a fence last returned: what an earlier dump named comes late where the fence after it was not waited for. */
  readonly #seen = new Map<Key, StateEntry>()
  #named = new Set<Key>()
  #ambiguous = new Set<Key>()
  /** What of that was a mailbox without messages meanwhile: no dump names it, should that be the last. */
  #emptied = new Set<Key>()
  /** Those of the passes since a dump was last taken. */
  #doubted: ReadonlySet<Key> = new Set()

  constructor(
    private readonly context: Context,
    private readonly kind: Kind,
    private readonly outlets: FenceOutlets,
  ) {
    // A fence that an earlier bridge left in Asterisk's queue must not be taken for ours.
    this.#nonce = Math.floor(context.random() * fenceNonces)
  }

  /** Is a dump awaited, or did one end? */
  get isBegun(): boolean {
    return this.#phase !== 'idle'
  }

  get isComplete(): boolean {
    return this.#phase === 'complete'
  }

  /** Asks for a dump, from the first pass on. */
  begin(): void {
    this.#pass = 0
    this.#ask()
  }

  /** Asterisk is lost: whatever was asked will not be answered. */
  abandon(): void {
    this.#phase = 'idle'
    this.context.agenda.cancel(this.#timer)
    this.context.agenda.cancel(this.#overdueTimer)
    this.context.agenda.cancel(this.#outflowTimer)
    health(this.context, this.#healthKey, 'error')
  }

  /** Asterisk said something of this kind: its queue moves. */
  heard(): void {
    this.#heardMs = this.context.nowMs
    // What waited in a queue that is gone was never told.
    if (this.#phase === 'stalled') this.begin()
  }

  /** Takes note of a state that arrived while a dump may be under way. */
  note(key: Key, entry: StateEntry): void {
    // No dump names an uncachable state, so that none can overtake it.
    const isUncachable = entry.kind === 'device_state' && !entry.cachable
    if (this.#phase === 'complete' || isUncachable) return
    const before = this.#seen.get(key)
    // A live change may have been overtaken by the dump's older value (rule 3).
    const isOther = before && !isSameState(before, entry)
    if (isOther && this.outlets.isWorthAnother(entry)) {
      this.#ambiguous.add(key)
      if (isEmpty(before) || isEmpty(entry)) this.#emptied.add(key)
    }
    this.#seen.set(key, entry)
    this.#named.add(key)
  }

  refreshAnswered(token: number, failure?: Failure): void {
    if (this.#phase !== 'refreshing' || token !== this.#token) return
    if (failure) {
      this.#refused(failure)
      return
    }
    this.#phase = 'fencing'
    this.#send()
  }

  /** Asterisk did not take the fence. */
  failed(nonce: number, failure: Failure): void {
    if (nonce !== this.#nonce) return
    this.#failure = failure
    if (this.#phase === 'complete') this.#watch()
    else if (this.#phase === 'fencing') this.#refused(failure)
  }

  returned(nonce: number): void {
    if (nonce !== this.#nonce) return
    if (this.#phase === 'complete') this.#watch()
    if (this.#phase !== 'fencing') return
    this.#pass += 1
    this.#seen.clear()
    this.context.agenda.cancel(this.#overdueTimer)
    health(this.context, this.#healthKey, 'error')
    if (this.#ambiguous.size > 0 && this.#pass < promptPasses) {
      this.#ask()
      return
    }
    this.#phase = 'complete'
    this.#watch()
    if (this.#ambiguous.size > 0 && this.#pass < maxPasses) this.#askLater(laterPassMs)
    this.outlets.onComplete(this.#named, this.#doubted)
    this.#doubted = new Set()
  }

  #send(): void {
    this.#nonce = (this.#nonce + 1) % fenceNonces
    this.#failure = undefined
    this.context.emit({ to: 'asterisk', do: 'fence', kind: this.kind, nonce: this.#nonce })
  }

  #refused(failure: Failure): void {
    this.#failure = failure
    if (!failure.isTemporary) this.#complain(failure.reason)
    this.#askLater(failure.isTemporary ? 1_000 : 10_000)
  }

  /** Asks a queue that stays silent for `quietMs` whether it moves. */
  #watch(): void {
    const { agenda } = this.context
    const arm = (sinceMs: number): void =>
      agenda.set(this.#outflowTimer, sinceMs + quietMs, () => {
        if (this.context.nowMs < this.#heardMs + quietMs) arm(this.#heardMs)
        else this.#probe()
      })
    arm(this.context.nowMs)
  }

  #probe(): void {
    const { agenda, nowMs } = this.context
    this.#send()
    agenda.set(this.#outflowTimer, nowMs + overdueMs, () => {
      if (this.#heardMs >= nowMs) this.#watch()
      else this.#stall()
    })
  }

  /** Asterisk took what it was sent, and says nothing: the fence alone asks whether it does again. */
  #stall(): void {
    this.#complain('it takes what it is sent, and publishes nothing')
    if (this.#phase === 'complete') this.outlets.onAsk()
    this.#phase = 'stalled'
    this.#send()
    this.context.agenda.set(this.#outflowTimer, this.context.nowMs + overdueMs, () => this.#stall())
  }

  #ask(): void {
    this.#phase = 'refreshing'
    this.#failure = undefined
    this.#askedMs = this.context.nowMs
    this.context.agenda.cancel(this.#outflowTimer)
    // What a dump has named since is not in doubt any more.
    const unnamed = [...this.#doubted].filter((key) => !this.#named.has(key))
    this.#doubted = new Set([...unnamed, ...this.#emptied])
    this.#named = new Set()
    this.#ambiguous = new Set()
    this.#emptied = new Set()
    this.#token += 1
    this.outlets.onAsk()
    this.outlets.onRefresh(this.#token)
    this.context.agenda.cancel(this.#timer)
    this.context.emit({ to: 'asterisk', do: 'refresh', kind: this.kind, token: this.#token })
    if (this.context.agenda.has(this.#overdueTimer)) return
    this.context.agenda.set(this.#overdueTimer, this.context.nowMs + overdueMs, () =>
      this.#overdue(),
    )
  }

  #overdue(): void {
    const isTaken = this.#phase === 'fencing' && this.#failure === undefined
    if (isTaken && this.#heardMs < this.#askedMs) {
      this.#stall()
      return
    }
    this.#complain(this.#failure?.reason ?? 'no answer came back through its queue')
    this.#ask()
  }

  #askLater(delayMs: number): void {
    this.context.agenda.set(this.#timer, this.context.nowMs + delayMs, () => this.#ask())
  }

  #complain(reason: string): void {
    const text = `Asterisk does not return the ${this.kind} fence: ${reason}. ${reviveOutflow}`
    health(this.context, this.#healthKey, 'error', text)
    log(this.context, 'error', 'fence overdue', { kind: this.kind, reason })
  }

  get #timer(): string {
    return `fence:${this.kind}`
  }

  get #overdueTimer(): string {
    return `fence-overdue:${this.kind}`
  }

  get #outflowTimer(): string {
    return `outflow:${this.kind}`
  }

  get #healthKey(): string {
    return `fence:${this.kind}`
  }
}

function isEmpty(entry: StateEntry): boolean {
  return entry.kind === 'message_waiting' && entry.newMessages + entry.oldMessages === 0
}
