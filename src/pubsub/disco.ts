/** Service discovery. Source: XEP-0030. */
import xml from '@xmpp/xml'
import type { IqSender } from './service.js'

export interface DiscoInfo {
  /** `pubsub/service` of a pubsub service, `server/im` of a server. */
  readonly identities: readonly { readonly type: string; readonly name: string }[]
  readonly features: readonly string[]
}

export interface DiscoItem {
  readonly jid: string
  readonly node?: string
  readonly name?: string
}

/** Asks what an entity is and can do (XEP-0030 §3.1). */
export async function discoInfo(iq: IqSender, jid: string, timeoutMs: number): Promise<DiscoInfo> {
  const namespace = 'http://jabber.org/protocol/disco#info'
  const answer = await iq.request(jid, 'get', xml('query', { xmlns: namespace }), timeoutMs)
  const query = answer.getChild('query', namespace)
  return {
    identities: (query?.getChildren('identity') ?? []).map(({ attrs }) => ({
      type: `${attrs['category'] ?? ''}/${attrs['type'] ?? ''}`,
      name: attrs['name'] ?? '',
    })),
    features: (query?.getChildren('feature') ?? []).flatMap(({ attrs }) => attrs['var'] ?? []),
  }
}

/**
 * Asks what belongs to an entity (XEP-0030 §4.1): a server's services, a pubsub service's nodes, or, with a `node`, its items,
 * whose `name` is their id (XEP-0060 §5.5). COMPAT ejabberd: not more than 100 nodes.
 */
export async function discoItems(
  iq: IqSender,
  jid: string,
  timeoutMs: number,
  node?: string,
): Promise<DiscoItem[]> {
  const namespace = 'http://jabber.org/protocol/disco#items'
  const query = xml('query', { xmlns: namespace, ...(node !== undefined && { node }) })
  const answer = await iq.request(jid, 'get', query, timeoutMs)
  const found = answer.getChild('query', namespace)?.getChildren('item') ?? []
  return found.flatMap(({ attrs: { jid: itemJid, node, name } }) =>
    itemJid === undefined
      ? []
      : [
          {
            jid: itemJid,
            ...(node !== undefined && { node }),
            ...(name !== undefined && { name }),
          },
        ],
  )
}
