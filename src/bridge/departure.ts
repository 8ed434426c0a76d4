/** Going for good: goodbye, the own nodes deleted, everything withdrawn from the own PBX (rules 9 and 24). */
import { type Context, log } from './context.js'

/** How long the server, and Asterisk, are waited for before the member ends all the same. */
const clusterMs = 5_000
const asteriskMs = 10_000
/** Peers to whom the goodbye is a question (they hold another epoch) get their answer within this. */
const lingerMs = 1_000

export interface DepartureOutlets {
  /** Deletes the own nodes and tells the peers; `clusterLeft` is to follow. `false` where the stream is down. */
  deleteNodes(): boolean
}

export class Departure {
  #isBegun = false
  #isClusterLeft = false
  #isAsteriskLeft = false
  readonly #failures: string[] = []

  constructor(
    private readonly context: Context,
    private readonly outlets: DepartureOutlets,
  ) {}

  get isBegun(): boolean {
    return this.#isBegun
  }

  begin(): void {
    this.#isBegun = true
    log(this.context, 'info', 'leaving for good')
    this.#after('leave-cluster', clusterMs, () => this.#deleteNodes())
    this.#after('leave-asterisk', asteriskMs, () => {
      this.#failures.push(
        'Asterisk did not take back all that was injected: run leave again when it answers, or restart it',
      )
      this.asteriskLeft()
    })
  }

  byePublished(): void {
    this.#after('leave-cluster', lingerMs, () => this.#deleteNodes())
  }

  clusterLeft(): void {
    if (!this.#isBegun) return
    this.context.agenda.cancel('leave-cluster')
    this.#isClusterLeft = true
    this.#end()
  }

  asteriskLeft(): void {
    this.context.agenda.cancel('leave-asterisk')
    this.#isAsteriskLeft = true
    this.#end()
  }

  #deleteNodes(): void {
    if (this.outlets.deleteNodes()) {
      this.#after('leave-cluster', clusterMs, () => this.clusterLeft())
      return
    }
    this.#failures.push(
      'the XMPP server was not reached, the own nodes remain there: run leave again when it answers',
    )
    this.clusterLeft()
  }

  #end(): void {
    if (this.#isClusterLeft && this.#isAsteriskLeft) {
      this.context.emit({ to: 'observe', do: 'left', failures: this.#failures })
    }
  }

  #after(timer: string, delayMs: number, run: () => void): void {
    this.context.agenda.set(timer, this.context.nowMs + delayMs, run)
  }
}
