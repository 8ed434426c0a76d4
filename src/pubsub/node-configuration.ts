import xml from '@xmpp/xml'
import { decodeForm } from './data-form.js'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

/** Reads the configuration of an own node (XEP-0060 §8.2.1); `forbidden` to all but its owners. */
export async function nodeConfiguration(
  service: PubsubService,
  node: string,
): Promise<Map<string, string>> {
  const pubsub = await requestPubsub(service, 'get', ownerNamespace, xml('configure', { node }))
  return decodeForm(pubsub?.getChild('configure'))
}
