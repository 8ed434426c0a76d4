/** Says what anybody on the network can bring about at will: the first at once, then how often in each minute. */
import { type Context, log } from './context.js'

const minuteMs = 60_000

export class Tally {
  #times = 0
  #last: Readonly<Record<string, unknown>> = {}

  constructor(
    private readonly context: Context,
    private readonly message: string,
  ) {}

  note(fields: Readonly<Record<string, unknown>>): void {
    if (this.context.agenda.has(this.#timer)) {
      this.#times += 1
      this.#last = fields
      return
    }
    log(this.context, 'warn', this.message, fields)
    this.#arm()
  }

  #arm(): void {
    this.context.agenda.set(this.#timer, this.context.nowMs + minuteMs, () => this.#sum())
  }

  /** A minute in which nothing came is the end of it. */
  #sum(): void {
    if (this.#times === 0) return
    log(this.context, 'warn', this.message, { ...this.#last, times: this.#times })
    this.#times = 0
    this.#arm()
  }

  get #timer(): string {
    return `tally:${this.message}`
  }
}
