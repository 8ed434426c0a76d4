import xml from '@xmpp/xml'
import { nodeConfigForm } from './create-node.js'
import { encodeForm, type FormFields } from './data-form.js'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

/** Changes the configuration of an own node (XEP-0060 §8.2.4); `forbidden` to all but its owners. */
export async function configureNode(
  service: PubsubService,
  node: string,
  configuration: FormFields,
): Promise<void> {
  const form = encodeForm(nodeConfigForm, configuration)
  await requestPubsub(service, 'set', ownerNamespace, xml('configure', { node }, form))
}
