/** What could not be taken back from the own pubsub service, and what the administrator can do about it. */
import type { Log } from '../xmpp/connection.js'
import { toFailure } from './failure.js'

/** A node that was not deleted or, with `item`, one whose item was not retracted. */
export interface LeftBehind {
  readonly node: string
  readonly item?: string
  readonly error: unknown
}

const leaveAgain = 'run leave again when it answers'
const byHand =
  "what of this is there has to be deleted by the account that made it ('hintbridge leave' with its configuration) or by an " +
  'administrator of that service'

/** One line each in the log; `isLeaving`: `leave` can be said once more. */
export function logLeft(
  log: Log,
  service: string,
  left: readonly LeftBehind[],
  { isLeaving }: { readonly isLeaving: boolean },
): void {
  for (const { node, item, error } of left) {
    const { reason, isTemporary } = toFailure(`delete it at ${service}`, error)
    const remedy = isLeaving && isTemporary ? leaveAgain : byHand
    const fields = { node, ...(item !== undefined && { item }), reason, remedy }
    log.warn(fields, 'an own node or item was left behind')
  }
}

/** What `leave` failed in: each cause once, with all that it kept there and the remedy. */
export function failuresOfLeave(service: string, left: readonly LeftBehind[]): string[] {
  const namesByCause = new Map<string, string[]>()
  for (const { node, item, error } of left) {
    const { reason, isTemporary } = toFailure(`delete what it had at ${service}`, error)
    const cause = `${reason}: ${isTemporary ? leaveAgain : byHand}`
    const name = item === undefined ? node : `the item ${item} of ${node}`
    namesByCause.set(cause, [...(namesByCause.get(cause) ?? []), name])
  }
  return [...namesByCause].map(([cause, names]) => `${names.join(', ')}: ${cause}`)
}
