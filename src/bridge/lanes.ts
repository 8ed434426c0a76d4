/**
 * Parallel lanes to Asterisk: one injection in flight on each, the last value per target winning while it waits, a
 * device always on the same lane so that its order is kept.
 */
import type { Context } from './context.js'
import type { Failure } from './events.js'
import { Lag } from './lag.js'

const firstRetryMs = 100
const maxRetryMs = 5_000

interface Lane<Target> {
  /** Who waits, and since when; who waits again stays where it is. */
  readonly waiting: Map<Target, number>
  inFlight: { readonly target: Target; readonly sinceMs: number } | undefined
  failures: number
}

export class Lanes<Target extends { readonly id: string }> {
  readonly #lanes: Lane<Target>[]
  readonly #lag: Lag
  #isOpen = false

  /**
   * `send` starts the injection of a target on a lane, or returns `false` where nothing is to be sent any more;
   * `settle` is told how it ended and says whether the target is to wait again.
   */
  constructor(
    private readonly context: Context,
    private readonly send: (target: Target, lane: number) => boolean,
    private readonly settle: (target: Target, failure?: Failure) => boolean,
  ) {
    this.#lag = new Lag(
      context,
      'injection-lag',
      () =>
        `the own Asterisk takes the states of the other members late: see whether its machine is overloaded, and whether ` +
        `its SIP threads are busy (core show taskprocessors).`,
    )
    this.#lanes = Array.from({ length: context.settings.lanes }, () => ({
      waiting: new Map<Target, number>(),
      inFlight: undefined,
      failures: 0,
    }))
  }

  /** How many targets wait or are in flight. */
  get depth(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.waiting.size + (lane.inFlight ? 1 : 0), 0)
  }

  /** How long the last injection took from its change to Asterisk's answer, ms. */
  get lagMs(): number {
    return this.#lag.lastMs
  }

  /** Asterisk answers: drain. */
  open(): void {
    this.#isOpen = true
    this.#lag.opened()
    this.#lag.waiting(this.depth)
    this.#lanes.forEach((_, number) => this.#pump(number))
  }

  /** Asterisk is lost: targets wait. */
  close(): void {
    this.#isOpen = false
    this.#lanes.forEach((_, number) => this.context.agenda.cancel(`lane:${number}`))
  }

  enqueue(target: Target): void {
    const number = hash(target.id) % this.#lanes.length
    this.#wait(this.#lane(number), target, this.context.nowMs)
    this.#pump(number)
  }

  answered(number: number, failure?: Failure): void {
    const lane = this.#lane(number)
    if (!lane.inFlight) return
    const { target, sinceMs } = lane.inFlight
    lane.inFlight = undefined
    this.#lag.settled(sinceMs)
    const isToRepeat = this.settle(target, failure)
    if (isToRepeat) this.#wait(lane, target, sinceMs)
    this.#lag.waiting(this.depth)
    lane.failures = failure?.isTemporary ? lane.failures + 1 : 0
    if (lane.failures === 0) {
      this.#pump(number)
      return
    }
    const delayMs = Math.min(firstRetryMs * 2 ** (lane.failures - 1), maxRetryMs)
    this.context.agenda.set(`lane:${number}`, this.context.nowMs + delayMs, () =>
      this.#pump(number),
    )
  }

  #pump(number: number): void {
    const lane = this.#lane(number)
    if (!this.#isOpen || lane.inFlight || this.context.agenda.has(`lane:${number}`)) return
    for (const [target, sinceMs] of lane.waiting) {
      lane.waiting.delete(target)
      if (!this.send(target, number)) continue
      lane.inFlight = { target, sinceMs }
      return
    }
  }

  #wait(lane: Lane<Target>, target: Target, sinceMs: number): void {
    if (!lane.waiting.has(target)) lane.waiting.set(target, sinceMs)
    this.#lag.waiting(this.depth)
  }

  #lane(number: number): Lane<Target> {
    const lane = this.#lanes[number]
    if (!lane) throw new RangeError(`there is no lane ${number}`)
    return lane
  }
}

/** FNV-1a over UTF-16 code units. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  return value >>> 0
}
