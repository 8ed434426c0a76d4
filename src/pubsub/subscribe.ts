import xml from '@xmpp/xml'
import { StanzaError } from '../xmpp/errors.js'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

/** Subscribes a JID to a node (XEP-0060 §6.1); throws `subscription-required` where it has to be approved first. */
export async function subscribe(service: PubsubService, node: string, jid: string): Promise<void> {
  const pubsub = await requestPubsub(
    service,
    'set',
    pubsubNamespace,
    xml('subscribe', { node, jid }),
  )
  const state = pubsub?.getChild('subscription')?.attrs['subscription'] ?? 'subscribed'
  if (state !== 'subscribed') {
    throw new StanzaError('subscription-required', 'cancel', `the subscription is ${state}`)
  }
}
