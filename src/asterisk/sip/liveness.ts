/** Does Asterisk live, and is it Asterisk that answers? (rule 7) */
import type { Clock, Timer } from './clock.js'

/** OPTIONS this often: a socket that refuses is only noticed by sending to it, and the phones at the peers wait. */
export const pingIntervalMs = 500
/** Silence to this many in a row, 2 s, is told where Asterisk was never heard. */
const silentPingsToTell = 4
/** Silence to this many in a row, 12 s, is death. */
export const maxSilentPings = 24
/** Credentials that are older than so many pings, 2 s, are asked for anew … */
export const pingsToAsk = 4
/** … and who has shown none for so many more, 12 s, is not Asterisk any more, whatever it answers. */
export const maxUnprovenPings = pingsToAsk + maxSilentPings
/** Who answers and has shown none for so many, 5 s, since it was heard is told. */
const unprovenPingsToTell = 10

export interface LivenessPorts {
  readonly clock: Clock
  readonly ping: () => void
  /** Somebody answers: is it Asterisk? */
  readonly onHeard: () => void
  /** Asterisk is to show its credentials again; called with each ping until it has. */
  readonly onDue: () => void
  /** Whoever answers has shown Asterisk's credentials. */
  readonly onFound: () => void
  /** Asterisk has not been heard since the start; may be called again. */
  readonly onAbsent: (reason: string) => void
  /** It answers, and has not shown its credentials for a while; called once. */
  readonly onUnproven: () => void
  /** `wasFound`: it had shown its credentials. */
  readonly onLost: (reason: string, wasFound: boolean) => void
}

/**
 * Any SIP from Asterisk's port is a sign of life; silence to 24 pings or a refusal is death. But any user of the machine can
 * take the port of an Asterisk that is down, and answer: it is Asterisk once it has shown its credentials since it was heard, and
 * for as long as it shows them again. Pings are counted rather than seconds, so that a stall of this process, which also
 * delays its pings, is not taken for one of Asterisk.
 */
export class Liveness {
  private standing: 'absent' | 'heard' | 'found' = 'absent'
  private wasEverHeard = false
  private silentPings = 0
  private unprovenPings = 0
  private isDoubted = false
  private timer: Timer | undefined

  constructor(private readonly ports: LivenessPorts) {}

  /** Has anybody been heard there since Asterisk was last lost? */
  get isHeard(): boolean {
    return this.standing !== 'absent'
  }

  /** Has Asterisk shown itself since it was last lost? */
  get isFound(): boolean {
    return this.standing === 'found'
  }

  /** May Asterisk be given what others are not to know? */
  get isProven(): boolean {
    return this.standing === 'found' && !this.isDoubted
  }

  start(): void {
    this.tick()
  }

  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.standing = 'absent'
    this.silentPings = 0
  }

  heard(): void {
    this.silentPings = 0
    if (this.standing !== 'absent') return
    this.standing = 'heard'
    this.wasEverHeard = true
    this.unprovenPings = 0
    this.ports.onHeard()
  }

  /** It has shown its credentials. */
  proven(): void {
    this.unprovenPings = 0
    this.isDoubted = false
    if (this.standing !== 'heard') return
    this.standing = 'found'
    this.ports.onFound()
  }

  /** Another may be there by now: it is to show its credentials before it is given anything more. */
  doubt(): void {
    if (this.standing !== 'found') return
    this.isDoubted = true
    this.unprovenPings = pingsToAsk
  }

  refused(reason: string): void {
    if (!this.wasEverHeard) this.ports.onAbsent(reason)
    this.lose('absent', reason)
  }

  private lose(standing: 'absent' | 'heard', reason: string): void {
    const wasFound = this.standing === 'found'
    const wasHeard = this.standing !== 'absent'
    this.standing = standing
    this.isDoubted = false
    if (!wasHeard) return
    this.ports.onLost(reason, wasFound)
    this.schedule()
  }

  private tick(): void {
    if (this.silentPings >= maxSilentPings) {
      this.refused(`no answer to OPTIONS for ${(maxSilentPings * pingIntervalMs) / 1_000} s`)
    } else {
      this.seeToProof()
    }
    if (!this.wasEverHeard && this.silentPings === silentPingsToTell) {
      this.ports.onAbsent('no answer to OPTIONS')
    }
    this.silentPings++
    this.schedule()
    this.ports.ping()
  }

  private seeToProof(): void {
    if (this.standing === 'absent') return
    this.unprovenPings++
    if (this.standing === 'found' && this.unprovenPings > maxUnprovenPings) {
      const seconds = (maxUnprovenPings * pingIntervalMs) / 1_000
      this.lose('heard', `it answers, but has not shown its password for ${seconds} s`)
    }
    if (this.standing === 'heard' && this.unprovenPings === unprovenPingsToTell) {
      this.ports.onUnproven()
    }
    if (this.standing === 'heard' || this.unprovenPings >= pingsToAsk) this.ports.onDue()
  }

  private schedule(): void {
    this.timer?.cancel()
    this.timer = this.ports.clock.after(pingIntervalMs, () => this.tick())
  }
}
