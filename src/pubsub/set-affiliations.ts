import xml from '@xmpp/xml'
import type { Affiliation } from './affiliations.js'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

/**
 * Changes who may do what with an own node (XEP-0060 §8.9.2); `none` takes an affiliation away, and leaves the subscriptions.
 * COMPAT Prosody: an affiliation with the node goes before what the service's `admins` are, so an owner that names itself
 * `member` is one from then on.
 */
export async function setAffiliations(
  service: PubsubService,
  node: string,
  changes: readonly Affiliation[],
): Promise<void> {
  const changed = changes.map(({ jid, affiliation }) => xml('affiliation', { jid, affiliation }))
  await requestPubsub(service, 'set', ownerNamespace, xml('affiliations', { node }, ...changed))
}
