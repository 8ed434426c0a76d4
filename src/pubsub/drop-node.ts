import { deleteNode } from './delete-node.js'
import { dismissSubscribers } from './dismiss-subscribers.js'
import type { PubsubService } from './service.js'
import { subscribers } from './subscribers.js'

/** The deletion follows whatever these two come to, and soon, as the process may end; they are waited for so long each, ms. */
const dismissalMs = 1_000

/**
 * Deletes an own node, and before it what is subscribed to it. COMPAT: Prosody keeps the subscriptions of a deleted node; with one
 * of them it answers no request for all subscriptions of that account any more, and shows it as one to the next node of that name.
 */
export async function dropNode(service: PubsubService, node: string): Promise<void> {
  const impatient = { ...service, timeoutMs: Math.min(service.timeoutMs, dismissalMs) }
  // Why it may not be asked, or is not there, the deletion says too.
  const subscribed = await subscribers(impatient, node).catch(() => [])
  if (subscribed.length > 0) {
    await dismissSubscribers(impatient, node, subscribed).catch(() => undefined)
  }
  await deleteNode(service, node)
}
