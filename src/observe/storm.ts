export interface StormOptions {
  /** So many of one line … */
  readonly most: number
  /** … are let through in so long, in milliseconds. */
  readonly windowMs: number
  /** Told at the end of a window in which lines were held back. */
  readonly repeated: (line: string, times: number) => void
}

/** At most this many different lines are watched at a time; beyond it lines pass uncounted. */
const mostLines = 1000

/** Lets a line through a few times in a window and then only counts it: a storm must not fill the disk. */
export class StormGate {
  readonly #options: StormOptions
  readonly #passed = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: StormOptions) {
    this.#options = options
  }

  /** May this line be printed? */
  admits(line: string): boolean {
    const times = (this.#passed.get(line) ?? 0) + 1
    if (times === 1 && this.#passed.size >= mostLines) return true
    this.#passed.set(line, times)
    this.#timer ??= setTimeout(() => this.flush(), this.#options.windowMs).unref()
    return times <= this.#options.most
  }

  /** Ends the window now and tells what it held back. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const passed = [...this.#passed]
    this.#passed.clear()
    for (const [line, times] of passed) {
      const held = times - this.#options.most
      if (held > 0) this.#options.repeated(line, held)
    }
  }
}
