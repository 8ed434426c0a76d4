/** The states that the XMPP server has retained, in the shape of the bridge's own answer, as far as it is known. */
import { wordOf } from '../bridge/inspection-views.js'
import type { DeviceState, Kind, StateEntry } from '../bridge/state.js'
import { sumStates } from '../bridge/sum.js'
import { failuresOf, type ServerFailure, type ServerMember } from './server-view.js'

export interface ServerPart {
  readonly eid: string
  readonly jid: string
  readonly name: string
  /** `INUSE`, or `2/0` for new and old messages. */
  readonly state: string
}

export interface ServerState {
  readonly kind: Kind
  readonly id: string
  /** Of a device; which count of several counts only a bridge knows. */
  readonly sum?: DeviceState
  readonly parts: readonly ServerPart[]
}

/** What a script is told. */
export interface ServerStates {
  readonly source: 'server'
  readonly matched: number
  readonly states: readonly ServerState[]
  /** The members whose states are left out. */
  readonly failures: readonly ServerFailure[]
}

/** Gathers the states, and names who is left out. */
export function serverStates(
  members: readonly ServerMember[],
  kind: Kind,
  matches: (id: string) => boolean,
): ServerStates {
  const states = gatherStates(members, kind, matches)
  return { source: 'server', matched: states.length, states, failures: failuresOf(members) }
}

/** Puts together what the members say of each device or mailbox of that kind, by name. */
function gatherStates(
  members: readonly ServerMember[],
  kind: Kind,
  matches: (id: string) => boolean,
): ServerState[] {
  const found = new Map<string, { readonly part: ServerPart; readonly entry: StateEntry }[]>()
  for (const { item, entries = [] } of members) {
    for (const entry of entries) {
      if (entry.kind !== kind || !matches(entry.id)) continue
      const part = { eid: item.eid, jid: item.id, name: item.name, state: wordOf(entry) }
      found.set(entry.id, [...(found.get(entry.id) ?? []), { part, entry }])
    }
  }
  const ids = [...found.keys()].sort()
  return ids.map((id) => {
    const told = found.get(id) ?? []
    const states = told.flatMap(({ entry }) =>
      entry.kind === 'device_state' && entry.cachable ? [entry.state] : [],
    )
    return {
      kind,
      id,
      ...(kind === 'device_state' && { sum: sumStates(states) }),
      parts: told.map(({ part }) => part),
    }
  })
}
