/** Time as the SIP stack sees it, so that its dialogues run on fake time in tests. */
export interface Clock {
  /** Milliseconds on a monotonic clock. */
  now(): number
  /** Runs the action once after so many milliseconds, unless cancelled before. */
  after(delayMs: number, action: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** The clock of this process. Node keeps timers of equal duration in one list: starting and cancelling cost O(1). */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (delayMs, action) => {
    const timeout = setTimeout(action, delayMs)
    return { cancel: () => clearTimeout(timeout) }
  },
}
