/** Does Asterisk live? (rule 7) */
import type { Clock, Timer } from './clock.js'

/** OPTIONS this often: a socket that refuses is only noticed by sending to it, and the phones at the peers wait. */
export const pingIntervalMs = 500
/** Silence to this many in a row, 2 s, is told where Asterisk was never found. */
const silentPingsToTell = 4
/** Silence to this many in a row, 12 s, is death. */
export const maxSilentPings = 24

export interface LivenessPorts {
  readonly clock: Clock
  readonly ping: () => void
  readonly onFound: () => void
  /** Asterisk has not been found since the start; may be called again. */
  readonly onAbsent: (reason: string) => void
  readonly onLost: (reason: string) => void
}

/**
 * Any SIP from Asterisk is life; silence to 24 pings or a refusal is death. Pings are counted rather than seconds, so
 * that a stall of this process, which also delays its pings, is not taken for one of Asterisk.
 */
export class Liveness {
  private isFound = false
  private wasEverFound = false
  private silentPings = 0
  private timer: Timer | undefined

  constructor(private readonly ports: LivenessPorts) {}

  /** Has Asterisk been heard since it was last lost? */
  get isAlive(): boolean {
    return this.isFound
  }

  start(): void {
    this.tick()
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.isFound = false
    this.silentPings = 0
  }

  heard(): void {
    this.silentPings = 0
    if (this.isFound) return
    this.isFound = true
    this.wasEverFound = true
    this.ports.onFound()
  }

  refused(reason: string): void {
    if (!this.wasEverFound) this.ports.onAbsent(reason)
    if (!this.isFound) return
    this.isFound = false
    this.ports.onLost(reason)
    this.schedule()
  }

  private tick(): void {
    if (this.silentPings >= maxSilentPings) {
      this.refused(`no answer to OPTIONS for ${(maxSilentPings * pingIntervalMs) / 1_000} s`)
    }
    if (!this.wasEverFound && this.silentPings === silentPingsToTell) {
      this.ports.onAbsent('no answer to OPTIONS')
    }
    this.silentPings++
    this.schedule()
    this.ports.ping()
  }

  private schedule(): void {
    this.timer?.cancel()
    this.timer = this.ports.clock.after(pingIntervalMs, () => this.tick())
  }
}
