/** Asks Asterisk for its EID until it is known, ever more seldom, and says what stands in the way. */
import { reviveOutflow } from '../../bridge/remedies.js'
import type { Failure } from '../../bridge/events.js'
import type { Clock } from './clock.js'
import type { Health } from './foreign-entity-id.js'
import type { EdgeLog } from './inbound.js'
import type { OnPublished } from './publication.js'

export interface EntityIdQuestPorts {
  readonly clock: Clock
  readonly isKnown: () => boolean
  /** Sends a refresh: even an idle Asterisk has a device to dump, the bridge's endpoint, and so tells its EID. */
  readonly ask: (onEnd: OnPublished) => void
  readonly health: Health
  readonly log: EdgeLog
}

const firstWaitMs = 500
export const longestWaitMs = 10_000
/** A refresh that was taken, and no body with an EID for this long, is a trouble. */
export const muteMs = 5_000

export class EntityIdQuest {
  private isAsking = false
  private waitMs = firstWaitMs
  private nextAtMs = 0
  /** When Asterisk first took a refresh without telling its EID. */
  private takenAtMs: number | undefined
  private toldReason: string | undefined

  constructor(private readonly ports: EntityIdQuestPorts) {}

  /** Asterisk was found, perhaps another than before: it is asked without waiting. */
  restart(): void {
    this.waitMs = firstWaitMs
    this.nextAtMs = 0
    this.takenAtMs = undefined
    this.ask()
  }

  /** Asks, if the EID is unknown and the time has come. */
  ask(): void {
    const { clock, isKnown, ask } = this.ports
    if (isKnown() || this.isAsking || clock.now() < this.nextAtMs) return
    this.isAsking = true
    ask((failure) => {
      this.isAsking = false
      this.nextAtMs = clock.now() + this.waitMs
      this.waitMs = Math.min(this.waitMs * 2, longestWaitMs)
      if (failure) this.failed(failure)
      else this.taken()
    })
  }

  /** The EID is known, or Asterisk is gone: nothing of this is so any more. */
  end(): void {
    this.toldReason = undefined
    this.takenAtMs = undefined
    this.ports.health('eid-unknown')
  }

  private failed(failure: Failure): void {
    this.takenAtMs = undefined
    // That Asterisk is lost has been told.
    if (failure.condition === 'asterisk-lost' || failure.reason === this.toldReason) return
    this.toldReason = failure.reason
    this.ports.log.warn({ ...failure }, 'failed to ask Asterisk for its EID')
  }

  private taken(): void {
    const { clock, isKnown, health } = this.ports
    this.takenAtMs ??= clock.now()
    if (isKnown() || clock.now() - this.takenAtMs < muteMs) return
    health(
      'eid-unknown',
      'Asterisk takes what it is sent, but publishes nothing that the bridge can take, and so its EID is not known: ' +
        'are the passwords on both sides the same? ' +
        reviveOutflow,
    )
  }
}
