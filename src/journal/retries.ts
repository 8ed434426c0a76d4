/** Something that the disk may not take now: a file of `state_dir`, the lock on it, a socket in it. */
export interface Attempt {
  /** Does it whole, by what is known by then; throws where it cannot be done. */
  perform(): void | Promise<void>
  /** It failed, and is tried again later; or it was mended (`undefined`). */
  tell(error: Error | undefined): void
}

const firstPauseMs = 1_000
const longestPauseMs = 30_000

/**
 * What has failed is tried again after a pause that doubles from 1 s to 30 s, however often it is wanted meanwhile: on a full disk
 * nothing is written for each change.
 */
export class Retries {
  readonly #waiting = new Set<Attempt>()
  #pauseMs = firstPauseMs
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  isWaiting(attempt: Attempt): boolean {
    return this.#waiting.has(attempt)
  }

  /** Tries it now, unless it waits already. */
  async attempt(attempt: Attempt): Promise<void> {
    if (this.#waiting.has(attempt)) return
    try {
      await attempt.perform()
    } catch (error) {
      this.later(attempt, error)
    }
  }

  /** It has failed just now. */
  later(attempt: Attempt, error: unknown): void {
    this.#waiting.add(attempt)
    attempt.tell(asError(error))
    this.#arm()
  }

  /** Nothing is tried any more. */
  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#isStopped) return
    this.#timer = setTimeout(() => void this.#tryAll(), this.#pauseMs)
    this.#timer.unref()
  }

  /** In the order in which they failed first: the lock goes before what needs it. */
  async #tryAll(): Promise<void> {
    for (const attempt of [...this.#waiting]) {
      if (this.#isStopped) return
      try {
        await attempt.perform()
        this.#waiting.delete(attempt)
        attempt.tell(undefined)
      } catch (error) {
        attempt.tell(asError(error))
      }
    }
    this.#timer = undefined
    this.#pauseMs =
      this.#waiting.size === 0 ? firstPauseMs : Math.min(2 * this.#pauseMs, longestPauseMs)
    if (this.#waiting.size > 0) this.#arm()
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
