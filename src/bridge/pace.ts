/**
 * How much may go out at once: as much as the server takes within a second. A server that limits the rate of an account
 * just reads slower; what is too large for it would not be answered within a heartbeat, and sent again for ever.
 */
import { maxEntriesOctets } from './wire.js'

const firstOctets = 16 * 1024
/** Slow answers make it no smaller than this, for then it is not the size that takes the time … */
const leastSlowOctets = 2 * 1024
/** … but answers that never came do. */
const leastLostOctets = 1024
/** An answer after this long halves the measure, ms … */
const slowMs = 1_000
/** … and one within this doubles it, where more waited than it let through. */
const quickMs = 250

export class Pace {
  #octets: number

  constructor(octets = firstOctets) {
    this.#octets = octets
  }

  /** What the entries of the next batch or page may take, in octets of XML. */
  get octets(): number {
    return this.#octets
  }

  /** What was sent was answered after that time; did it fill the measure? */
  answered(tookMs: number, wasFull: boolean): void {
    if (tookMs > slowMs) {
      this.#octets = Math.max(Math.min(leastSlowOctets, this.#octets), this.#octets / 2)
    } else if (tookMs < quickMs && wasFull) {
      this.#octets = Math.min(maxEntriesOctets, this.#octets * 2)
    }
  }

  /** No answer came, or the stream ended before: it may have been too much, and the way may be another now. */
  lost(): void {
    this.#octets = Math.max(leastLostOctets, Math.min(firstOctets, this.#octets / 2))
  }
}
