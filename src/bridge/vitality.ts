/** Life and death of the peers: the timers between a sign of life and a death (rules 15, 16, 21 to 23). */
import type { BridgeSettings, Context } from './context.js'
import { log } from './context.js'
import type { Peer } from './peer.js'

export interface VitalityOutlets {
  /** Nothing came for 1.5 heartbeats: ask it, and subscribe again (rule 15). */
  onQuiet(peer: Peer): void
  /** No sign for `grace` after its stream ended, or for `dead_after`. */
  onDeath(peer: Peer): void
  /** It stayed up but not ready for `stale_after` (rule 16). */
  onStale(peer: Peer): void
}

export class Vitality {
  #isStreamUp = false

  constructor(
    private readonly context: Context,
    private readonly outlets: VitalityOutlets,
  ) {}

  /** A sign of life: any batch or answer of its current epoch. */
  heard(peer: Peer): void {
    peer.lastHeardMs = this.context.nowMs
    if (peer.life === 'alive') return
    if (peer.life !== 'suspected') log(this.context, 'info', 'member is alive', { peer: peer.jid })
    if (peer.life !== 'suspected') peer.aliveSinceMs = this.context.nowMs
    peer.life = 'alive'
    peer.reason = undefined
    this.context.agenda.cancel(timer('grace', peer))
    this.#watch(peer)
  }

  /** The server says that its stream ended, or it does not answer: `grace` runs. */
  suspect(peer: Peer, reason: string): void {
    if (peer.life !== 'alive' || !this.#isStreamUp) return
    peer.life = 'suspected'
    peer.reason = reason
    log(this.context, 'info', 'member may be gone', { peer: peer.jid, reason })
    const { graceMs } = this.context.settings.liveness
    this.context.agenda.set(timer('grace', peer), this.context.nowMs + graceMs, () =>
      this.#die(peer, reason),
    )
  }

  /** It is up but not ready: what is held of it stays, up to `stale_after`. */
  heldBack(peer: Peer): void {
    if (this.context.agenda.has(timer('stale', peer)) || peer.isStale) return
    const { staleAfterMs } = this.context.settings.liveness
    this.context.agenda.set(timer('stale', peer), this.context.nowMs + staleAfterMs, () =>
      this.outlets.onStale(peer),
    )
  }

  synced(peer: Peer): void {
    this.context.agenda.cancel(timer('stale', peer))
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

  /** The own stream is back: the timers start in full. */
  start(peers: Iterable<Peer>): void {
    this.#isStreamUp = true
    for (const peer of peers) {
      if (peer.life !== 'alive') continue
      peer.lastHeardMs = this.context.nowMs
      this.#watch(peer)
    }
  }

  forget(peer: Peer): void {
    for (const name of ['grace', 'quiet', 'dead', 'stale'] as const) {
      this.context.agenda.cancel(timer(name, peer))
    }
  }

  #watch(peer: Peer): void {
    const limits = (): BridgeSettings['liveness'] => this.context.settings.liveness
    const quietAfterMs = (): number => 1.5 * limits().heartbeatMs
    this.#watchFor(peer, 'quiet', quietAfterMs, () => this.outlets.onQuiet(peer))
    this.#watchFor(
      peer,
      'dead',
      () => limits().deadAfterMs,
      () => this.#die(peer, 'silence'),
    )
  }

  /**
   * Does `act` when nothing was heard for so long, and goes on watching; the timer is not moved at every sign of life, nor
   * when the configuration is read again: the limit is read when it runs.
   */
  #watchFor(peer: Peer, name: 'quiet' | 'dead', limit: () => number, act: () => void): void {
    const arm = (atMs: number): void =>
      this.context.agenda.set(timer(name, peer), atMs, () => {
        const dueMs = peer.lastHeardMs + limit()
        if (this.context.nowMs < dueMs) {
          arm(dueMs)
          return
        }
        arm(this.context.nowMs + limit())
        act()
      })
    arm(this.context.nowMs + limit())
  }

  #die(peer: Peer, reason: string): void {
    this.forget(peer)
    peer.life = 'dead'
    peer.reason = reason
    peer.aliveSinceMs = undefined
    peer.delayMs = undefined
    log(this.context, 'warn', 'member is dead, its device states are withdrawn', {
      peer: peer.jid,
      reason,
    })
    this.outlets.onDeath(peer)
  }
}

function timer(name: string, peer: Peer): string {
  return `${name}:${peer.jid}`
}
