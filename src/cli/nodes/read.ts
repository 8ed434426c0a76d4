/** What the pubsub services have of a cluster's nodes. */
import xml, { type Element } from '@xmpp/xml'
import { kinds } from '../../bridge/state.js'
import { feedNode, membersNode, parseNodeName, windowNode } from '../../nodes/names.js'
import { codecs } from '../../nodes/registry.js'
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
import { describeItem } from './describe.js'

export interface NodeSummary {
  readonly node: string
  /** JID of the pubsub service. */
  readonly service: string
  /** Bare JID and name of the member that it belongs to; missing for `members`, and for what no member claims. */
  readonly member?: { readonly jid: string; readonly name: string }
  /** How many items are kept. */
  readonly items?: number
  /** Why it cannot be read. */
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
  readonly configuration: Readonly<Record<string, string>> | { readonly failure: string }
  readonly affiliations: readonly Affiliation[] | { readonly failure: string }
  readonly items: readonly ItemView[] | { readonly failure: string }
}

interface Member {
  readonly jid: string
  readonly name: string
  readonly eid: string
  readonly service: string
}

/** All nodes of the cluster: those of each member, at its service, and what else the own service has under the root. */
export async function listNodes(own: PubsubService, root: string): Promise<NodeSummary[]> {
  const members = await readMemberList(own, root)
  const owned = members.flatMap(({ jid, name, eid, service }) =>
    [feedNode(root, eid), ...kinds.map((kind) => windowNode(root, eid, kind))].map((node) => ({
      node,
      service,
      member: { jid, name },
    })),
  )
  const listed = await discoItems(own.iq, own.service, own.timeoutMs)
  const known = new Set([membersNode(root), ...owned.map(({ node }) => node)])
  const others = listed.flatMap(({ node }) =>
    node === undefined || known.has(node) || !node.startsWith(`${root}/`)
      ? []
      : [{ node, service: own.service }],
  )
  const all = [{ node: membersNode(root), service: own.service }, ...owned, ...others]
  return Promise.all(all.map((summary) => count(own, summary)))
}

async function count(own: PubsubService, summary: NodeSummary): Promise<NodeSummary> {
  const found = await readItems({ ...own, service: summary.service }, summary.node)
  return 'failure' in found
    ? { ...summary, failure: found.failure }
    : { ...summary, items: found.length }
}

/** COMPAT Prosody: a node that keeps nothing, as a feed, has no answer; ejabberd's is an empty one. */
async function readItems(
  service: PubsubService,
  node: string,
): Promise<Item[] | { failure: string }> {
  try {
    return await items(service, node)
  } catch (error) {
    if (error instanceof StanzaError && error.condition === 'feature-not-implemented') return []
    return failureOf(error)
  }
}

/** One node, by its name with or without the root. */
export async function readNode(own: PubsubService, root: string, name: string): Promise<NodeView> {
  const { node, service } = await find(own, root, name)
  const configuration = await orFailure(nodeConfiguration(service, node))
  const found = await readItems(service, node)
  return {
    node,
    service: service.service,
    configuration: configuration instanceof Map ? Object.fromEntries(configuration) : configuration,
    affiliations: await orFailure(affiliations(service, node)),
    items: 'failure' in found ? found : found.map((item) => view(item, root, node)),
  }
}

function view(item: Item, root: string, node: string): ItemView {
  const { id, publisher } = item
  return { id, ...(publisher !== undefined && { publisher }), text: describeItem(item, root, node) }
}

/** The answers of the service on configuration, affiliations and items of one node, or its errors, as XML. */
export async function readRawNode(own: PubsubService, root: string, name: string): Promise<string> {
  const { node, service } = await find(own, root, name)
  const asked = [
    [ownerNamespace, xml('configure', { node })],
    [ownerNamespace, xml('affiliations', { node })],
    [pubsubNamespace, xml('items', { node })],
  ] as const
  const answers: string[] = []
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

function isFailure(value: Element | undefined | { failure: string }): value is { failure: string } {
  return value !== undefined && 'failure' in value
}

/** The node's whole name, and the service of the member that it belongs to. */
async function find(
  own: PubsubService,
  root: string,
  name: string,
): Promise<{ node: string; service: PubsubService }> {
  const node = name.startsWith(`${root}/`) ? name : `${root}/${name}`
  const parsed = parseNodeName(root, node)
  if (parsed === undefined || parsed.type === 'members') return { node, service: own }
  const owner = (await readMemberList(own, root)).find(({ eid }) => eid === parsed.eid)
  return { node, service: { ...own, service: owner?.service ?? own.service } }
}

/** Who can be read of the list; an empty one where it is not there. */
async function readMemberList(own: PubsubService, root: string): Promise<Member[]> {
  const found = await orFailure(items(own, membersNode(root)))
  if ('failure' in found) return []
  return found.flatMap(({ id, payload }) => {
    try {
      const { name, eid, service } = codecs.members.decode(payload, { id })
      return [{ jid: id, name, eid, service }]
    } catch {
      return []
    }
  })
}

async function orFailure<Answer>(answer: Promise<Answer>): Promise<Answer | { failure: string }> {
  try {
    return await answer
  } catch (error) {
    return failureOf(error)
  }
}

/** What the server refused; rethrows any other error. */
function failureOf(error: unknown): { failure: string } {
  if (!(error instanceof StanzaError)) throw error
  const isForbidden = error.condition === 'forbidden'
  return { failure: isForbidden ? 'only its owners may read that' : error.message }
}
