/** What a bridge process uses at a quiet point, and whether that grows over its life. */
import type { Member } from '../../lab/member.js'

export interface Use {
  /** Identifies the process. */
  readonly startedAt: number
  readonly residentMiB: number
  /** Sockets, servers. */
  readonly handles: number
  readonly timers: number
}

/** A young Node process grows for a while: its memory counts from this age on, s. */
const warmUpS = 90
/**
 * What a process may have more than at its leanest quiet point. Timers: the publications of the first mailboxes, to be
 * refreshed in an hour, and one of the moment. Handles: connections of whoever scrapes.
 */
const slack = { residentMiB: 32, handles: 2, timers: 3 }
/**
 * What was for the moment is gone after this, ms: a SIP transaction ends after 32 s (RFC 3261 timer F), `@xmpp/events` lets
 * the timers of an attempt to connect run out in 10 s. What stays longer is a leak.
 */
export const momentaryMs = 35_000

/** Asks `/metrics`. */
export async function useOf(member: Member): Promise<Use> {
  const samples = await member.metrics()
  const value = (name: string, type?: string): number =>
    samples.find(
      (each) => each.name === name && (type === undefined || each.labels['type'] === type),
    )?.value ?? 0
  return {
    startedAt: value('process_start_time_seconds'),
    residentMiB: Math.round(value('process_resident_memory_bytes') / 2 ** 20),
    handles: value('nodejs_active_handles_total'),
    timers: value('nodejs_active_resources', 'Timeout'),
  }
}

/** Compares the quiet points of each process with the leanest of its life. */
export class LeakWatch {
  readonly #leanest = new Map<string, Use>()
  readonly #warm = new Map<string, Use>()

  /** Notes what a process uses; gives what has grown, a line each. */
  note(name: string, use: Use, now = Date.now()): readonly string[] {
    const process = `${name} ${use.startedAt}`
    const leanest = leaner(use, this.#leanest.get(process) ?? use)
    this.#leanest.set(process, leanest)
    const isWarm = now / 1_000 - use.startedAt > warmUpS
    const warm = isWarm ? leaner(use, this.#warm.get(process) ?? use) : use
    if (isWarm) this.#warm.set(process, warm)
    const grown = (what: keyof typeof slack, before: Use): string[] =>
      use[what] > before[what] + slack[what]
        ? [`${name}: ${what} grew from ${before[what]} to ${use[what]}`]
        : []
    return [
      ...grown('handles', leanest),
      ...grown('timers', leanest),
      ...grown('residentMiB', warm),
    ]
  }
}

const leaner = (a: Use, b: Use): Use => ({
  startedAt: a.startedAt,
  residentMiB: Math.min(a.residentMiB, b.residentMiB),
  handles: Math.min(a.handles, b.handles),
  timers: Math.min(a.timers, b.timers),
})
