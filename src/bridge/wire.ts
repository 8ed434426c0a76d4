/**
 * How large entries become on the wire: upper bounds, computed without building any XML, so that batches and pages can
 * be cut below `maxStanzaOctets` (rule 11). `src/nodes` writes the XML and its tests hold it to these bounds.
 */
import { maxEntries, maxStanzaOctets } from './messages.js'
import type { FeedEntry } from './state.js'

/**
 * What a stanza needs around its entries: IQ or message, pubsub, item and batch elements. Two JIDs and a node name of
 * ordinary length (up to about 1,000 octets each) fit in.
 */
export const envelopeOctets = 4096

/** What the entries of one batch or page may take together, in octets of XML. */
export const maxEntriesOctets = maxStanzaOctets - envelopeOctets

/** Of the longest element around an id and a value: `<mailbox id="" new="2147483647" old="2147483647"></mailbox>`. */
const elementOctets = 64

/** Octets that escaping adds at most to one character: `"` becomes `&quot;`. */
const escapeOctets = 5

/** An upper bound in octets of the XML of one entry in a batch or page; cheap, as every entry is measured. */
export function wireOctets(entry: FeedEntry): number {
  let octets = elementOctets + Buffer.byteLength(entry.id)
  for (let index = 0; index < entry.id.length; index += 1) {
    switch (entry.id.charCodeAt(index)) {
      case 0x22: // "
      case 0x26: // &
      case 0x27: // '
      case 0x3c: // <
      case 0x3e: // >
        octets += escapeOctets
        break
      default:
    }
  }
  return octets
}

/**
 * The first of the entries, as many as fit into one batch or page of at most `max` (and `maxEntries`) and so many octets;
 * one in any case, for else a long name would never go out.
 */
export function takeFitting<Entry extends FeedEntry>(
  entries: Iterable<Entry>,
  max = maxEntries,
  maxOctets = maxEntriesOctets,
): Entry[] {
  const fitting: Entry[] = []
  const limit = Math.min(max, maxEntries)
  let octets = 0
  for (const entry of entries) {
    octets += wireOctets(entry)
    const isFull = octets > maxOctets && fitting.length > 0
    if (fitting.length === limit || isFull) break
    fitting.push(entry)
  }
  return fitting
}
