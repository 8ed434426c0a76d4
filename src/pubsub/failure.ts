import type { ClusterEvent, Failure } from '../bridge/events.js'
import { DecodeError } from '../nodes/strict.js'
import { XmppError } from '../xmpp/errors.js'

/** What the domain is told about an error; `action` says what was tried, such as `publish feed`. */
export function toFailure(action: string, error: unknown): Failure {
  const text = error instanceof Error ? error.message : String(error)
  const reason = `failed to ${action}: ${text}`
  if (error instanceof XmppError) {
    return { condition: error.condition, reason, isTemporary: error.isTemporary }
  }
  if (error instanceof DecodeError) return { condition: 'undecodable', reason, isTemporary: false }
  return { condition: 'undefined-condition', reason, isTemporary: false }
}

/** Posts what a task comes to, or its failure; `action` is for the administrator: `publish device_state for 'x'`. */
export function attempt(
  post: (event: ClusterEvent) => void,
  action: string,
  task: () => Promise<ClusterEvent>,
  failed: (failure: Failure) => ClusterEvent,
): void {
  task().then(post, (error: unknown) => post(failed(toFailure(action, error))))
}
