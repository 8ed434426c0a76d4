/** What a bridge process uses at a quiet point, and whether that grows over its life. */
import type { Member } from '../../lab/member.js'

export interface Use {
  /** Identifies the process. */
  readonly startedAt: number
  /** What is left when the garbage has been collected. */
  readonly heapMiB: number
  /** Sockets, servers. */
  readonly handles: number
  readonly timers: number
}

/**
 * What a process may have more than at its leanest quiet point. Heap: code that is compiled as it is used, buffers of the
 * moment. Timers: the publications of the first mailboxes, to be refreshed in an hour, and one of the moment. Handles:
 * connections of whoever scrapes.
 */
const slack = { heapMiB: 6, handles: 2, timers: 3 }
/**
 * What was for the moment is gone after this, ms: a SIP transaction ends after 32 s (RFC 3261 timer F), `@xmpp/events` lets
 * the timers of an attempt to connect run out in 10 s. What stays longer is a leak.
 */
export const momentaryMs = 35_000

/** Collects the garbage of the process in which it is imported at each SIGUSR2. */
const collector = `
  import { setFlagsFromString } from 'node:v8'
  import { runInNewContext } from 'node:vm'
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  process.on('SIGUSR2', () => collect())`

/** Lets `useOf` have a bridge collect its garbage. */
export const bridgeEnv = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(collector)}`,
}

/** Has the garbage collected, and asks `/metrics`. */
export async function useOf(member: Member): Promise<Use> {
  member.bridge.signal('SIGUSR2')
  // Once this is answered the signal has been.
  await fetch(`${member.http}/ready`)
  const samples = await member.metrics()
  const value = (name: string, type?: string): number =>
    samples.find(
      (each) => each.name === name && (type === undefined || each.labels['type'] === type),
    )?.value ?? 0
  const octets = value('nodejs_heap_size_used_bytes') + value('nodejs_external_memory_bytes')
  return {
    startedAt: value('process_start_time_seconds'),
    heapMiB: Math.round(octets / 2 ** 20),
    handles: value('nodejs_active_handles_total'),
    timers: value('nodejs_active_resources', 'Timeout'),
  }
}

/** Compares the quiet points of each process with the leanest of its life. */
export class LeakWatch {
  readonly #leanest = new Map<string, Use>()

  /** Notes what a process uses; gives what has grown, a line each. */
  note(name: string, use: Use): readonly string[] {
    const process = `${name} ${use.startedAt}`
    const leanest = leaner(use, this.#leanest.get(process) ?? use)
    this.#leanest.set(process, leanest)
    return (['heapMiB', 'handles', 'timers'] as const)
      .filter((what) => use[what] > leanest[what] + slack[what])
      .map((what) => `${name}: ${what} grew from ${leanest[what]} to ${use[what]}`)
  }
}

const leaner = (a: Use, b: Use): Use => ({
  startedAt: a.startedAt,
  heapMiB: Math.min(a.heapMiB, b.heapMiB),
  handles: Math.min(a.handles, b.handles),
  timers: Math.min(a.timers, b.timers),
})
