/** Reads whole nodes of the cluster, item by item; what does not decode is refused, not the rest. */
import type { MemberItem } from '../bridge/messages.js'
import type { EntityId, Kind, StateEntry } from '../bridge/state.js'
import { codecs } from '../nodes/registry.js'
import { bareJid } from '../xmpp/jid.js'
import { items, itemsOfAll } from './items.js'
import type { Refusals } from './refusals.js'
import type { PubsubService } from './service.js'

/** The member items that decode, with their publishers where the service shows them. */
export async function readMembers(
  service: PubsubService,
  node: string,
  refusals: Refusals,
): Promise<MemberItem[]> {
  const found = await itemsOfAll(service, node, (id) =>
    refusals.refuse('members', 'size', id, `the item '${id}' in ${node} is too big to be read`),
  )
  return found.flatMap(({ id, publisher, payload }) => {
    const source = { id, ...(publisher === undefined ? {} : { publisher }) }
    const member = refusals.decode(publisher ?? id, () => codecs.members.decode(payload, source))
    return member === undefined ? [] : [member]
  })
}

export interface WindowSource {
  readonly node: string
  /** Bare JID of the one member whose items they may be. */
  readonly member: string
  readonly eid: EntityId
  readonly kind: Kind
}

/** The entries of a window node, and the ids of what does not decode or another account published. */
export async function readWindow(
  service: PubsubService,
  { node, member, eid, kind }: WindowSource,
  refusals: Refusals,
): Promise<{ entries: StateEntry[]; broken: string[] }> {
  const entries: StateEntry[] = []
  const broken: string[] = []
  for (const { id, publisher, payload } of await items(service, node)) {
    if (publisher !== undefined && !isAccount(publisher, member)) {
      refusals.refuse(kind, 'publisher', publisher, `another account published '${id}' in ${node}`)
      broken.push(id)
      continue
    }
    const entry = refusals.decode(publisher ?? node, () =>
      codecs[kind].decode(payload, { eid, id }),
    )
    if (entry === undefined) broken.push(id)
    else entries.push(entry)
  }
  return { entries, broken }
}

/** Services fold the case of a bare JID (RFC 7622 §3.2 and §3.3). */
function isAccount(publisher: string, member: string): boolean {
  return bareJid(publisher).toLowerCase() === member.toLowerCase()
}
