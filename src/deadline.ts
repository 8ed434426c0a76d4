/** One timer for the next deadline of the bridge, on the monotonic clock. */

/** A timer that comes this much late, ms, tells that the process (or its machine) stood still. */
const stallMs = 1_000
/** The longest time that a Node timer takes, ms. */
const maxTimerMs = 2 ** 31 - 1

export interface DeadlineOutlets {
  onPassed(): void
  /** The process stood still; `onPassed` comes a second later. */
  onStall(lateMs: number): void
}

export class DeadlineTimer {
  #timer: NodeJS.Timeout | undefined
  /** When the timer is to fire; before all time while a stall is being made up for. */
  #atMs = Infinity

  constructor(private readonly outlets: DeadlineOutlets) {}

  /** Fires at `deadlineMs` or, if it waits for an earlier time, then. */
  arm(deadlineMs: number): void {
    if (deadlineMs >= this.#atMs) return
    clearTimeout(this.#timer)
    this.#atMs = deadlineMs
    const delayMs = Math.min(Math.max(Math.ceil(deadlineMs - performance.now()), 0), maxTimerMs)
    this.#timer = setTimeout(() => this.#fire(), delayMs)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#atMs = -Infinity
  }

  #fire(): void {
    const lateMs = performance.now() - this.#atMs
    if (lateMs <= stallMs) {
      this.#pass()
      return
    }
    // What came meanwhile is read first: else all peers that could not be heard would be taken for dead.
    this.#atMs = -Infinity
    this.#timer = setTimeout(() => this.#pass(), stallMs)
    this.outlets.onStall(lateMs)
  }

  #pass(): void {
    this.#atMs = Infinity
    this.outlets.onPassed()
  }
}
