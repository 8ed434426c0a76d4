/**
 * What snapshots bring is given to Asterisk when no more of them is being pulled: else the next pages wait for a processor
 * with all that the injection of the first ones wakes up, and light no lamp sooner.
 */
import type { Context } from './context.js'

/** Over a slow link a pull takes minutes, which lamps do not wait for. */
const maxHoldMs = 5_000

export class Pulled<Target> {
  /** And since when, ms. */
  readonly #held = new Map<Target, number>()
  #isPulling = false

  constructor(
    private readonly context: Context,
    private readonly give: (target: Target, sinceMs: number) => void,
  ) {}

  get size(): number {
    return this.#held.size
  }

  /** Pulls have begun, or there is none any more. */
  pulling(isUnderWay: boolean): void {
    const { agenda, nowMs } = this.context
    this.#isPulling = isUnderWay
    if (isUnderWay) agenda.set('pulled', nowMs + maxHoldMs, () => this.#release())
    else this.#release()
  }

  /** Holds that target; `false` where nothing is waited for. */
  hold(target: Target): boolean {
    if (this.#isPulling && !this.#held.has(target)) this.#held.set(target, this.context.nowMs)
    return this.#isPulling
  }

  /** It is given another way. */
  dismiss(target: Target): void {
    this.#held.delete(target)
  }

  #release(): void {
    this.context.agenda.cancel('pulled')
    this.#isPulling = false
    const held = [...this.#held]
    this.#held.clear()
    for (const [target, sinceMs] of held) this.give(target, sinceMs)
  }
}
