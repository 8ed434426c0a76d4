/** Who says in the list of members that an entity ID, and so its nodes, are its own. */
import type { EntityId } from '../../bridge/state.js'
import { membersNode } from '../../nodes/names.js'
import { codecs } from '../../nodes/registry.js'
import { type Item, items } from '../../pubsub/items.js'
import type { PubsubService } from '../../pubsub/service.js'
import { bareJid } from '../../xmpp/jid.js'
import { orFailure } from './failure.js'

/** The cluster as one account looks at it. */
export interface Cluster {
  readonly own: PubsubService
  /** The root of its nodes. */
  readonly root: string
  /** Bare JID of the account. */
  readonly jid: string
  readonly isTrusted: (bareJid: string) => boolean
}

export interface Claim {
  /** Bare JID. */
  readonly jid: string
  readonly name: string
  readonly eid: EntityId
  /** JID of the pubsub service that is said to have its nodes. */
  readonly service: string
  /** Why it is not believed, where it is not: its service is not asked, as any account may name one. */
  readonly doubt?: string
}

/** What the list says, the own claim first; nothing where the list cannot be read. */
export async function readClaims(cluster: Cluster): Promise<Claim[]> {
  const found = await orFailure(items(cluster.own, membersNode(cluster.root)))
  if ('failure' in found) return []
  const claims = found.flatMap((item) => claimOf(item, cluster))
  const own = claims.filter(({ jid }) => jid === cluster.jid)
  return [...own, ...claims.filter(({ jid }) => jid !== cluster.jid)]
}

function claimOf({ id, publisher, payload }: Item, { isTrusted }: Cluster): Claim[] {
  let decoded
  try {
    decoded = codecs.members.decode(payload, { id })
  } catch {
    return []
  }
  const { name, eid, service } = decoded
  const claim = { jid: id, name, eid, service }
  if (publisher !== undefined && bareJid(publisher).toLowerCase() !== id.toLowerCase()) {
    return [{ ...claim, doubt: `${publisher} has published that in its name` }]
  }
  return isTrusted(id) ? [claim] : [{ ...claim, doubt: `${id} is not trusted here` }]
}

/** Says of a claim that it was passed over, and why. */
export function describeClaim({ jid, eid, service, doubt }: Claim): string {
  const text = `${jid} claims ${eid} too, with its nodes at ${service}: that is not shown`
  return doubt === undefined ? text : `${text}; ${doubt}`
}
