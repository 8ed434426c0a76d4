import xml from '@xmpp/xml'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

/** Ends the subscriptions of others, or of itself, to an own node (XEP-0060 §8.8.2). */
export async function dismissSubscribers(
  service: PubsubService,
  node: string,
  jids: readonly string[],
): Promise<void> {
  const ended = jids.map((jid) => xml('subscription', { jid, subscription: 'none' }))
  await requestPubsub(service, 'set', ownerNamespace, xml('subscriptions', { node }, ...ended))
}
