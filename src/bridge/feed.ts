/**
 * The own feed, outgoing: at most one batch in flight; what changes meanwhile waits in a last-value table and is the next
 * batch (rules 11 to 13). At rest a change leaves at once; under load the batches grow by themselves.
 */
import type { Context } from './context.js'
import { count, health, log, measure } from './context.js'
import type { Failure } from './events.js'
import { Lag } from './lag.js'
import { type Batch, maxEntries } from './messages.js'
import { Pace } from './pace.js'
import { whereRateIsSet } from './remedies.js'
import { type FeedEntry, type Key, keyOf, tally } from './state.js'
import { takeFitting, wireOctets } from './wire.js'

/** A publish that took longer than this is followed by a rest as long, so that members do not drown their server … */
const restAboveMs = 20
/** … and than this for each entry: a large batch takes its time on an idle server too. */
const restAboveMsPerEntry = 0.1
/** After so many changes in a batch, none left over, more are awaited … */
const burstEntries = 4
/** … for so long, ms: a stanza costs its writing, its routing and a reading by each member, however few it brings. */
const burstRestMs = 5
const retryMs = 500
/** A batch that was lost so often, and is larger than what is sent at once by now, is given up. */
const maxLosses = 2

export interface FeedOutlets {
  /** The server says that the node is gone (rule 19). */
  onNodeLost(): void
  /** The last batch of a leaving member has been published. */
  onByePublished(): void
}

export class Feed {
  #epoch: string
  #sequence = 0
  #inFlight: Batch | undefined
  #sentMs = 0
  #isAnswered = true
  #phase: 'closed' | 'open' | 'over' = 'closed'
  #isBye = false
  /** By key, what waits for the next batch, and since when. */
  readonly #pending = new Map<Key, { readonly entry: FeedEntry; readonly sinceMs: number }>()
  /** When the oldest change of the batch in flight came. */
  #oldestMs = 0
  readonly #lag: Lag
  readonly #pace = new Pace()
  /** How often the batch in flight was not answered in time. */
  #losses = 0
  /** Did more wait than the batch in flight could take? */
  #wasFull = false

