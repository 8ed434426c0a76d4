/** Going for good: goodbye, the own nodes deleted, everything withdrawn from the own PBX (rules 9 and 24). */
import { type Context, log } from './context.js'

/** How long the server, and Asterisk, are waited for before the member ends all the same … */
const clusterMs = 5_000
const asteriskMs = 10_000
/** … and 1 s more for so many states that Asterisk has to take back (rule 25). */
const statesPerSecond = 1_500
/** Peers to whom the goodbye is a question (they hold another epoch) get their answer within this. */
const lingerMs = 1_000

const unreached =
  'the XMPP server was not reached in time, the own nodes remain there: run leave again when it answers'
const unconfirmed =
  `the XMPP server did not say within ${clusterMs / 1_000} s that the own nodes are deleted: ` +
  'run leave again when it answers'
const notTakenBack =
  'Asterisk did not take back all that was injected: run leave again when it answers, or restart it'

export interface DepartureOutlets {
  /**
   * Deletes the own nodes and tells the peers; `clusterLeft` is to follow. `offline`: the stream is down, or
   * just back. `another's`: the nodes of this EID belong to another live member, and nothing was ever published.
   */
  deleteNodes(): 'deleting' | 'offline' | "another's"
}

export class Departure {
  #isBegun = false
  #isClusterLeft = false
  #isAsteriskLeft = false
  /** What each side failed in. A late answer takes the place of a missing one. */
  #leftInCluster: readonly string[] = []
  #leftInAsterisk: readonly string[] = []

  constructor(
    private readonly context: Context,
    private readonly outlets: DepartureOutlets,
  ) {}

  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Begins, with so many states to be withdrawn from Asterisk. */
  begin(states: number): void {
    this.#isBegun = true
    log(this.context, 'info', 'leaving for good')
    this.#after('leave-cluster', clusterMs, () => this.#deleteNodes())
    this.#after('leave-asterisk', asteriskMs + (1_000 * states) / statesPerSecond, () => {
      this.asteriskLeft([notTakenBack])
    })
  }

  byePublished(): void {
    this.#after('leave-cluster', lingerMs, () => this.#deleteNodes())
  }

  /** With what was left behind there, and what to do about it. */
  clusterLeft(failures: readonly string[] = []): void {
    if (!this.#isBegun) return
    this.context.agenda.cancel('leave-cluster')
    this.#leftInCluster = failures
    this.#isClusterLeft = true
    this.#end()
  }

  asteriskLeft(failures: readonly string[] = []): void {
    this.context.agenda.cancel('leave-asterisk')
    this.#leftInAsterisk = failures
    this.#isAsteriskLeft = true
    this.#end()
  }

  #deleteNodes(): void {
    const outcome = this.outlets.deleteNodes()
    if (outcome === 'deleting') {
      this.#after('leave-cluster', clusterMs, () => this.clusterLeft([unconfirmed]))
      return
    }
    this.clusterLeft(outcome === 'offline' ? [unreached] : [])
  }

  #end(): void {
    if (this.#isClusterLeft && this.#isAsteriskLeft) {
      const failures = [...this.#leftInCluster, ...this.#leftInAsterisk]
      this.context.emit({ to: 'observe', do: 'left', failures })
    }
  }

  #after(timer: string, delayMs: number, run: () => void): void {
    this.context.agenda.set(timer, this.context.nowMs + delayMs, run)
  }
}
