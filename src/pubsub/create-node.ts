import xml from '@xmpp/xml'
import { encodeForm, type FormFields } from './data-form.js'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

/** The form type of node configurations (XEP-0060 §16.4.4). */
export const nodeConfigForm = 'http://jabber.org/protocol/pubsub#node_config'

/** Creates and configures a node at once (XEP-0060 §8.1.3); `conflict` where it exists. */
export async function createNode(
  service: PubsubService,
  node: string,
  configuration: FormFields,
): Promise<void> {
  await requestPubsub(
    service,
    'set',
    pubsubNamespace,
    xml('create', { node }),
    xml('configure', {}, encodeForm(nodeConfigForm, configuration)),
  )
}
