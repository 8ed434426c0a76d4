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
/** A publisher that stands still keeps in memory all that it is told: while the other works it is told something this seldom. */
const stuckWaitMs = 30_000

/** Asks one thing at a time, ever more seldom while that does not help. */
export class ProofQuest {
  private isAsking = false
  private waitMs = firstWaitMs
  private nextAtMs = 0
  private turn = 0
  /** Of each kind: when a question was sent that nothing was heard after; `undefined` where something was. */
  private readonly unansweredSince: Record<Kind, number | undefined> = {
    device_state: undefined,
    message_waiting: undefined,
  }

  constructor(private readonly ports: ProofQuestPorts) {}

  /** Asks at once, as if for the first time. */
  restart(eid: EntityId): void {
    this.waitMs = firstWaitMs
    this.nextAtMs = 0
    this.turn = 0
    this.unansweredSince.device_state = undefined
    this.unansweredSince.message_waiting = undefined
    this.ask(eid)
  }

  /** It has been shown, in a PUBLISH of that kind: the next time is the first again, but for the dump. */
  proven(kind: Kind): void {
    this.unansweredSince[kind] = undefined
    this.waitMs = firstWaitMs
    this.turn = dumpTurn + 1 + (this.turn % 2)
  }

  ask(eid: EntityId): void {
    const { clock, publish } = this.ports
    if (this.isAsking || clock.now() < this.nextAtMs) return
    this.isAsking = true
    const turn = this.turn++
    const kind = this.movingKind(turn % 2 === 0 ? 'message_waiting' : 'device_state')
    this.unansweredSince[kind] ??= clock.now()
    publish(kind, turn === dumpTurn ? encodeRefresh(eid) : fenceOf(kind, eid), () => {
      this.isAsking = false
      this.nextAtMs = clock.now() + this.waitMs
      this.waitMs = Math.min(this.waitMs * 2, longestWaitMs)
    })
  }

  /** Gives that kind, or the other where only that kind's publisher stands still. */
  private movingKind(kind: Kind): Kind {
    const other: Kind = kind === 'device_state' ? 'message_waiting' : 'device_state'
    const sinceMs = this.unansweredSince[kind]
    if (sinceMs === undefined || this.unansweredSince[other] !== undefined) return kind
    if (this.ports.clock.now() - sinceMs < stuckWaitMs) return other
    // It is asked once more, and then waited for as long again.
    this.unansweredSince[kind] = undefined
    return kind
  }
}

const fenceOf = (kind: Kind, eid: EntityId): string =>
  encodeState(eid, proofEntry(kind, randomInt(2 ** 30)))
