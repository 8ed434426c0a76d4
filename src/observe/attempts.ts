/** The first wrong password is answered after so long, ms; each further one after twice that, to the most. */
const firstDelayMs = 250
const mostDelayMs = 5_000
/** So many wrong passwords of one source wait for their answer; none more is looked at meanwhile. */
const mostWaiting = 4
/** A source is forgotten so long after its last wrong password, ms … */
const forgottenAfterMs = 60_000
/** … and so many are remembered. */
const mostSources = 1_000

interface Source {
  failures: number
  waiting: number
  lastMs: number
}

/**
 * Slows down whoever guesses the password: what is wrong is answered late, and few at a time. The place is held for the whole
 * delay, whether or not the guesser waits for the answer. What is right is answered at once, unless the places are taken.
 */
export class Attempts {
  readonly #sources = new Map<string, Source>()

  /** May a password of that source be looked at now? */
  mayTry(from: string): boolean {
    const source = this.#sources.get(from)
    if (source !== undefined) return source.waiting < mostWaiting
    return this.#sources.size < mostSources || this.#forgetOne()
  }

  /** A password of that source was wrong: `answer` is called when its time has come. */
  failed(from: string, answer: () => void): void {
    const source = this.#remembered(from)
    source.failures += 1
    source.waiting += 1
    source.lastMs = performance.now()
    const delayMs = Math.min(firstDelayMs * 2 ** (source.failures - 1), mostDelayMs)
    setTimeout(() => {
      source.waiting -= 1
      answer()
    }, delayMs).unref()
  }

  #remembered(from: string): Source {
    const known = this.#sources.get(from)
    // Taken out and put in again, so that the first is always the one that has failed least of late.
    this.#sources.delete(from)
    const isFresh = known && performance.now() - known.lastMs < forgottenAfterMs
    const source = isFresh ? known : { failures: 0, waiting: known?.waiting ?? 0, lastMs: 0 }
    this.#sources.set(from, source)
    return source
  }

  /** Makes room; `false` where every source waits for an answer. */
  #forgetOne(): boolean {
    for (const [from, { waiting }] of this.#sources) {
      if (waiting === 0) return this.#sources.delete(from)
    }
    return false
  }
}
