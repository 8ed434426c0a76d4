/** What the pubsub services have of a cluster's nodes. */
import xml, { type Element } from '@xmpp/xml'
import { kinds } from '../../bridge/state.js'
import { feedNode, membersNode, parseNodeName, windowNode } from '../../nodes/names.js'
import { type Affiliation, affiliations } from '../../pubsub/affiliations.js'
import { discoItems } from '../../pubsub/disco.js'
import { type Item, items } from '../../pubsub/items.js'
import { nodeConfiguration } from '../../pubsub/node-configuration.js'
import {
  ownerNamespace,
  pubsubNamespace,
  type PubsubService,
  requestPubsub,
} from '../../pubsub/service.js'
import { StanzaError } from '../../xmpp/errors.js'
import { type Claim, type Cluster, describeClaim, readClaims } from './claims.js'
import { describeItem } from './describe.js'
import { type Failure, orFailure } from './failure.js'

export interface NodeSummary {
  readonly node: string
  /** JID of the pubsub service. */
  readonly service: string
  /** Bare JID and name of the member that it belongs to; missing for `members`, and for what no member claims. */
  readonly member?: { readonly jid: string; readonly name: string }
  /** How many items are kept. */
  readonly items?: number
  /** Why it cannot be read, or was not asked for. */
  readonly failure?: string
}

export interface ItemView {
  readonly id: string
  readonly publisher?: string
  /** What it says, as `INUSE`; why it is refused, where a bridge would. */
  readonly text: string
}

export interface NodeView {
  readonly node: string
  readonly service: string
  /** Who else says that it is its own; missing where none does. */
  readonly otherClaims?: readonly Claim[]
  readonly configuration: Readonly<Record<string, string>> | Failure
  readonly affiliations: readonly Affiliation[] | Failure
  readonly items: readonly ItemView[] | Failure
}

/**
 * All nodes of the cluster: those of each member, at its service, and what else the own service has under the root. Those of a member
 * that is not believed are listed, and its service is not asked.
 */
export async function listNodes(cluster: Cluster): Promise<NodeSummary[]> {
  const { own, root } = cluster
  const claims = await readClaims(cluster)
  const believed = claims.filter(({ doubt }) => doubt === undefined)
  const owned = believed.flatMap((claim) => nodesOf(claim, root))
  const doubted = claims.flatMap((claim) =>
    claim.doubt === undefined
      ? []
      : nodesOf(claim, root).map((node) => ({ ...node, failure: `not asked: ${claim.doubt}` })),
  )
  const listed = await discoItems(own.iq, own.service, own.timeoutMs)
  const known = new Set([membersNode(root), ...owned.map(({ node }) => node)])
  const others = listed.flatMap(({ node }) =>
    node === undefined || known.has(node) || !node.startsWith(`${root}/`)
      ? []
      : [{ node, service: own.service }],
  )
  const asked = [{ node: membersNode(root), service: own.service }, ...owned, ...others]
  return [...(await Promise.all(asked.map((summary) => count(own, summary)))), ...doubted]
}

function nodesOf({ jid, name, eid, service }: Claim, root: string): NodeSummary[] {
  const nodes = [feedNode(root, eid), ...kinds.map((kind) => windowNode(root, eid, kind))]
  return nodes.map((node) => ({ node, service, member: { jid, name } }))
}

async function count(own: PubsubService, summary: NodeSummary): Promise<NodeSummary> {
  const found = await readItems({ ...own, service: summary.service }, summary.node)
  return 'failure' in found
    ? { ...summary, failure: found.failure }
    : { ...summary, items: found.length }
}

/** COMPAT Prosody: a node that keeps nothing, as a feed, has no answer; ejabberd's is an empty one. */
async function readItems(service: PubsubService, node: string): Promise<Item[] | Failure> {
  return orFailure(
    items(service, node).catch((error: unknown) => {
      if (isCondition(error, 'feature-not-implemented')) return []
      throw error
    }),
  )
}

/** Throws an Error where there is no such node. */
async function demand(service: PubsubService, node: string): Promise<void> {
  await items(service, node).catch((error: unknown) => {
    if (!isCondition(error, 'item-not-found')) return
    const message = `there is no node ${node} at ${service.service}: 'hintbridge nodes' lists those that are`
    throw new Error(message, { cause: error })
  })
}

function isCondition(error: unknown, condition: string): boolean {
  return error instanceof StanzaError && error.condition === condition
}

/** One node, by its name with or without the root; throws an Error where there is none. */
export async function readNode(cluster: Cluster, name: string): Promise<NodeView> {
  const { node, service, otherClaims } = await find(cluster, name)
  await demand(service, node)
  const configuration = await orFailure(nodeConfiguration(service, node))
  const found = await readItems(service, node)
  return {
    node,
    service: service.service,
    ...(otherClaims.length > 0 && { otherClaims }),
    configuration: configuration instanceof Map ? Object.fromEntries(configuration) : configuration,
    affiliations: await orFailure(affiliations(service, node)),
    items: 'failure' in found ? found : found.map((item) => view(item, cluster.root, node)),
  }
}

function view(item: Item, root: string, node: string): ItemView {
  const { id, publisher } = item
  return { id, ...(publisher !== undefined && { publisher }), text: describeItem(item, root, node) }
}

/** The answers of the service on configuration, affiliations and items of one node, or its errors, as XML; throws an Error where there is none. */
export async function readRawNode(cluster: Cluster, name: string): Promise<string> {
  const { node, service, otherClaims } = await find(cluster, name)
  await demand(service, node)
  const asked = [
    [ownerNamespace, xml('configure', { node })],
    [ownerNamespace, xml('affiliations', { node })],
    [pubsubNamespace, xml('items', { node })],
  ] as const
  const answers = otherClaims.map((claim) => `<!-- ${describeClaim(claim)} -->`)
  for (const [namespace, question] of asked) {
    const answer = await orFailure(requestPubsub(service, 'get', namespace, question))
    answers.push(
      isFailure(answer) ? `<!-- ${question.name}: ${answer.failure} -->` : indent(answer),
    )
  }
  return answers.join('\n')
}

/** An element with each child on a line of its own, two levels deep. */
function indent(element: Element | undefined): string {
  return (element?.toString() ?? '<!-- nothing -->').replace(
    /><(?=(item|field|affiliation)[ >])/g,
    '>\n  <',
  )
}

function isFailure(value: Element | undefined | Failure): value is Failure {
  return value !== undefined && 'failure' in value
}

interface Found {
  readonly node: string
  readonly service: PubsubService
  readonly otherClaims: readonly Claim[]
}

/** The node's whole name, and the service of the member that it belongs to: of several, the own one's or the first that is believed. */
async function find(cluster: Cluster, name: string): Promise<Found> {
  const { own, root } = cluster
  const node = name.startsWith(`${root}/`) ? name : `${root}/${name}`
  const parsed = parseNodeName(root, node)
  if (parsed === undefined || parsed.type === 'members') {
    return { node, service: own, otherClaims: [] }
  }
  const claims = (await readClaims(cluster)).filter(({ eid }) => eid === parsed.eid)
  const owner = claims.find(({ doubt }) => doubt === undefined)
  return {
    node,
    service: { ...own, service: owner?.service ?? own.service },
    otherClaims: claims.filter((claim) => claim !== owner),
  }
}
