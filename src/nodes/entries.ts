/** The entries within batches and pages: `<state/>`, `<mailbox/>` and, in batches only, `<gone/>`. */
import xml, { type Element } from '@xmpp/xml'
import { kinds, type FeedEntry, type Kind, type StateEntry } from '../bridge/state.js'
import { maxEntries } from '../bridge/messages.js'
import { namespace, type StrictReader } from './strict.js'

/** Root, entries, and what others may add beside them in namespaces of their own. */
export const entryBounds = { maxDepth: 2, maxElements: maxEntries + 20 }

/** Writes one entry; its octets stay within `wireOctets`. */
export function encodeEntry(entry: FeedEntry): Element {
  switch (entry.kind) {
    case 'device_state':
      return xml('state', { id: entry.id, cachable: entry.cachable ? undefined : '0' }, entry.state)
    case 'message_waiting':
      return xml('mailbox', {
        id: entry.id,
        new: String(entry.newMessages),
        old: String(entry.oldMessages),
      })
    case 'gone':
      return xml('gone', { id: entry.id, kind: entry.of })
  }
}

/** Reads the kind of an entry from an attribute. */
export function decodeKind(reader: StrictReader, text: string | undefined): Kind {
  const kind = kinds.find((known) => known === text)
  if (kind === undefined) reader.refuse('element', 'unknown kind of state')
  return kind
}

function decodeEntry(reader: StrictReader, element: Element): FeedEntry {
  const id = reader.name(element.attrs['id'])
  switch (element.getName()) {
    case 'state': {
      const state = reader.deviceState(element)
      const cachable = reader.flag(element.attrs['cachable'], true)
      return { kind: 'device_state', id, state, cachable }
    }
    case 'mailbox':
      reader.text(element, 0)
      return {
        kind: 'message_waiting',
        id,
        newMessages: reader.count(element.attrs['new']),
        oldMessages: reader.count(element.attrs['old']),
      }
    case 'gone':
      reader.text(element, 0)
      return { kind: 'gone', of: decodeKind(reader, element.attrs['kind']), id }
    default:
      return reader.refuse('element', `unknown <${element.getName().slice(0, 40)}/>`)
  }
}

/**
 * Reads the entries within `parent`. Elements of other namespaces are ignored; an unknown one of ours is refused, for
 * what it says about a state would be lost in silence.
 */
export function decodeFeedEntries(reader: StrictReader, parent: Element): FeedEntry[] {
  const elements = reader.children(parent, namespace)
  if (elements.length > maxEntries) reader.refuse('children', `more than ${maxEntries} entries`)
  return elements.map((element) => decodeEntry(reader, element))
}

/** Reads the entries of a page, where nothing can be gone. */
export function decodeStateEntries(reader: StrictReader, parent: Element): StateEntry[] {
  return decodeFeedEntries(reader, parent).map((entry) =>
    entry.kind === 'gone' ? reader.refuse('element', '<gone/> in a snapshot') : entry,
  )
}
