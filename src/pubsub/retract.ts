import xml from '@xmpp/xml'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

/** Retracts one item and lets subscribers know (XEP-0060 §7.2); `item-not-found` where it is not there. */
export async function retract(service: PubsubService, node: string, id: string): Promise<void> {
  const request = xml('retract', { node, notify: 'true' }, xml('item', { id }))
  await requestPubsub(service, 'set', pubsubNamespace, request)
}
