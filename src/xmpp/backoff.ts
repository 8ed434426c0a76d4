/** How long to wait before the next attempt: nothing at first, then doubling up to a cap, with jitter. */
export interface BackoffOptions {
  /** Of the second attempt, in ms. */
  readonly firstMs: number
  readonly capMs: number
  /** Uniform in [0, 1); `Math.random` unless a test needs it still. */
  readonly random: () => number
}

export class Backoff {
  private attempts = 0

  constructor(private readonly options: BackoffOptions) {}

  /** Milliseconds until the next attempt; each call counts as one. The jitter takes away up to half. */
  next(): number {
    const { firstMs, capMs, random } = this.options
    const full = this.attempts === 0 ? 0 : Math.min(capMs, firstMs * 2 ** (this.attempts - 1))
    this.attempts += 1
    return full * (1 - random() / 2)
  }

  /** Half the cap to the cap, for what only an administrator can mend. */
  slow(): number {
    return this.options.capMs * (1 - this.options.random() / 2)
  }

  reset(): void {
    this.attempts = 0
  }
}

/** Resolves after `ms`, or at once when the signal is aborted; never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
