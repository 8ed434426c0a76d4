import xml from '@xmpp/xml'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

/** Deletes an own node and its items (XEP-0060 §8.4). */
export async function deleteNode(service: PubsubService, node: string): Promise<void> {
  await requestPubsub(service, 'set', ownerNamespace, xml('delete', { node }))
}
