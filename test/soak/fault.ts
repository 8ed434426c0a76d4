/** What a fault is, and how long a cluster may take to be right after it. */
import { setTimeout as delay } from 'node:timers/promises'
import { type Letter, liveness, type Rig } from './rig.js'

/** Reconnecting may wait for the whole of the backoff's cap, and 5 s more (issue 3). */
export const reconnectMs = 35_000
/** An attempt to connect through a network that was cut may be under way when that is mended, and ends after 10 s. */
export const mendedMs = 10_000 + reconnectMs
/** What an Asterisk that is back may take: 4 s until it is asked, 5 s until all is right. */
export const asteriskMs = 9_000
/** Prosody tells nobody of a purge: one reads `members`, finds itself missing, and then the others are told. */
export const membersMs = liveness.membersMs + 5_000

/** Waits, no longer than until the signal. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined)

/** What a fault is done to; two faults at a time never share one. */
export type Part = `bridge ${Letter}` | `asterisk ${Letter}` | `link ${Letter}` | 'server'

export interface Fault {
  readonly name: string
  /** The parts that it takes hold of. */
  readonly parts: readonly Part[]
  /** Between these it lasts, ms. */
  readonly lastsMs: readonly [number, number]
  /** After its end all is right within this. */
  readonly settleMs: number
  /** Strikes, waits until `end` resolves, and heals. */
  run(rig: Rig, end: () => Promise<void>): Promise<void>
}
