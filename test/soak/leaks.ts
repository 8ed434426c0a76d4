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
/** Of two quiet points of one process. Sockets that are just closing, a scrape's own connection and requests come and go. */
const slack = { residentMiB: 32, handles: 4, timers: 10 }

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

/** Compares the quiet points of each process. */
export class LeakWatch {
  readonly #first = new Map<string, Use>()
  readonly #warm = new Map<string, Use>()

  /** Notes a quiet point; gives what has grown, a line each. */
  note(name: string, use: Use, now = Date.now()): readonly string[] {
    const process = `${name} ${use.startedAt}`
    const first = this.#first.get(process) ?? use
    this.#first.set(process, first)
    const isWarm = now / 1_000 - use.startedAt > warmUpS
    const warm = isWarm ? (this.#warm.get(process) ?? use) : use
    if (isWarm) this.#warm.set(process, warm)
    const grown = (what: keyof typeof slack, before: Use): string[] =>
      use[what] > before[what] + slack[what]
        ? [`${name}: ${what} grew from ${before[what]} to ${use[what]}`]
        : []
    return [...grown('handles', first), ...grown('timers', first), ...grown('residentMiB', warm)]
  }
}
