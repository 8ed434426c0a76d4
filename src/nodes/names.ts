/** Names of the cluster's pubsub nodes: flat strings under the cluster's root. */
import { kinds, parseEntityId, type EntityId, type Kind } from '../bridge/state.js'

/** A node of the cluster, by what it is for. */
export type ClusterNode =
  | { readonly type: 'members' }
  | { readonly type: 'feed'; readonly eid: EntityId }
  | { readonly type: Kind; readonly eid: EntityId }

/** `ROOT/members`. */
export function membersNode(root: string): string {
  return `${root}/members`
}

/** `ROOT/EID/feed`. */
export function feedNode(root: string, eid: EntityId): string {
  return `${root}/${eid}/feed`
}

/** `ROOT/EID/device_state` or `ROOT/EID/message_waiting`. */
export function windowNode(root: string, eid: EntityId, kind: Kind): string {
  return `${root}/${eid}/${kind}`
}

/**
 * What a node of that name is for, or `undefined` where it is none of this cluster's. An entity ID in another spelling
 * than its one is no name of ours: two names for one node would let an item slip past the checks on its origin.
 */
export function parseNodeName(root: string, name: string): ClusterNode | undefined {
  if (!name.startsWith(`${root}/`)) return undefined
  const rest = name.slice(root.length + 1)
  if (rest === 'members') return { type: 'members' }
  const slash = rest.indexOf('/')
  const eid = rest.slice(0, slash)
  if (slash < 0 || parseEntityId(eid) !== eid) return undefined
  const last = rest.slice(slash + 1)
  if (last === 'feed') return { type: 'feed', eid }
  const kind = kinds.find((known) => known === last)
  return kind === undefined ? undefined : { type: kind, eid }
}
