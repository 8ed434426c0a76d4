/**
 * The retained nodes `device_state` and `message_waiting`: one item a device or mailbox, payloads as Asterisk's own
 * res_xmpp publishes them, so that whatever reads res_xmpp reads these. Source: Asterisk `res/res_xmpp.c`.
 */
import xml from '@xmpp/xml'
import { type DeviceEntry, type EntityId, type MailboxEntry } from '../bridge/state.js'
import type { Codec } from './codec.js'
import { asteriskNamespace, StrictReader } from './strict.js'

/** An entry with its origin, as res_xmpp's payloads carry it. */
export interface WindowItem<Entry> {
  readonly eid: EntityId
  readonly entry: Entry
}

/**
 * `<state xmlns='http://asterisk.org' eid='…' cachable='1'>INUSE</state>`; the item id is the device name. Attributes
 * that are not known are ignored, as they cannot change a state; elements within are refused. A missing `cachable` means
 * cachable, as in res_xmpp.
 */
export const deviceStateCodec: Codec<WindowItem<DeviceEntry>, DeviceEntry> = {
  name: 'device_state',
  encode: ({ eid, entry }) =>
    xml(
      'state',
      { xmlns: asteriskNamespace, eid, cachable: entry.cachable ? '1' : '0' },
      entry.state,
    ),
  decode(payload, source) {
    const reader: StrictReader = new StrictReader('device_state')
    const root = reader.root(payload, 'state', asteriskNamespace, { maxDepth: 1, maxElements: 1 })
    reader.eid(root, source.eid)
    return {
      kind: 'device_state',
      id: reader.name(source.id),
      state: reader.deviceState(root),
      cachable: reader.flag(root.attrs['cachable'], true),
    }
  },
}

/**
 * `<mailbox xmlns='http://asterisk.org' eid='…'><NEWMSGS>1</NEWMSGS><OLDMSGS>0</OLDMSGS></mailbox>`; the item id is
 * `mailbox@context`. Attributes that are not known are ignored; each count must be there once.
 */
export const messageWaitingCodec: Codec<WindowItem<MailboxEntry>, MailboxEntry> = {
  name: 'message_waiting',
  encode: ({ eid, entry }) =>
    xml(
      'mailbox',
      { xmlns: asteriskNamespace, eid },
      xml('NEWMSGS', {}, String(entry.newMessages)),
      xml('OLDMSGS', {}, String(entry.oldMessages)),
    ),
  decode(payload, source) {
    const reader: StrictReader = new StrictReader('message_waiting')
    const root = reader.root(payload, 'mailbox', asteriskNamespace, { maxDepth: 2, maxElements: 3 })
    reader.eid(root, source.eid)
    const children = reader.children(root, asteriskNamespace)
    const count = (name: string): number => {
      const [found, second] = children.filter((child) => child.getName() === name)
      if (found === undefined || second !== undefined) reader.refuse('count', `not one <${name}/>`)
      return reader.count(reader.text(found, 10))
    }
    return {
      kind: 'message_waiting',
      id: reader.name(source.id),
      newMessages: count('NEWMSGS'),
      oldMessages: count('OLDMSGS'),
    }
  },
}
