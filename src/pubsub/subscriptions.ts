import xml from '@xmpp/xml'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

export interface Subscription {
  readonly node: string
  /** Bare or full JID, as it was subscribed. */
  readonly jid: string
}

/** The account's active subscriptions at the service, those of its other resources too (XEP-0060 §5.6). */
export async function subscriptions(service: PubsubService): Promise<Subscription[]> {
  const pubsub = await requestPubsub(service, 'get', pubsubNamespace, xml('subscriptions'))
  const found = pubsub?.getChild('subscriptions')?.getChildren('subscription') ?? []
  return found.flatMap(({ attrs: { node, jid, subscription } }) =>
    node === undefined || jid === undefined || subscription !== 'subscribed' ? [] : [{ node, jid }],
  )
}
