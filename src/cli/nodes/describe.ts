import { parseNodeName } from '../../nodes/names.js'
import { codecs } from '../../nodes/registry.js'
import { DecodeError } from '../../nodes/strict.js'
import type { Item } from '../../pubsub/items.js'

/** What an item says, in a few words, or why a bridge would refuse it. */
export function describeItem(item: Item, root: string, node: string): string {
  const parsed = parseNodeName(root, node)
  if (parsed === undefined) return item.payload?.toString() ?? ''
  try {
    return decode(item, parsed)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return `refused: ${error.message}`
  }
}

function decode(
  { id, payload }: Item,
  node: NonNullable<ReturnType<typeof parseNodeName>>,
): string {
  switch (node.type) {
    case 'members': {
      const { name, eid, version } = codecs.members.decode(payload, { id })
      return `${name}, ${eid}, hintbridge ${version}`
    }
    case 'device_state': {
      const { state, cachable } = codecs.device_state.decode(payload, { id, eid: node.eid })
      return cachable ? state : `${state} (uncachable)`
    }
    case 'message_waiting': {
      const counts = codecs.message_waiting.decode(payload, { id, eid: node.eid })
      return `${counts.newMessages} new, ${counts.oldMessages} old`
    }
    case 'feed': {
      const { sequence, entries } = codecs.feed.decode(payload, { id, eid: node.eid })
      return `batch ${sequence} with ${entries.length} changes`
    }
  }
}
