import xml from '@xmpp/xml'
import type { MemberItem } from '../bridge/messages.js'
import { isName } from '../bridge/state.js'
import type { Codec } from './codec.js'
import { namespace, StrictReader } from './strict.js'

/** RFC 7622 bounds each part of a JID to 1,023 octets; what is no address at all is refused here. */
const bareJid = /^[^@/\s"&'<>:\p{Cc}]{1,1023}@[^@/\s"&'<>\p{Cc}]{1,1023}$/u
const serviceJid = /^([^@/\s"&'<>:\p{Cc}]{1,1023}@)?[^@/\s"&'<>\p{Cc}]{1,1023}$/u
const versionText = /^[0-9A-Za-z.+-]{1,64}$/

/**
 * The items of `ROOT/members` (rule 17): `<member xmlns='urn:hintbridge:1' eid= name= jid= service= epoch= version= pbx=/>`
 * under the member's bare JID as item id, which must be the bare form of the full JID within. Unknown attributes and
 * elements of other namespaces are ignored, so that later versions can say more of themselves.
 */
export const membersCodec: Codec<Omit<MemberItem, 'publisher'>, MemberItem> = {
  name: 'members',
  encode: (item) =>
    xml('member', {
      xmlns: namespace,
      eid: item.eid,
      name: item.name,
      jid: item.jid,
      service: item.service,
      epoch: item.epoch,
      version: item.version,
      pbx: item.pbxVersion,
    }),
  decode(payload, source) {
    const reader: StrictReader = new StrictReader('members')
    const root = reader.root(payload, 'member', namespace, { maxDepth: 3, maxElements: 20 })
    if (reader.children(root, namespace).length > 0) reader.refuse('element', 'unknown element')
    const { jid, service, version, pbx } = root.attrs
    if (!bareJid.test(source.id)) reader.refuse('jid', 'the item id is no bare JID')
    if (jid === undefined || !jid.startsWith(`${source.id}/`)) {
      reader.refuse('jid', 'the full JID is not of the item id')
    }
    reader.name(jid.slice(source.id.length + 1))
    if (service === undefined || !serviceJid.test(service))
      reader.refuse('jid', 'no pubsub service')
    if (version === undefined || !versionText.test(version)) reader.refuse('text', 'no version')
    return {
      id: source.id,
      ...(source.publisher === undefined ? {} : { publisher: source.publisher }),
      eid: reader.eid(root),
      name: reader.name(root.attrs['name']),
      jid,
      service,
      epoch: reader.epoch(root),
      version,
      // For humans only: what is no name is left out.
      ...(pbx !== undefined && isName(pbx) && { pbxVersion: pbx }),
    }
  },
}
