/**
 * How much one member may have this bridge do by asking and by showing presence. A server reads of a bridge only so much a
 * second: whoever made this one send more than that would hold back its own feed, and fill its memory with what waits.
 */

export interface Allowance {
  /** What may be spent a second, in the long run. */
  readonly perSecond: number
  /** What may be spent at once after a rest. */
  readonly atOnce: number
}

interface Purse {
  left: number
  atMs: number
}

/** Beyond so many accounts those are forgotten whose purse is full again. */
const mostKept = 1_000

/** One purse a spender: it fills with time, and may be overdrawn by what is spent last. */
export class Patience {
  readonly #purses = new Map<string, Purse>()

  constructor(private readonly allowance: Allowance) {}

  /** Is there anything left for that spender? */
  has(spender: string, nowMs: number): boolean {
    return this.#fill(spender, nowMs).left > 0
  }

  /** Takes that from its purse, whatever is in it. */
  spend(spender: string, nowMs: number, amount: number): void {
    this.#fill(spender, nowMs).left -= amount
  }

  #fill(spender: string, nowMs: number): Purse {
    const known = this.#purses.get(spender)
    if (known) {
      known.left = this.#leftAt(known, nowMs)
      known.atMs = nowMs
      return known
    }
    if (this.#purses.size >= mostKept) this.#forgetFull(nowMs)
    const purse = { left: this.allowance.atOnce, atMs: nowMs }
    this.#purses.set(spender, purse)
    return purse
  }

  #leftAt({ left, atMs }: Purse, nowMs: number): number {
    const { perSecond, atOnce } = this.allowance
    return Math.min(atOnce, left + (Math.max(0, nowMs - atMs) * perSecond) / 1_000)
  }

  #forgetFull(nowMs: number): void {
    for (const [spender, purse] of this.#purses) {
      if (this.#leftAt(purse, nowMs) === this.allowance.atOnce) this.#purses.delete(spender)
    }
  }
}
