import type { Element } from '@xmpp/xml'
import type { ClusterEvent } from '../bridge/events.js'
import { codecs } from '../nodes/registry.js'
import { parseNodeName } from '../nodes/names.js'
import { parseEvent, type PubsubEvent } from './event.js'
import type { Item } from './items.js'
import type { Refusals } from './refusals.js'

export interface NotificationContext {
  readonly root: string
  /** JID of the own pubsub service. */
  readonly service: string
  readonly refusals: Refusals
  /** Is that a service where this bridge is subscribed? */
  readonly isSubscribedAt: (service: string) => boolean
}

/**
 * Turns a message into what the domain is told. Batches are passed with the service that sent them, for the domain to
 * judge (rule 18); `members` counts on the own service only, and a change of nodes only on one where there is a
 * subscription: anybody can send a message that looks like a notification.
 */
export function readNotification(message: Element, context: NotificationContext): ClusterEvent[] {
  const { from } = message.attrs
  if (from === undefined) return []
  return parseEvent(message).flatMap((event) => readEvent(event, from, context))
}

function readEvent(event: PubsubEvent, from: string, context: NotificationContext): ClusterEvent[] {
  const node = parseNodeName(context.root, event.node)
  if (node === undefined) return []
  if (event.type !== 'items') {
    return from === context.service || context.isSubscribedAt(from)
      ? [{ type: 'NodeDisturbed', node: event.node, change: event.type }]
      : []
  }
  switch (node.type) {
    case 'feed':
      return event.items.flatMap((item) => readBatch(item, from, node.eid, context))
    case 'members':
      return event.items.flatMap((item) => readMember(item, from, context))
    case 'device_state':
    case 'message_waiting':
      // Windows are for whoever looks in; a bridge reads them, and is not subscribed.
      return []
  }
}

function readBatch(
  item: Item,
  from: string,
  eid: string,
  { refusals }: NotificationContext,
): ClusterEvent[] {
  const { id, publisher } = item
  const batch = refusals.decode(publisher ?? from, () =>
    codecs.feed.decode(item.payload, { eid, id }),
  )
  if (batch === undefined) return []
  const { atMs, ...told } = batch
  return [
    {
      type: 'BatchReceived',
      service: from,
      ...(publisher === undefined ? {} : { publisher }),
      batch: { ...told, ...(atMs !== undefined && { ageMs: Date.now() - atMs }) },
    },
  ]
}

function readMember(item: Item, from: string, context: NotificationContext): ClusterEvent[] {
  const { refusals } = context
  if (from !== context.service) {
    refusals.refuse('members', 'service', from, `${from} is not ${context.service}`)
    return []
  }
  const { id, publisher } = item
  const member = refusals.decode(publisher ?? id, () =>
    codecs.members.decode(item.payload, { id, ...(publisher === undefined ? {} : { publisher }) }),
  )
  return member === undefined ? [] : [{ type: 'MemberItemReceived', item: member }]
}
