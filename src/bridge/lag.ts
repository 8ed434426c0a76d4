/** Says when what waits for the other side waits for long: a health warning, and the figure for a gauge. */
import type { Context } from './context.js'
import { health } from './context.js'

/** What a lamp may be late by before the administrator is told, ms … */
const tolerableMs = 2_000
/** … and for each state that waited at the same time, as bursts take their time (rule 25). */
const msPerWaiting = 1_000 / 1_500
/** The warning stands until nothing was late for so long: it does not come and go with each burst. */
const standsMs = 60_000

export class Lag {
  #openedMs = -Infinity
  #backlog = 0
  #heldMs = 0
  #lastMs = 0

  /** `text` names the remedy; it stays the same while the problem stands. */
  constructor(
    private readonly context: Context,
    private readonly key: string,
    private readonly text: () => string,
  ) {}

  /** How long the last took from its change to the answer, ms. */
  get lastMs(): number {
    return this.#lastMs
  }

  /** The way is open from now on: what waited for that is not late yet. */
  opened(): void {
    this.#openedMs = this.context.nowMs
    this.#backlog = 0
    this.#heldMs = 0
  }

  /** So many wait now. */
  waiting(count: number): void {
    this.#backlog = count === 0 ? 0 : Math.max(this.#backlog, count)
    if (count === 0) this.#heldMs = 0
  }

  /** One of those was held so long before: it is late, but the other side is not to blame. */
  held(durationMs: number): void {
    this.#heldMs = Math.max(this.#heldMs, durationMs)
  }

  /** Something that has waited since then was answered. */
  settled(sinceMs: number): void {
    const { nowMs, agenda } = this.context
    this.#lastMs = nowMs - Math.max(sinceMs, this.#openedMs)
    if (this.#lastMs <= tolerableMs + this.#heldMs + this.#backlog * msPerWaiting) return
    health(this.context, this.key, 'warning', this.text())
    agenda.set(this.key, nowMs + standsMs, () => health(this.context, this.key, 'warning'))
  }
}
