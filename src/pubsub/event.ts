/** What a pubsub service tells its subscribers. Source: XEP-0060 §7.1.2, §7.2.2, §8.4.2, §8.5.3, §12.10. */
import type { Element } from '@xmpp/xml'
import { toItem, type Item } from './items.js'
import { eventNamespace } from './service.js'

export type PubsubEvent =
  | { readonly type: 'items'; readonly node: string; readonly items: readonly Item[] }
  | { readonly type: 'retracted' | 'purged' | 'deleted'; readonly node: string }
  | { readonly type: 'unsubscribed'; readonly node: string; readonly jid: string }

/** XEP-0060 sends an item a message; more than this is no honest service. */
const mostItems = 100

/** The events of a message, none where it is no notification; other changes, such as of the configuration, are left out. */
export function parseEvent(message: Element): PubsubEvent[] {
  // An error carries our own stanza back, or what pretends to be one.
  if (message.attrs['type'] === 'error') return []
  const event = message.getChild('event', eventNamespace)
  return event?.getChildElements().flatMap(parseChange) ?? []
}

function parseChange(change: Element): PubsubEvent[] {
  const { node, jid, subscription } = change.attrs
  if (node === undefined) return []
  switch (change.getName()) {
    case 'items':
      return parseItems(node, change)
    case 'purge':
      return [{ type: 'purged', node }]
    case 'delete':
      return [{ type: 'deleted', node }]
    case 'subscription':
      return jid === undefined || subscription === 'subscribed'
        ? []
        : [{ type: 'unsubscribed', node, jid }]
    default:
      return []
  }
}

function parseItems(node: string, change: Element): PubsubEvent[] {
  const items = change.getChildren('item').slice(0, mostItems).map(toItem)
  return [
    ...(items.length > 0 ? [{ type: 'items', node, items } as const] : []),
    ...(change.getChild('retract') === undefined ? [] : [{ type: 'retracted', node } as const]),
  ]
}
