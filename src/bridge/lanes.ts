/**
 * Parallel lanes to Asterisk: one injection in flight on each, the last value per target winning while it waits, a
 * device always on the same lane so that its order is kept. What has just changed overtakes the backlog: the states of a
 * member that joins, or all of them after a restart of Asterisk, take seconds.
 */
import type { Context } from './context.js'
import type { Failure } from './events.js'
import { Lag } from './lag.js'

const firstRetryMs = 100
const maxRetryMs = 5_000
/** However much changes, one injection in so many is of the backlog. */
const backlogShare = 4

interface Lane<Target> {
  /** Who waits, and since when; who waits again stays where it is. */
  readonly news: Map<Target, number>
  readonly backlog: Map<Target, number>
  inFlight:
    { readonly target: Target; readonly sinceMs: number; readonly isNews: boolean } | undefined
  /** How many injections since the last one of the backlog. */
  overtaken: number
  failures: number
}

export class Lanes<Target extends { readonly id: string }> {
  readonly #lanes: Lane<Target>[]
  readonly #lag: Lag
  #isOpen = false
  #depth = 0

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
      news: new Map<Target, number>(),
      backlog: new Map<Target, number>(),
      inFlight: undefined,
      overtaken: 0,
      failures: 0,
    }))
  }

  /** How many targets wait or are in flight. */
  get depth(): number {
    return this.#depth
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

  enqueue(target: Target, isNews: boolean, sinceMs = this.context.nowMs): void {
    const number = hash(target.id) % this.#lanes.length
    this.#wait(this.#lane(number), target, sinceMs, isNews)
    this.#lag.held(this.context.nowMs - sinceMs)
    this.#pump(number)
  }

  answered(number: number, failure?: Failure): void {
    const lane = this.#lane(number)
    if (!lane.inFlight) return
    const { target, sinceMs, isNews } = lane.inFlight
    lane.inFlight = undefined
    this.#depth -= 1
    this.#lag.settled(sinceMs)
    const isToRepeat = this.settle(target, failure)
    if (isToRepeat) this.#wait(lane, target, sinceMs, isNews)
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
    const isBacklogsTurn = lane.overtaken >= backlogShare - 1
    for (const isNews of isBacklogsTurn ? [false, true] : [true, false]) {
      const waiting = isNews ? lane.news : lane.backlog
      for (const [target, sinceMs] of waiting) {
        waiting.delete(target)
        this.#depth -= 1
        if (!this.send(target, number)) continue
        lane.inFlight = { target, sinceMs, isNews }
        this.#depth += 1
        lane.overtaken = isNews ? lane.overtaken + 1 : 0
        return
      }
    }
  }

  #wait({ news, backlog }: Lane<Target>, target: Target, sinceMs: number, isNews: boolean): void {
    const earlierMs = news.get(target) ?? backlog.get(target)
    if (earlierMs === undefined) this.#depth += 1
    if (isNews && !news.has(target)) {
      backlog.delete(target)
      news.set(target, earlierMs ?? sinceMs)
    } else if (earlierMs === undefined) {
      backlog.set(target, sinceMs)
    }
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
