/** One fence: asks Asterisk for a dump of one kind and finds its end (rules 1 to 3). */
import type { Context } from './context.js'
import { health, log } from './context.js'
import type { Failure } from './events.js'
import type { Key, Kind, StateEntry } from './state.js'
import { isSameState } from './state.js'

/** Overdue after this long (rule 6). */
const overdueMs = 30_000
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
  /** Is another dump asked for where this one may have overtaken a change of that (rule 3)? */
  isWorthAnother(entry: StateEntry): boolean
  /** A dump ended, with what it named, and the mailboxes that dumps before it may have filled again. */
  onComplete(dump: Dump, doubted: ReadonlySet<Key>): void
}

export class Fence {
  #phase: 'idle' | 'refreshing' | 'fencing' | 'complete' = 'idle'
  #nonce: number
  #pass = 0
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
    this.#nonce = Math.floor(context.random() * 1_000_000_000)
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
    health(this.context, this.#healthKey, 'error')
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
      if (!failure.isTemporary) this.#complain(failure.reason)
      this.#askLater(failure.isTemporary ? 1_000 : 10_000)
      return
    }
    this.#phase = 'fencing'
    this.#nonce += 1
    this.context.emit({ to: 'asterisk', do: 'fence', kind: this.kind, nonce: this.#nonce })
  }

  returned(nonce: number): void {
    if (this.#phase !== 'fencing' || nonce !== this.#nonce) return
    this.#pass += 1
    this.#seen.clear()
    this.context.agenda.cancel(this.#overdueTimer)
    health(this.context, this.#healthKey, 'error')
    if (this.#ambiguous.size > 0 && this.#pass < promptPasses) {
      this.#ask()
      return
    }
    this.#phase = 'complete'
    if (this.#ambiguous.size > 0 && this.#pass < maxPasses) this.#askLater(laterPassMs)
    this.outlets.onComplete(this.#named, this.#doubted)
    this.#doubted = new Set()
  }

  #ask(): void {
    this.#phase = 'refreshing'
    // What a dump has named since is not in doubt any more.
    const unnamed = [...this.#doubted].filter((key) => !this.#named.has(key))
    this.#doubted = new Set([...unnamed, ...this.#emptied])
    this.#named = new Set()
    this.#ambiguous = new Set()
    this.#emptied = new Set()
    this.#token += 1
    this.outlets.onAsk()
    this.context.agenda.cancel(this.#timer)
    this.context.emit({ to: 'asterisk', do: 'refresh', kind: this.kind, token: this.#token })
    if (this.context.agenda.has(this.#overdueTimer)) return
    this.context.agenda.set(this.#overdueTimer, this.context.nowMs + overdueMs, () => {
      this.#complain('no answer came back through its queue')
      this.#ask()
    })
  }

  #askLater(delayMs: number): void {
    this.context.agenda.set(this.#timer, this.context.nowMs + delayMs, () => this.#ask())
  }

  #complain(reason: string): void {
    const text =
      `Asterisk does not return the ${this.kind} fence: ${reason}. Check that pjsip_hintbridge.conf is included ` +
      `unchanged and run 'module reload res_pjsip_publish_asterisk.so'; if that does not help, restart Asterisk.`
    health(this.context, this.#healthKey, 'error', text)
    log(this.context, 'error', 'fence overdue', { kind: this.kind, reason })
  }

  get #timer(): string {
    return `fence:${this.kind}`
  }

  get #overdueTimer(): string {
    return `fence-overdue:${this.kind}`
  }

  get #healthKey(): string {
    return `fence:${this.kind}`
  }
}

function isEmpty(entry: StateEntry): boolean {
  return entry.kind === 'message_waiting' && entry.newMessages + entry.oldMessages === 0
}
