/**
 * How Asterisk adds up one device's states of several EIDs.
 * Source: Asterisk `main/devicestate.c`, `ast_devstate_aggregate_add` and `ast_devstate_aggregate_result`.
 */
import type { DeviceState } from './state.js'

/** From weakest to strongest: the strongest state of any origin is the sum. */
const strength: readonly DeviceState[] = [
  'INVALID',
  'UNKNOWN',
  'UNAVAILABLE',
  'NOT_INUSE',
  'ONHOLD',
  'RINGING',
  'INUSE',
  'BUSY',
  'RINGINUSE',
]

/** How strong a state is in the sum: 0 for `INVALID`, more for a stronger one. */
export function strengthOf(state: DeviceState): number {
  return strength.indexOf(state)
}

const occupied: ReadonlySet<DeviceState> = new Set(['INUSE', 'ONHOLD', 'BUSY'])

/** The sum of a device's cachable states, one per origin; `INVALID` where there is none. */
export function sumStates(states: Iterable<DeviceState>): DeviceState {
  let sum: DeviceState = 'INVALID'
  let isRinging = false
  let isOccupied = false
  for (const state of states) {
    isRinging ||= state === 'RINGING'
    isOccupied ||= occupied.has(state)
    if (strength.indexOf(state) > strength.indexOf(sum)) sum = state
  }
  return isRinging && isOccupied ? 'RINGINUSE' : sum
}
