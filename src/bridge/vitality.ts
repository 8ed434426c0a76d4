/** Life and death of the peers: the timers between a sign of life and a death (rules 15, 16, 21 to 23). */
import type { BridgeSettings, Context } from './context.js'
import { log } from './context.js'
import { lateToldMs } from './events.js'
import type { Phase } from './messages.js'
import type { Peer } from './peer.js'

export interface VitalityOutlets {
  /** Nothing came for 1.5 heartbeats: ask it, and see whether its feed is what is missing (rule 15). */
  onQuiet(peer: Peer): void
  /** It gives the first sign of life. */
  onLife(peer: Peer): void
  /** No sign for `grace` after its stream ended, or for `dead_after`. */
  onDeath(peer: Peer): void
  /** It has been dead for minutes: a restart or an upgrade takes less time. */
  onLongDead(peer: Peer): void
  /** For `stale_after` it stayed up but not ready (rule 16), or its table did not come. */
  onStale(peer: Peer): void
}

/** The next word that a service is late may come this much later than it is due, ms. */
const lateSlackMs = 100

/**
 * A member whose server was away comes back so long after this one at the latest, ms: it may wait for the longest back-off
 * of the XMPP edge, 30 s, and then has to log in.
 */
const returnMs = 35_000

/** So long a dead member is waited for before somebody is told to see to it, ms. */
const longDeadMs = 180_000

export class Vitality {
  #isStreamUp = false
  #streamUpMs = -Infinity

  constructor(
    private readonly context: Context,
    private readonly outlets: VitalityOutlets,
  ) {}

  /** When a member that has not been heard on this stream should be back at the server, if it is alive, ms. */
  get returnedByMs(): number {
    const { staleAfterMs } = this.context.settings.liveness
    return this.#streamUpMs + Math.min(returnMs, staleAfterMs)
  }

  /** A sign of life: any batch or answer of its current epoch. */
  heard(peer: Peer): void {
    peer.lastHeardMs = this.context.nowMs
    const wasAwaited = peer.awaitedSinceMs !== undefined
    peer.awaitedSinceMs = undefined
    if (peer.life === 'alive') {
      if (wasAwaited) this.#watch(peer)
      return
    }
    const isNews = peer.life !== 'suspected'
    if (isNews) peer.aliveSinceMs = this.context.nowMs
    peer.life = 'alive'
    peer.reason = undefined
    for (const name of ['grace', 'long-dead']) this.context.agenda.cancel(timer(name, peer))
    this.#watch(peer)
    if (!isNews) return
    log(this.context, 'info', 'member is alive', { peer: peer.jid })
    this.outlets.onLife(peer)
  }

  /** The server says that it has no stream: `grace` runs. */
  suspect(peer: Peer, reason: string): void {
    if (peer.life !== 'alive' || !this.#isStreamUp) return
    peer.life = 'suspected'
    peer.reason = reason
    log(this.context, 'info', 'member may be gone', { peer: peer.jid, reason })
    const sinceMs = this.context.nowMs
    const dueMs = (): number => {
      const { graceMs, deadAfterMs } = this.context.settings.liveness
      return Math.max(
        excusedUntilMs(peer, sinceMs, graceMs, deadAfterMs),
        this.#awaitedUntilMs(peer),
      )
    }
    const arm = (): void =>
      this.context.agenda.set(timer('grace', peer), dueMs(), () => {
        if (this.context.nowMs < dueMs()) arm()
        else this.#die(peer, reason)
      })
    arm()
  }

  /**
   * It answered. Of one that is up but not ready what is held stays, up to `stale_after` (rule 16); how long its table has to
   * wait for its turn is not its doing.
   */
  answered(peer: Peer, phase: Phase): void {
    this.heard(peer)
    if (phase !== 'ready') this.#heldBack(peer)
    else this.context.agenda.cancel(timer('stale', peer))
  }

  /** All of its table came, or none of it is needed. */
  synced(peer: Peer): void {
    peer.missedSinceMs = undefined
    this.context.agenda.cancel(timer('stale', peer))
  }

  /** A page did not come, or could not be taken: what is held of it may be old, however ready it says that it is. */
  pageMissed(peer: Peer): void {
    if (peer.life !== 'alive' && peer.life !== 'suspected') return
    const { nowMs, settings } = this.context
    peer.missedSinceMs ??= nowMs
    if (nowMs - peer.missedSinceMs >= settings.liveness.staleAfterMs) this.outlets.onStale(peer)
  }

  /** The own stream is down: peers' timers stop, a running grace is cancelled (rule 23). */
  stop(peers: Iterable<Peer>): void {
    this.#isStreamUp = false
    for (const peer of peers) {
      this.forget(peer)
      if (peer.life !== 'suspected') continue
      peer.life = 'alive'
      peer.reason = undefined
    }
  }

  /** The own stream is back: the timers start in full. Where it was the server that was away, the others may come later. */
  start(peers: Iterable<Peer>): void {
    this.#isStreamUp = true
    this.#streamUpMs = this.context.nowMs
    for (const peer of peers) {
      if (peer.life === 'dead') this.#watchDead(peer)
      if (peer.life !== 'alive') continue
      peer.lastHeardMs = this.context.nowMs
      peer.awaitedSinceMs ??= this.context.nowMs
      this.#watch(peer)
    }
  }

  /** That service lets requests wait: silence of those whose feed is there, or of all if it is the own, may be its doing. */
  serviceLate(service: string, peers: Iterable<Peer>): void {
    const isOwn = service === this.context.settings.service
    for (const peer of peers) {
      if (isOwn || peer.item.service === service) peer.serviceLateMs = this.context.nowMs
    }
  }

  forget(peer: Peer): void {
    peer.missedSinceMs = undefined
    for (const name of ['grace', 'quiet', 'dead', 'stale', 'long-dead'] as const) {
      this.context.agenda.cancel(timer(name, peer))
    }
  }

  /** A stream that comes and goes puts nothing off for longer than `stale_after`. */
  #awaitedUntilMs({ awaitedSinceMs = -Infinity }: Peer): number {
    return Math.min(this.returnedByMs, awaitedSinceMs + this.context.settings.liveness.staleAfterMs)
  }

