/** Has Asterisk show its credentials: what it is told under its own EID it publishes, which it does with credentials only. */
import { randomInt } from 'node:crypto'
import type { EntityId, Kind } from '../../bridge/state.js'
import { encodeRefresh, encodeState, proofEntry } from './body.js'
import type { Clock } from './clock.js'
import type { OnPublished } from './publication.js'

export interface ProofQuestPorts {
  readonly clock: Clock
  readonly publish: (kind: Kind, body: string, onEnd: OnPublished) => void
}

const firstWaitMs = 500
const longestWaitMs = 10_000
/**
 * An Asterisk that goes by another EID by now publishes nothing under that one: then it is asked for all it has. Once, for where its
 * queue does not move all that waits in its memory.
 */
const dumpTurn = 3

/** Asks one thing at a time, ever more seldom while that does not help. */
export class ProofQuest {
  private isAsking = false
  private waitMs = firstWaitMs
  private nextAtMs = 0
  private turn = 0

  constructor(private readonly ports: ProofQuestPorts) {}

  /** Asks at once, as if for the first time. */
  restart(eid: EntityId): void {
    this.waitMs = firstWaitMs
    this.nextAtMs = 0
    this.turn = 0
    this.ask(eid)
  }

  /** It has been shown: the next time is the first again, but for the dump. */
  proven(): void {
    this.waitMs = firstWaitMs
    this.turn = dumpTurn + 1 + (this.turn % 2)
  }

  ask(eid: EntityId): void {
    const { clock, publish } = this.ports
    if (this.isAsking || clock.now() < this.nextAtMs) return
    this.isAsking = true
    const turn = this.turn++
    const kind: Kind = turn % 2 === 0 ? 'message_waiting' : 'device_state'
    publish(kind, turn === dumpTurn ? encodeRefresh(eid) : fenceOf(kind, eid), () => {
      this.isAsking = false
      this.nextAtMs = clock.now() + this.waitMs
      this.waitMs = Math.min(this.waitMs * 2, longestWaitMs)
    })
  }
}

const fenceOf = (kind: Kind, eid: EntityId): string =>
  encodeState(eid, proofEntry(kind, randomInt(2 ** 30)))
