import xml, { type Element } from '@xmpp/xml'
import { AnswerTooBig } from '../xmpp/errors.js'
import { discoItems } from './disco.js'
import { pubsubNamespace, requestPubsub, type PubsubService } from './service.js'

const rsmNamespace = 'http://jabber.org/protocol/rsm'

/** Items asked for at a time, so that an answer stays well below the stanza limits of federation. */
const pageSize = 200

/** Items asked for by their ids at a time. */
const fewIds = 64

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

/**
 * Reads the items of a node to which anybody may publish: where the answer is too big it reads them in smaller parts, and tells the
 * ids of those that are too big alone. Else one account could keep all others from reading the rest.
 */
export async function itemsOfAll(
  service: PubsubService,
  node: string,
  onTooBig: (id: string) => void,
): Promise<Item[]> {
  try {
    return await items(service, node)
  } catch (error) {
    if (!(error instanceof AnswerTooBig)) throw error
  }
  const { iq, service: jid, timeoutMs } = service
  const listed = await discoItems(iq, jid, timeoutMs, node)
  const ids = listed.flatMap(({ name }) => name ?? []).slice(0, mostItems)
  const found: Item[] = []
  for (let at = 0; at < ids.length; at += fewIds) {
    found.push(...(await itemsInParts(service, node, ids.slice(at, at + fewIds), onTooBig)))
  }
  return found
}

/** Those with these ids, in halves where the answer is too big. */
async function itemsInParts(
  service: PubsubService,
  node: string,
  ids: readonly string[],
  onTooBig: (id: string) => void,
): Promise<Item[]> {
  try {
    return await items(service, node, ids)
  } catch (error) {
    if (!(error instanceof AnswerTooBig)) throw error
  }
  const [only = ''] = ids
  if (ids.length === 1) {
    onTooBig(only)
    return []
  }
  const half = Math.ceil(ids.length / 2)
  return [
    ...(await itemsInParts(service, node, ids.slice(0, half), onTooBig)),
    ...(await itemsInParts(service, node, ids.slice(half), onTooBig)),
  ]
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