  #heldBack(peer: Peer): void {
    if (this.context.agenda.has(timer('stale', peer)) || peer.isStale) return
    const { staleAfterMs } = this.context.settings.liveness
    this.context.agenda.set(timer('stale', peer), this.context.nowMs + staleAfterMs, () =>
      this.outlets.onStale(peer),
    )
  }

  #watch(peer: Peer): void {
    const limits = (): BridgeSettings['liveness'] => this.context.settings.liveness
    const quietAtMs = (sinceMs: number): number => sinceMs + 1.5 * limits().heartbeatMs
    this.#watchFor(peer, 'quiet', quietAtMs, () => this.outlets.onQuiet(peer))
    const deadAtMs = (sinceMs: number): number => {
      const { deadAfterMs, staleAfterMs } = limits()
      return Math.max(
        excusedUntilMs(peer, sinceMs, deadAfterMs, staleAfterMs),
        this.#awaitedUntilMs(peer),
      )
    }
    this.#watchFor(peer, 'dead', deadAtMs, () => this.#die(peer, 'silence'))
  }

  /**
   * Does `act` when nothing was heard for so long that it is due, and goes on watching; the timer is not moved at every sign
   * of life, nor when the configuration is read again: what is due is asked when it runs.
   */
  #watchFor(
    peer: Peer,
    name: 'quiet' | 'dead',
    dueMs: (sinceMs: number) => number,
    act: () => void,
  ): void {
    const arm = (sinceMs: number): void =>
      this.context.agenda.set(timer(name, peer), dueMs(sinceMs), () => {
        const isDue = this.context.nowMs >= dueMs(peer.lastHeardMs)
        arm(isDue ? this.context.nowMs : peer.lastHeardMs)
        if (isDue) act()
      })
    arm(this.context.nowMs)
  }

  /** It was never heard, and nobody answers for it. */
  absent(peer: Peer, reason: string): void {
    peer.life = 'dead'
    peer.reason = reason
    this.#watchDead(peer)
  }

  #watchDead(peer: Peer): void {
    const { agenda, nowMs } = this.context
    agenda.set(timer('long-dead', peer), nowMs + longDeadMs, () => this.outlets.onLongDead(peer))
  }

  #die(peer: Peer, reason: string): void {
    this.forget(peer)
    this.absent(peer, reason)
    peer.aliveSinceMs = undefined
    peer.delayMs = undefined
    log(this.context, 'warn', 'member is dead, its device states are withdrawn', {
      peer: peer.jid,
      reason,
    })
    this.outlets.onDeath(peer)
  }
}

/** So long after that time, or after its service was last late since then, but not longer than `mostMs` after that time. */
function excusedUntilMs(peer: Peer, sinceMs: number, durationMs: number, mostMs: number): number {
  const lateUntilMs = peer.serviceLateMs + Math.max(durationMs, lateToldMs + lateSlackMs)
  const excusedMs = Math.min(lateUntilMs, sinceMs + mostMs)
  return Math.max(sinceMs + durationMs, excusedMs)
}

function timer(name: string, peer: Peer): string {
  return `${name}:${peer.jid}`
}
