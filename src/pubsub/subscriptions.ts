import xml from '@xmpp/xml'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

/**
 * The JIDs, bare or full, under which the account is subscribed to a node, those of its other resources too (XEP-0060 §5.6).
 * Never asked for all nodes: COMPAT Prosody 0.12 does not answer that once a node was deleted that the account was subscribed to.
 */
export async function subscriptions(service: PubsubService, node: string): Promise<string[]> {
  const pubsub = await requestPubsub(
    service,
    'get',
    pubsubNamespace,
    xml('subscriptions', { node }),
  )
  const found = pubsub?.getChild('subscriptions')?.getChildren('subscription') ?? []
  return found.flatMap(({ attrs }) =>
    // ejabberd names the node neither here nor around it.
    attrs['jid'] === undefined ||
    attrs['subscription'] !== 'subscribed' ||
    (attrs['node'] ?? node) !== node
      ? []
      : [attrs['jid']],
  )
}
