import xml, { type Element } from '@xmpp/xml'

/** Namespaces of XEP-0060. */
export const pubsubNamespace = 'http://jabber.org/protocol/pubsub'
export const ownerNamespace = 'http://jabber.org/protocol/pubsub#owner'
export const eventNamespace = 'http://jabber.org/protocol/pubsub#event'

/** What can send IQs; rejects with the errors of `src/xmpp/errors.ts`. */
export interface IqSender {
  request(to: string, type: 'get' | 'set', payload: Element, timeoutMs: number): Promise<Element>
}

/** The pubsub service that a verb speaks to. */
export interface PubsubService {
  readonly iq: IqSender
  /** JID of the service. */
  readonly service: string
  readonly timeoutMs: number
}

/** Sends one `<pubsub/>` and gives the one of the answer, if there is any. */
export async function requestPubsub(
  { iq, service, timeoutMs }: PubsubService,
  type: 'get' | 'set',
  namespace: typeof pubsubNamespace | typeof ownerNamespace,
  ...children: Element[]
): Promise<Element | undefined> {
  const payload = xml('pubsub', { xmlns: namespace }, ...children)
  const answer = await iq.request(service, type, payload, timeoutMs)
  return answer.getChild('pubsub', namespace)
}
