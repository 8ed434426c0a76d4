/**
 * The ages that peers give to their batches, by the clock of their machine. They are shown, and decide nothing: where the
 * clocks differ by more than the network takes, the figure is left out and the administrator is told.
 */
import { type Context, health } from './context.js'
import type { Peer } from './peer.js'

/** A batch from the future by more than this, ms, tells that the clocks differ: NTP keeps them well below. */
const aheadMs = 100
/** Where no batch was younger than this, ms, for a whole window, it is the clock rather than the way. */
const behindMs = 10_000
/** So long a window … */
const windowMs = 60_000
/** … with at least so many batches. */
const leastBatches = 3

interface Clock {
  /** When the window began, ms. */
  sinceMs: number
  batches: number
  /** The youngest batch of the window, ms. */
  leastMs: number
  /** By how much the clocks differ, ms: positive where the peer's is behind. */
  differenceMs: number | undefined
}

export class Clocks {
  readonly #clocks = new Map<string, Clock>()

  constructor(private readonly context: Context) {}

  /** Gives the age of a batch where it can be believed. */
  judge({ jid }: Peer, ageMs: number): number | undefined {
    const { nowMs } = this.context
    const clock = this.#clocks.get(jid) ?? fresh(nowMs)
    this.#clocks.set(jid, clock)
    clock.batches += 1
    clock.leastMs = Math.min(clock.leastMs, ageMs)
    if (ageMs < -aheadMs && clock.differenceMs === undefined) this.#tell(jid, clock, ageMs)
    if (nowMs - clock.sinceMs >= windowMs && clock.batches >= leastBatches) this.#close(jid, clock)
    return clock.differenceMs === undefined && ageMs >= 0 ? ageMs : undefined
  }

  /** That peer is gone, and what was said of its clock. */
  forget({ jid }: Peer): void {
    if (this.#clocks.get(jid)?.differenceMs !== undefined) this.#clear(jid)
    this.#clocks.delete(jid)
  }

  #close(jid: string, clock: Clock): void {
    const { leastMs } = clock
    const isDifferent = leastMs < -aheadMs || leastMs > behindMs
    if (isDifferent) this.#tell(jid, clock, leastMs)
    else if (clock.differenceMs !== undefined) this.#clear(jid)
    this.#clocks.set(jid, {
      ...fresh(this.context.nowMs),
      differenceMs: isDifferent ? leastMs : undefined,
    })
  }

  #tell(jid: string, clock: Clock, differenceMs: number): void {
    clock.differenceMs = differenceMs
    const side = differenceMs < 0 ? 'ahead of' : 'behind'
    const text =
      `the clock of ${jid} is ${spelled(Math.abs(differenceMs))} ${side} the one of this machine, so its delay cannot be ` +
      `told. Set both by NTP (timedatectl set-ntp true, or chrony); lamps do not depend on it.`
    health(this.context, `clock:${jid}`, 'warning', text)
  }

  #clear(jid: string): void {
    health(this.context, `clock:${jid}`, 'warning')
  }
}

function fresh(nowMs: number): Clock {
  return { sinceMs: nowMs, batches: 0, leastMs: Infinity, differenceMs: undefined }
}

function spelled(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1_000)} s`
}
