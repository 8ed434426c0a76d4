/**
 * The table of the injection: what the own Asterisk should hold of the peers, and what it was sent. Devices are held per
 * origin, a mailbox once. With 100,000 of them it is most of the memory, so keys are names as they are and none is
 * made for it.
 */
import type { Failure } from './events.js'
import type { EntityId, Kind, StateEntry } from './state.js'

/** A (EID, device) or (EID, mailbox) that was injected and not withdrawn, as the journal has it. */
export interface Injected {
  readonly eid: EntityId
  readonly kind: Kind
  readonly id: string
  /** Asterisk never took it as cachable: it is withdrawn in another way (rule 8). */
  readonly isUncachable?: boolean
}

/** The last time that a state was given to Asterisk. */
export interface LastInjection {
  readonly entry: StateEntry
  readonly sentMs: number
  acknowledgedMs: number | undefined
  failure: Failure | undefined
}

/** One state of one origin as the own Asterisk should hold it. */
export interface Target extends Injected {
  /** Under which the mailbox is given; a device's never changes. */
  eid: EntityId
  /** `undefined`: to be withdrawn. */
  wanted: StateEntry | undefined
  /** What Asterisk acknowledged last, if that is known. */
  held: StateEntry | undefined
  sending: StateEntry | undefined
  /** When what is wanted came to be at its origin, ms, until Asterisk has it; for the figure only. */
  originMs: number | undefined
  /** What became of the last injection; of none in this run: `undefined`. */
  last: LastInjection | undefined
  /** Was any of its states cachable? Then Asterisk's cache holds one, whatever came since. */
  isCachable: boolean
  /** The EID under which the journal has it. */
  journaledAs: EntityId | undefined
  /** Does the journal have it as cachable? */
  isJournaledCachable: boolean
  /** From the journal of an earlier run, not yet confirmed by a snapshot (rule 9). */
  isInherited: boolean
}

/** All targets: devices by origin and name, mailboxes by name. */
export class Targets {
  readonly #devices = new Map<EntityId, Map<string, Target>>()
  readonly #mailboxes = new Map<string, Target>()

  get size(): number {
    let devices = 0
    for (const own of this.#devices.values()) devices += own.size
    return devices + this.#mailboxes.size
  }

  get mailboxes(): number {
    return this.#mailboxes.size
  }

  find(eid: EntityId, kind: Kind, id: string): Target | undefined {
    return kind === 'device_state' ? this.#devices.get(eid)?.get(id) : this.mailbox(id)
  }

  mailbox(id: string): Target | undefined {
    return this.#mailboxes.get(id)
  }

  /** The target, made where there was none. */
  take(eid: EntityId, kind: Kind, id: string): Target {
    const known = this.find(eid, kind, id)
    if (known) return known
    const target: Target = {
      eid,
      kind,
      id,
      wanted: undefined,
      held: undefined,
      sending: undefined,
      originMs: undefined,
      last: undefined,
      isCachable: kind === 'message_waiting',
      journaledAs: undefined,
      isJournaledCachable: false,
      isInherited: false,
    }
    this.#tableOf(eid, kind).set(id, target)
    return target
  }

  /** Takes that very target out; its successor stays. */
  drop(target: Target): void {
    const { eid, kind, id } = target
    if (this.find(eid, kind, id) !== target) return
    const table = this.#tableOf(eid, kind)
    table.delete(id)
    if (kind === 'device_state' && table.size === 0) this.#devices.delete(eid)
  }

  /** The targets of every origin for a device or a mailbox. */
  *named(kind: Kind, id: string): Generator<Target> {
    const tables = kind === 'device_state' ? this.#devices.values() : [this.#mailboxes]
    for (const table of tables) {
      const target = table.get(id)
      if (target) yield target
    }
  }

  *of(eid: EntityId): Generator<Target> {
    yield* this.#devices.get(eid)?.values() ?? []
    for (const target of this.#mailboxes.values()) if (target.eid === eid) yield target
  }

  *ofKind(kind: Kind): Generator<Target> {
    if (kind === 'message_waiting') yield* this.#mailboxes.values()
    else for (const table of this.#devices.values()) yield* table.values()
  }

  *all(): Generator<Target> {
    yield* this.ofKind('device_state')
    yield* this.ofKind('message_waiting')
  }

  #tableOf(eid: EntityId, kind: Kind): Map<string, Target> {
    if (kind === 'message_waiting') return this.#mailboxes
    const known = this.#devices.get(eid)
    if (known) return known
    const table = new Map<string, Target>()
    this.#devices.set(eid, table)
    return table
  }
}
