/** What whoever asks is shown of a state; times are monotonic, ms, and what shows them gives them a date. */
import type { Failure } from './events.js'
import type { DeviceEntry, EntityId, Kind, StateEntry } from './state.js'

/**
 * How a part stands with the own Asterisk. `own`: its own state. `injected`: it has taken it. `pending`: it waits for Asterisk.
 * `refused`: Asterisk did not take it, and is given it again. `held`: it is known, but not for the own Asterisk.
 */
export type Standing = 'own' | 'injected' | 'pending' | 'refused' | 'held'

/** What one origin says. */
export interface Part {
  readonly eid: EntityId
  /** Bare JID. */
  readonly jid: string
  readonly name: string
  readonly isOwn: boolean
  readonly entry: StateEntry
  readonly changedMs: number
  readonly standing: Standing
  /** Why it is held, refused or waits. */
  readonly note?: string
  /** The setting that holds it back, where it is one for the number of names. */
  readonly limit?: string
}

export interface StateSeen {
  readonly kind: Kind
  readonly id: string
  /** What the own Asterisk comes to of the parts that it is given. */
  readonly sum: StateEntry
  /** Of the part that changed last. */
  readonly changedMs: number
  /** The own first, then by name. */
  readonly parts: readonly Part[]
}

export interface StatesQuery {
  readonly kind: Kind
  readonly matches: (id: string) => boolean
  readonly offset: number
  readonly limit: number
  /** `busy`: by the strongest state that any member tells, then by name. */
  readonly order: 'busy' | 'name'
}

export interface StatesSeen {
  readonly total: number
  readonly matched: number
  readonly states: readonly StateSeen[]
}

/** One step of the addition. */
export interface Step {
  readonly eid: EntityId
  readonly name: string
  readonly state: string
  readonly sumSoFar: string
  readonly why: string
}

/** What the own Asterisk was sent of one origin. */
export interface InjectionSeen {
  readonly eid: EntityId
  readonly entry?: StateEntry
  readonly sentMs?: number
  readonly acknowledgedMs?: number | undefined
  readonly failure?: Failure | undefined
}

export interface Remark {
  readonly severity: 'note' | 'warning' | 'error'
  readonly text: string
  readonly remedy?: string
}

/** A device or mailbox by its name. */
export interface Named {
  readonly kind: Kind
  readonly id: string
}

export interface Explanation {
  readonly seen: StateSeen
  readonly isKnown: boolean
  /** What the own Asterisk says of the device, where that is not shared. */
  readonly unshared?: Pick<DeviceEntry, 'state' | 'cachable'>
  /** What Asterisk holds of origins that do not say it: `isInherited`, of an earlier run; else it is being taken back. */
  readonly leftovers: readonly { readonly eid: EntityId; readonly isInherited: boolean }[]
  readonly steps: readonly Step[]
  readonly injections: readonly InjectionSeen[]
  readonly remarks: readonly Remark[]
}

/** `INUSE`, or `2/0` for new and old messages. */
export function wordOf(entry: StateEntry): string {
  return entry.kind === 'device_state' ? entry.state : `${entry.newMessages}/${entry.oldMessages}`
}
