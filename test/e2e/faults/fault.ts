/** One row of the table: a fault, how long peers may be wrong because of it, and how it is brought about and measured. */
import type { Settings } from './settings.js'
import type { Site } from './site.js'

export type Measured =
  /** From the fault to the last Asterisk that was right again. */
  | { readonly ms: number; readonly boundMs: number }
  /** What Asterisks told that they should not have: nothing may change. */
  | { readonly changes: readonly string[] }

export interface Fault {
  /** What happens, and what is to be so afterwards. */
  readonly name: string
  /** In the words of the configuration. */
  readonly bound: string
  /** Leaves the site as it is then; `Site.heal` puts it right. */
  run(site: Site): Promise<Measured>
}

/** Faults that are tried one after the other on one cluster. */
export interface FaultGroup {
  readonly name: string
  /** They are mostly waited for: the tests try them all at once, each on a cluster of its own. */
  readonly isSlow?: boolean
  readonly settings: Settings
  /** Devices of each member, by letter. */
  readonly devices: Readonly<Record<string, number>>
  readonly faults: readonly Fault[]
}

export function isWithinBound(measured: Measured): boolean {
  return 'ms' in measured ? measured.ms <= measured.boundMs : measured.changes.length === 0
}

/** `1.52 s` or `no change`. */
export function describeMeasured(measured: Measured): string {
  if ('ms' in measured) return `${(measured.ms / 1_000).toFixed(2)} s`
  const [first] = measured.changes
  return first === undefined ? 'no change' : `${measured.changes.length} changes (${first})`
}