  constructor(
    private readonly context: Context,
    private readonly outlets: FeedOutlets,
  ) {
    this.#epoch = context.newEpoch()
    this.#lag = new Lag(
      context,
      'feed-lag',
      () =>
        `changes of the own Asterisk reach the cluster late. If the XMPP server limits the rate of ` +
        `${context.settings.jid}, raise that limit for this account (${whereRateIsSet}); else see whether the ` +
        `server is overloaded.`,
    )
  }

  /** New whenever the sequence starts afresh (rule 12); only while the stream is down. */
  get epoch(): string {
    return this.#epoch
  }

  /** Of the last batch that was formed. */
  get sequence(): number {
    return this.#sequence
  }

  /** How many changes wait for the next batch. */
  get pendingCount(): number {
    return this.#pending.size
  }

  /** How long the last batch's oldest change took until the server had it, ms. */
  get lagMs(): number {
    return this.#lag.lastMs
  }

  /** What the server takes at once, in octets of entries. */
  get paceOctets(): number {
    return this.#pace.octets
  }

  change(entry: FeedEntry): void {
    if (this.#phase === 'over') return
    const key = keyOfEntry(entry)
    const sinceMs = this.#pending.get(key)?.sinceMs ?? this.context.nowMs
    this.#pending.set(key, { entry, sinceMs })
    this.#lag.waiting(this.#pending.size)
    this.#pump()
  }

  /** The stream is up, the node exists and the table may be told: sends what waits, first the unanswered batch. */
  open(): void {
    if (this.#phase !== 'closed') return
    this.#phase = 'open'
    this.#lag.opened()
    this.#lag.waiting(this.#pending.size)
    if (this.#inFlight) this.#send(this.#inFlight)
    else this.#pump()
    this.#armHeartbeat()
  }

  close(): void {
    if (this.#phase !== 'open') return
    this.#phase = 'closed'
    if (!this.#isAnswered) this.#lose()
    this.#isAnswered = true
    if (this.#isHopeless) this.#startAfresh()
    this.#cancelTimers()
  }

  /** Nothing follows, not even a heartbeat: a publish could make again the nodes that are being deleted. */
  end(): void {
    this.#phase = 'over'
    this.#inFlight = undefined
    this.#pending.clear()
    this.#cancelTimers()
  }

  /** The peers were told that this epoch is over: they pull the table of the next one. While it is closed. */
  renew(): void {
    this.#epoch = this.context.newEpoch()
    this.#sequence = 0
    this.#losses = 0
    this.#inFlight = undefined
    this.#pending.clear()
    this.#lag.waiting(0)
  }

  /** Says goodbye for good; changes that wait are dropped, for all is withdrawn (rule 24). */
  bye(): void {
    this.#isBye = true
    this.#pending.clear()
    this.#pump()
  }

  published(sequence: number): void {
    if (sequence !== this.#inFlight?.sequence) return
    const tookMs = this.context.nowMs - this.#sentMs
    const { isBye: wasBye, entries } = this.#inFlight
    this.#lag.settled(this.#oldestMs)
    this.#pace.answered(tookMs, this.#wasFull)
    this.#lag.waiting(this.#pending.size)
    this.#inFlight = undefined
    this.#isAnswered = true
    health(this.context, 'feed', 'error')
    if (wasBye) {
      this.end()
      this.outlets.onByePublished()
    } else {
      this.#rest(tookMs, entries.length)
      this.#pump()
    }
  }

  #rest(tookMs: number, entries: number): void {
    const isSlow = tookMs > restAboveMs + entries * restAboveMsPerEntry
    const isBurst = entries >= burstEntries && !this.#wasFull
    const restMs = isSlow ? tookMs : isBurst ? burstRestMs : 0
    // Who leaves has seconds only.
    if (restMs === 0 || this.#isBye) return
    this.context.agenda.set('feed-rest', this.context.nowMs + restMs, () => this.#pump())
  }

  failed(sequence: number, failure: Failure): void {
    if (sequence !== this.#inFlight?.sequence) return
    this.#isAnswered = true
    if (failure.condition === 'disconnected') return
    if (failure.condition === 'timeout') {
      this.#lose()
      const reason =
        'a publish to the own feed was not answered for one heartbeat; if the server limits the rate of this account, raise that'
      this.context.emit({ to: 'cluster', do: 'endStream', reason })
      return
    }
    health(this.context, 'feed', 'error', `failed to publish to the own feed: ${failure.reason}`)
    if (failure.condition === 'item-not-found') this.outlets.onNodeLost()
    const delayMs = failure.isTemporary ? retryMs : 10 * retryMs
    this.context.agenda.set('feed-retry', this.context.nowMs + delayMs, () => {
      if (this.#phase === 'open' && this.#inFlight) this.#send(this.#inFlight)
    })
  }

  /** No answer, or none before the stream ended; what ended it counts only where the batch may be why. */
  #lose(): void {
    this.#pace.lost()
    const unansweredMs = this.context.nowMs - this.#sentMs
    // Silence ends a stream half a heartbeat after the last sign that it was well.
    if (unansweredMs >= this.context.settings.liveness.heartbeatMs / 2) this.#losses += 1
  }

  /** Is the batch in flight lost again and again, and would now be formed smaller? */
  get #isHopeless(): boolean {
    if (!this.#inFlight || this.#losses < maxLosses) return false
    const octets = this.#inFlight.entries.reduce((sum, entry) => sum + wireOctets(entry), 0)
    return this.#inFlight.entries.length > 1 && octets > this.#pace.octets
  }

  /** Rule 11 keeps a batch as it is under its number: with a new epoch peers pull the table instead, in small pages. */
  #startAfresh(): void {
    log(this.context, 'warn', 'the own feed starts afresh: a batch was too large for the server', {
      entries: this.#inFlight?.entries.length,
    })
    this.renew()
  }

  #pump(): void {
    if (this.#phase !== 'open' || this.#inFlight || this.context.agenda.has('feed-rest')) return
    if (this.#pending.size === 0 && !this.#isBye) return
    this.#form()
  }

  #takeEntries(): FeedEntry[] {
    const entries = takeFitting(this.#waiting(), maxEntries, this.#pace.octets)
    for (const entry of entries) {
      const key = keyOfEntry(entry)
      this.#oldestMs = Math.min(this.#oldestMs, this.#pending.get(key)?.sinceMs ?? Infinity)
      this.#pending.delete(key)
    }
    this.#wasFull = this.#pending.size > 0
    return entries
  }

  *#waiting(): Generator<FeedEntry> {
    for (const { entry } of this.#pending.values()) yield entry
  }

  /** Forms the next batch of what waits; of nothing, it is the heartbeat (rule 13). */
  #form(): void {
    this.#oldestMs = this.context.nowMs
    const entries = this.#takeEntries()
    this.#sequence += 1
    this.#inFlight = {
      eid: this.context.settings.eid,
      epoch: this.#epoch,
      sequence: this.#sequence,
      isBye: this.#isBye,
      entries,
      ageMs: this.context.nowMs - this.#oldestMs,
    }
    if (entries.length > 0) measure(this.context, 'batch_entries', entries.length, { way: 'out' })
    for (const [kind, by] of tally(entries)) count(this.context, 'changes_out', { kind }, by)
    this.#isBye = false
    this.#losses = 0
    this.#send(this.#inFlight)
  }

  /** Also sends a batch again, byte-identical under its number (rule 11). */
  #send(batch: Batch): void {
    if (!this.#isAnswered) return
    this.#isAnswered = false
    this.#sentMs = this.context.nowMs
    this.context.emit({ to: 'cluster', do: 'publishBatch', batch })
  }

  #cancelTimers(): void {
    for (const timer of ['feed-heartbeat', 'feed-rest', 'feed-retry']) {
      this.context.agenda.cancel(timer)
    }
  }

  #armHeartbeat(): void {
    const { agenda, nowMs, settings } = this.context
    const { heartbeatMs } = settings.liveness
    const dueMs = this.#sentMs + heartbeatMs
    agenda.set('feed-heartbeat', dueMs > nowMs ? dueMs : nowMs + heartbeatMs, () => {
      const isQuiet = this.context.nowMs - this.#sentMs >= heartbeatMs
      if (isQuiet && !this.#inFlight) this.#form()
      this.#armHeartbeat()
    })
  }
}

function keyOfEntry(entry: FeedEntry): Key {
  return keyOf(entry.kind === 'gone' ? entry.of : entry.kind, entry.id)
}
