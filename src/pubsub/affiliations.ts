import xml from '@xmpp/xml'
import { ownerNamespace, requestPubsub, type PubsubService } from './service.js'

export interface Affiliation {
  /** Bare JID. */
  readonly jid: string
  /** `owner`, `publisher`, `member`, `outcast` … */
  readonly affiliation: string
}

/** Reads who may do what with an own node (XEP-0060 §8.9.1); `forbidden` to all but its owners. */
export async function affiliations(service: PubsubService, node: string): Promise<Affiliation[]> {
  const pubsub = await requestPubsub(service, 'get', ownerNamespace, xml('affiliations', { node }))
  const found = pubsub?.getChild('affiliations')?.getChildren('affiliation') ?? []
  return found.flatMap(({ attrs: { jid, affiliation } }) =>
    jid === undefined || affiliation === undefined ? [] : [{ jid, affiliation }],
  )
}
