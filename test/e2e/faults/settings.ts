/** The liveness settings under which faults are tried; each bound follows from them. */

import type { LivenessSettings as Settings } from '../../../src/bridge/context.js'
import { settings } from '../../bridge/settings.js'

export type { Settings }

/** Short, so that a withdrawal is soon there to be measured. */
export const brisk: Settings = {
  heartbeatMs: 1_000,
  deadAfterMs: 3_000,
  graceMs: 1_000,
  staleAfterMs: 5_000,
  membersMs: 60_000,
  auditMs: 300_000,
}

/** With room for what takes a moment, such as the start of a server, to be over before anything may be withdrawn. */
export const patient: Settings = {
  heartbeatMs: 1_000,
  deadAfterMs: 12_000,
  graceMs: 8_000,
  staleAfterMs: 20_000,
  membersMs: 60_000,
  auditMs: 300_000,
}

/** As they are where nobody sets any. */
export const shipped: Settings = settings().liveness

/** The own nodes are looked at so often that one can wait for it. */
export const watchful: Settings = { ...patient, auditMs: 4_000 }

/** As they stand in the configuration file. */
export function toFile(settings: Settings): Readonly<Record<string, string>> {
  return {
    'liveness.heartbeat': `${settings.heartbeatMs}ms`,
    'liveness.dead_after': `${settings.deadAfterMs}ms`,
    'liveness.grace': `${settings.graceMs}ms`,
    'liveness.stale_after': `${settings.staleAfterMs}ms`,
    'liveness.members': `${settings.membersMs}ms`,
    'liveness.audit': `${settings.auditMs}ms`,
  }
}

/** What injections may add to any bound: 1 s per 1,500 devices (rule 25). */
export function injectionMs(devices: number): number {
  return (devices / 1_500) * 1_000
}

/** An Asterisk that does not answer is lost after this (rule 7). */
export const silentAsteriskMs = 12_000

/**
 * What a bridge may wait before it connects again to a server that was gone for so long: the waits start at 0 and 500 ms,
 * double, and are capped at 5 s; jitter takes up to half of each away.
 */
export function backoffMs(goneMs: number): number {
  return Math.min(500 + 2 * goneMs, 5_000)
}

/** The same where connections were taken meanwhile, and nothing came: then each attempt takes 10 s, and the cap is 30 s. */
export function backoffFromMuteMs(goneMs: number): number {
  return Math.min(500 + 2 * goneMs, 30_000)
}

/** A bridge withdraws what others have when its stream is down for so long: a server that is back in time has then been found. */
export function staleMs({ staleAfterMs, graceMs }: Settings): number {
  return staleAfterMs + 5_000 + graceMs
}

/** How long a bridge that is back waits for others that may be on their way back too. */
export const returnMs = 35_000

/** What writing that many items of a window may take: one at a time, with rests that grow with the server's load (rule 26). */
export function windowMs(items: number): number {
  return 100 * items
}
