import xml, { type Element } from '@xmpp/xml'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

const rsmNamespace = 'http://jabber.org/protocol/rsm'

/** Items asked for at a time, so that an answer stays well below the stanza limits of federation. */
const pageSize = 200

/** At most this many items are taken from a node, whatever its service says. */
const mostItems = 20_000

/** An item as a service shows it; nothing about it is trusted. */
export interface Item {
  readonly id: string
  /** Who published it, bare or full JID, where the service shows that. */
  readonly publisher?: string
  readonly payload?: Element
}

/** Reads an `<item/>` of an answer or event. */
export function toItem(element: Element): Item {
  const { id, publisher } = element.attrs
  const [payload] = element.getChildElements()
  return {
    id: id ?? '',
    ...(publisher === undefined ? {} : { publisher }),
    ...(payload === undefined ? {} : { payload }),
  }
}

/**
 * Reads the items of a node (XEP-0060 §6.5): all of them, or those with the given ids. Pages by XEP-0059 where the
 * service does; Prosody does not, and answers with all at once.
 */
export async function items(
  service: PubsubService,
  node: string,
  ids: readonly string[] = [],
): Promise<Item[]> {
  const found: Item[] = []
  let after: string | undefined
  do {
    const wanted = xml('items', { node }, ...ids.map((id) => xml('item', { id })))
    const pubsub = await (ids.length > 0
      ? requestPubsub(service, 'get', pubsubNamespace, wanted)
      : requestPubsub(service, 'get', pubsubNamespace, wanted, encodePaging(after)))
    const page = pubsub?.getChild('items')?.getChildren('item').map(toItem) ?? []
    found.push(...page)
    after = page.length === 0 || ids.length > 0 ? undefined : nextPage(pubsub, found.length, after)
  } while (after !== undefined && found.length < mostItems)
  return found.slice(0, mostItems)
}

function encodePaging(after: string | undefined): Element {
  return xml(
    'set',
    { xmlns: rsmNamespace },
    xml('max', {}, String(pageSize)),
    after === undefined ? undefined : xml('after', {}, after),
  )
}

/** Where the next page begins, unless this was the last or the service goes round in circles. */
function nextPage(
  pubsub: Element | undefined,
  received: number,
  previous: string | undefined,
): string | undefined {
  const paging = pubsub?.getChild('set', rsmNamespace)
  const last = paging?.getChildText('last')
  const count = Number(paging?.getChildText('count') ?? 0)
  return last && last !== previous && received < count ? last : undefined
}
