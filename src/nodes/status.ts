/** The IQ payload `<status xmlns='urn:hintbridge:1'/>`: who are you, where is your feed? */
import xml, { type Attributes, type Element } from '@xmpp/xml'
import type { Phase, Status } from '../bridge/messages.js'
import { namespace, StrictReader } from './strict.js'

const phases: readonly Phase[] = ['syncing', 'ready', 'leaving']

/** The attributes that a status and a page have in common. */
export function statusAttributes(status: Status): Attributes {
  return {
    xmlns: namespace,
    eid: status.eid,
    epoch: status.epoch,
    seq: String(status.sequence),
    phase: status.phase,
  }
}

/** Reads them; the sequence is 0 before the first batch. */
export function decodeStatusAttributes(reader: StrictReader, root: Element): Status {
  const phase = phases.find((known) => known === root.attrs['phase'])
  if (phase === undefined) reader.refuse('phase', 'unknown phase')
  return {
    eid: reader.eid(root),
    epoch: reader.epoch(root),
    sequence: reader.sequence(root, 0),
    phase,
  }
}

export function encodeStatusQuery(): Element {
  return xml('status', { xmlns: namespace })
}

export function encodeStatus(status: Status): Element {
  return xml('status', statusAttributes(status))
}

/** Throws `DecodeError`; unknown attributes and elements of other namespaces are ignored: they change no state. */
export function decodeStatus(payload: Element | undefined): Status {
  const reader: StrictReader = new StrictReader('status')
  const root = reader.root(payload, 'status', namespace, { maxDepth: 3, maxElements: 20 })
  return decodeStatusAttributes(reader, root)
}
