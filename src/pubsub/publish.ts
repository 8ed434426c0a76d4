import xml, { type Element } from '@xmpp/xml'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

/**
 * Publishes one item (XEP-0060 §7.1; v1.30 allows no more than one).
 * COMPAT: ejabberd makes a node that is not there, with its defaults; Prosody says `item-not-found`.
 */
export async function publish(
  service: PubsubService,
  node: string,
  id: string,
  payload: Element,
): Promise<void> {
  const item = xml('item', { id }, payload)
  await requestPubsub(service, 'set', pubsubNamespace, xml('publish', { node }, item))
}
