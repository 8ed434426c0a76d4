/** What every part of the domain is given: the settings, the time, and the way out. */
import type { Agenda } from './agenda.js'
import type { Command, Refused } from './commands.js'
import type { NeverShared } from './never-shared.js'
import type { EntityId, Kind } from './state.js'

export interface ShareSettings {
  readonly publish: boolean
  readonly subscribe: boolean
  /** May this device or mailbox leave or enter? */
  isShared(id: string): boolean
  /** Why one of this name never may, whatever the filters say. */
  whyNever?(id: string): NeverShared | undefined
}

/** Durations of life and death (rules 13, 16, 19 to 24, 26). */
export interface LivenessSettings {
  readonly heartbeatMs: number
  readonly deadAfterMs: number
  readonly graceMs: number
  readonly staleAfterMs: number
  /** `members` is read again this often (rule 19). */
  readonly membersMs: number
  /** The own nodes and what they retain are looked at this often (rules 19 and 26). */
  readonly auditMs: number
}

/** Asterisk frees no name until it restarts: so many different ones it is given of devices and mailboxes together. */
export interface LimitSettings {
  /** Of one member. */
  readonly namesPerMember: number
  /** Of all of them. */
  readonly names: number
}

export interface BridgeSettings {
  /** Bare JID of this member. */
  readonly jid: string
  readonly eid: EntityId
  /** The EID that the PBX had before this one, where it has changed. */
  readonly formerEid?: EntityId
  /** A name for humans. */
  readonly name: string
  readonly version: string
  /** The pubsub service that holds own nodes and `members`. */
  readonly service: string
  readonly share: Readonly<Record<Kind, ShareSettings>>
  /** Share states that Asterisk calls uncachable too (rule 4). */
  readonly sharesUncachable: boolean
  /** Does the configuration claim this mailbox for the own PBX (rule 5)? */
  isClaimed(mailbox: string): boolean
  isTrusted(bareJid: string): boolean
  /** Bare JIDs that may read the own nodes, and are no members for it. */
  readonly inspectors: readonly string[]
  readonly liveness: LivenessSettings
  readonly limits: LimitSettings
  /** How many injections go to Asterisk in parallel. */
  readonly lanes: number
}

export interface Context {
  /** Replaced as a whole when the configuration is read again. */
  settings: BridgeSettings
  readonly agenda: Agenda
  /** Monotonic, ms; the time of the event that is being handled. */
  nowMs: number
  /** Somebody watches changes as they pass. */
  isWatched: boolean
  emit(command: Command): void
  /** In [0, 1), for jitter. */
  random(): number
  /** 32 fresh hex digits (rule 12). */
  newEpoch(): string
}

/** Says something to the log. */
export function log(
  context: Context,
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
): void {
  context.emit({ to: 'observe', do: 'log', level, message, ...(fields && { fields }) })
}

/** Adds one, or so many, to a counter. */
export function count(
  context: Context,
  counter: string,
  labels?: Readonly<Record<string, string>>,
  by?: number,
): void {
  context.emit({ to: 'observe', do: 'count', counter, labels, by })
}

/** Adds a value to a histogram. */
export function measure(
  context: Context,
  histogram: string,
  value: number,
  labels?: Readonly<Record<string, string>>,
): void {
  context.emit({ to: 'observe', do: 'measure', histogram, value, labels })
}

/** Notes that something was not believed. */
export function refused(context: Context, item: Refused): void {
  context.emit({ to: 'observe', do: 'refused', ...item })
}

/** Raises a health problem, or clears it where no text is given. */
export function health(
  context: Context,
  key: string,
  severity: 'warning' | 'error',
  text?: string,
): void {
  context.emit({ to: 'observe', do: 'health', key, severity, ...(text !== undefined && { text }) })
}

/** The JID without its resource. */
export function bareJid(jid: string): string {
  const slash = jid.indexOf('/')
  return slash < 0 ? jid : jid.slice(0, slash)
}
