import xml from '@xmpp/xml'
import type { Batch } from '../bridge/messages.js'
import type { Codec } from './codec.js'
import { decodeFeedEntries, encodeEntry, entryBounds } from './entries.js'
import { namespace, StrictReader } from './strict.js'

/** A batch as it stands on the wire: no age, but when its oldest change came to be, ms since 1970 by its origin's clock. */
export interface WireBatch extends Omit<Batch, 'ageMs'> {
  readonly atMs?: number
}

/**
 * The items of `ROOT/EID/feed` (rule 11): `<batch xmlns='urn:hintbridge:1' eid='…' epoch='…' seq='7'>` with its entries,
 * `bye='true'` on the last of a member that leaves, `at='…'` (XEP-0082) where it says when its oldest change came to be. The same batch gives the same octets. Unknown attributes and elements
 * of other namespaces are ignored, as they say nothing about a state; the EID must be the one in the node's name.
 */
export const feedCodec: Codec<WireBatch> = {
  name: 'feed',
  encode: (batch) =>
    xml(
      'batch',
      {
        xmlns: namespace,
        eid: batch.eid,
        epoch: batch.epoch,
        seq: String(batch.sequence),
        bye: batch.isBye ? 'true' : undefined,
        at: batch.atMs === undefined ? undefined : new Date(batch.atMs).toISOString(),
      },
      ...batch.entries.map(encodeEntry),
    ),
  decode(payload, source) {
    const reader: StrictReader = new StrictReader('feed')
    const root = reader.root(payload, 'batch', namespace, entryBounds)
    const atMs = reader.time(root.attrs['at'])
    return {
      eid: reader.eid(root, source.eid),
      epoch: reader.epoch(root),
      sequence: reader.sequence(root, 1),
      isBye: reader.flag(root.attrs['bye'], false),
      entries: decodeFeedEntries(reader, root),
      ...(atMs !== undefined && { atMs }),
    }
  },
}
