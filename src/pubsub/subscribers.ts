import xml from '@xmpp/xml'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

/** The JIDs that are subscribed to an own node (XEP-0060 §8.8.1). */
export async function subscribers(service: PubsubService, node: string): Promise<string[]> {
  const pubsub = await requestPubsub(service, 'get', ownerNamespace, xml('subscriptions', { node }))
  const found = pubsub?.getChild('subscriptions')?.getChildren('subscription') ?? []
  return found.flatMap(({ attrs: { jid } }) => jid ?? [])
}
