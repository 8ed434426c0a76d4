import xml from '@xmpp/xml'
import { ownerNamespace, type PubsubService, requestPubsub } from '../../src/pubsub/service.js'

/** Takes all items from a node (XEP-0060 §8.5); no bridge does that. */
export async function purge(service: PubsubService, node: string): Promise<void> {
  await requestPubsub(service, 'set', ownerNamespace, xml('purge', { node }))
}
