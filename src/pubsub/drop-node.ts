import { deleteNode } from './delete-node.js'
import { dismissSubscribers } from './dismiss-subscribers.js'
import type { PubsubService } from './service.js'
import { subscribers } from './subscribers.js'

/**
 * Deletes an own node, and before it what is subscribed to it. COMPAT: Prosody keeps the subscriptions of a deleted node; with one
 * of them it answers no request for all subscriptions of that account any more, and shows it as one to the next node of that name.
 */
export async function dropNode(service: PubsubService, node: string): Promise<void> {
  // Why it may not be asked, or is not there, the deletion says too.
  const subscribed = await subscribers(service, node).catch(() => [])
  if (subscribed.length > 0) {
    await dismissSubscribers(service, node, subscribed).catch(() => undefined)
  }
  await deleteNode(service, node)
}
