/**
 * The IQ payload `<snapshot xmlns='urn:hintbridge:1'/>` (rule 14): the query names a place (`after`, `kind`) and a bound
 * (`max`), the answer is one page.
 */
import xml, { type Element } from '@xmpp/xml'
import { maxEntries, type Page, type PageQuery } from '../bridge/messages.js'
import { decodeKind, decodeStateEntries, encodeEntry, entryBounds } from './entries.js'
import { decodeStatusAttributes, statusAttributes } from './status.js'
import { namespace, StrictReader } from './strict.js'

export function encodePageQuery(query: PageQuery): Element {
  return xml('snapshot', {
    xmlns: namespace,
    max: String(query.max),
    after: query.after?.id,
    kind: query.after?.kind,
  })
}

/** Throws `DecodeError`; `max` is brought down to `maxEntries`. */
export function decodePageQuery(payload: Element | undefined): PageQuery {
  const reader: StrictReader = new StrictReader('snapshot')
  const root = reader.root(payload, 'snapshot', namespace, { maxDepth: 1, maxElements: 1 })
  const wanted = reader.count(root.attrs['max'])
  if (wanted === 0) reader.refuse('count', 'a page of no entries')
  const max = Math.min(wanted, maxEntries)
  const { after, kind } = root.attrs
  if (after === undefined && kind === undefined) return { max }
  return { max, after: { kind: decodeKind(reader, kind), id: reader.name(after) } }
}

export function encodePage(page: Page): Element {
  return xml(
    'snapshot',
    { ...statusAttributes(page), last: String(page.isLast) },
    ...page.entries.map(encodeEntry),
  )
}

/** Throws `DecodeError`. A page that is neither the last nor holds an entry is refused: it would be asked for ever. */
export function decodePage(payload: Element | undefined): Page {
  const reader: StrictReader = new StrictReader('snapshot')
  const root = reader.root(payload, 'snapshot', namespace, entryBounds)
  const status = decodeStatusAttributes(reader, root)
  const entries = decodeStateEntries(reader, root)
  const isLast = reader.flag(root.attrs['last'], false)
  if (!isLast && entries.length === 0 && status.phase === 'ready') {
    reader.refuse('children', 'an empty page that is not the last')
  }
  return { ...status, entries, isLast }
}
