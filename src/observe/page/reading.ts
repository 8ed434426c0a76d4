/** Reading one thing again and again, one answer at a time. */
import { throttled } from './throttle.js'

export interface ReadingOptions<Answer> {
  readonly ask: (signal: AbortSignal) => Promise<Answer>
  readonly take: (answer: Answer) => void
  /** It could not be read; also told when a later try fails. */
  readonly fail: (error: unknown) => void
  /** Does it wait for something of which nothing is told, such as Asterisk's answer? Then it is read again a second later. */
  readonly isUnsettled: (answer: Answer) => boolean
}

const settleMs = 1_000

/** How often it is read while it changes: less often where answers take long, to spare a bridge that has much to do. */
const restMs = { least: 250, most: 5_000, perMsOfAnswer: 10 }

export class Reading<Answer> {
  readonly #options: ReadingOptions<Answer>
  #current: AbortController | undefined
  #isWanted = false
  #settling: ReturnType<typeof setTimeout> | undefined
  /** How long the last answer took. */
  #tookMs = 0
  /** To be called at each change: reads now and then. */
  readonly refresh = throttled(
    () => this.again(),
    () => Math.min(Math.max(restMs.least, this.#tookMs * restMs.perMsOfAnswer), restMs.most),
  )

  constructor(options: ReadingOptions<Answer>) {
    this.#options = options
  }

  /** Asks now, or after the answer that is awaited. */
  again(): void {
    if (this.#current) this.#isWanted = true
    else void this.#read()
  }

  /** Something else is asked for: what is awaited does not matter any more. */
  anew(): void {
    this.stop()
    void this.#read()
  }

  /** Awaits no answer any more. */
  stop(): void {
    clearTimeout(this.#settling)
    this.#current?.abort()
    this.#current = undefined
    this.#isWanted = false
  }

  async #read(): Promise<void> {
    const current = new AbortController()
    this.#current = current
    this.#isWanted = false
    const askedMs = performance.now()
    try {
      const answer = await this.#options.ask(current.signal)
      if (current.signal.aborted) return
      this.#current = undefined
      this.#tookMs = performance.now() - askedMs
      this.#options.take(answer)
      clearTimeout(this.#settling)
      if (this.#options.isUnsettled(answer)) this.#settling = setTimeout(this.refresh, settleMs)
    } catch (error) {
      if (current.signal.aborted) return
      this.#current = undefined
      this.#options.fail(error)
    }
    this.#fulfil()
  }

  #fulfil(): void {
    if (this.#isWanted) this.again()
  }
}
