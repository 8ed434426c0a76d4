import xml from '@xmpp/xml'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

/** Ends the subscription of a JID (XEP-0060 §6.2); `unexpected-request` where there is none. */
export async function unsubscribe(
  service: PubsubService,
  node: string,
  jid: string,
): Promise<void> {
  await requestPubsub(service, 'set', pubsubNamespace, xml('unsubscribe', { node, jid }))
}
