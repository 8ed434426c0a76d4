/** The nodes that a member makes for itself (rule 17), and the one that belongs to all. */
import { kinds, type EntityId } from '../bridge/state.js'
import { feedNode, membersNode, windowNode } from '../nodes/names.js'
import { StanzaError } from '../xmpp/errors.js'
import type { FormFields } from './data-form.js'
import { dropNode } from './drop-node.js'
import type { LeftBehind } from './left-behind.js'
import { makeNode, type WantedNode } from './make-node.js'
import { retract } from './retract.js'
import type { PubsubService } from './service.js'

/** From what a raised cap gives down to what any server grants. Prosody's default cap is 256, ejabberd's 1,000. */
const retainedSizes = [10_000, 5000, 2000, 1000, 500, 256, 100, 20, 1]

const common: FormFields = {
  'pubsub#deliver_payloads': '1',
  'pubsub#send_last_published_item': 'never',
  // Prosody shows publishers by its own `expose_publisher`; this is ejabberd's word for it.
  'pubsub#itemreply': 'publisher',
  'pubsub#notify_delete': '1',
  'pubsub#notify_retract': '1',
}

/** Of a node of one member: it alone publishes, and from the beginning nobody else reads; `OwnReaders` says who may. */
const own: FormFields = { ...common, 'pubsub#publish_model': 'publishers' }
const initially: FormFields = { 'pubsub#access_model': 'whitelist' }

/** A node of one member whose items stay, as of the windows. */
export function retained(node: string): WantedNode {
  return { node, sizes: retainedSizes, fields: { ...own, 'pubsub#persist_items': '1' }, initially }
}

function unretained(node: string): WantedNode {
  return { node, sizes: [1], fields: { ...own, 'pubsub#persist_items': '0' }, initially }
}

/** All read it, and all write to it: what stands there is judged by its publisher. */
function ofAll(node: string): WantedNode {
  const fields = {
    ...common,
    'pubsub#persist_items': '1',
    'pubsub#access_model': 'open',
    'pubsub#publish_model': 'open',
  }
  return { node, sizes: retainedSizes, fields }
}

/** As it was found or made. */
export interface OwnNode {
  readonly node: string
  readonly isNew: boolean
  readonly accessModel: string | undefined
}

export interface OwnNodes {
  /** The cap on retained items of the window nodes. */
  readonly windowItems: number
  /** Some were not there, or not as they should be. */
  readonly wereMissing: boolean
  /** The feed first. */
  readonly nodes: readonly OwnNode[]
}

/** Makes them all and checks their configuration. */
export async function makeOwnNodes(
  service: PubsubService,
  root: string,
  eid: EntityId,
): Promise<OwnNodes> {
  const feed = unretained(feedNode(root, eid))
  const windows = kinds.map((kind) => retained(windowNode(root, eid, kind)))
  const nodes: OwnNode[] = []
  const sizes: number[] = []
  let wereMissing = false
  for (const wanted of [feed, ...windows]) {
    const { configuration, isNew, wasMissing } = await makeNode(service, wanted)
    const accessModel = configuration.get('pubsub#access_model')
    nodes.push({ node: wanted.node, isNew, accessModel })
    if (wanted !== feed) sizes.push(Number(configuration.get('pubsub#max_items') ?? 1))
    wereMissing ||= wasMissing
  }
  await makeMembers(service, root)
  return { windowItems: Math.min(...sizes), wereMissing, nodes }
}

/** Whoever comes first makes `members`; to the others its configuration is forbidden, and none of their business. */
export async function makeMembers(service: PubsubService, root: string): Promise<void> {
  try {
    await makeNode(service, ofAll(membersNode(root)))
  } catch (error) {
    if (!(error instanceof StanzaError && error.condition === 'forbidden')) throw error
  }
}

/** Deletes own nodes and retracts the member item; gives back what was left behind. */
export async function deleteOwnNodes(
  service: PubsubService,
  root: string,
  eid: EntityId,
  memberId: string,
): Promise<LeftBehind[]> {
  return leftOf([retraction(service, root, memberId), ...deletions(service, root, eid)])
}

/** Retracts the member item, and nothing else; gives it back where it was left behind. */
export async function retractItem(
  service: PubsubService,
  root: string,
  memberId: string,
): Promise<LeftBehind[]> {
  return leftOf([retraction(service, root, memberId)])
}

/** Deletes the nodes of an EID and leaves the member item alone; gives back what was left behind. */
export async function deleteNodesOf(
  service: PubsubService,
  root: string,
  eid: EntityId,
): Promise<LeftBehind[]> {
  return leftOf(deletions(service, root, eid))
}

/** One that is under way. */
interface Removal extends Omit<LeftBehind, 'error'> {
  readonly removed: Promise<void>
}

function retraction(service: PubsubService, root: string, memberId: string): Removal {
  const node = membersNode(root)
  return { node, item: memberId, removed: retract(service, node, memberId) }
}

function deletions(service: PubsubService, root: string, eid: EntityId): Removal[] {
  const nodes = [feedNode(root, eid), ...kinds.map((kind) => windowNode(root, eid, kind))]
  return nodes.map((node) => ({ node, removed: dropNode(service, node) }))
}

async function leftOf(removals: readonly Removal[]): Promise<LeftBehind[]> {
  const left = removals.map(({ removed, ...what }) =>
    removed.then(
      () => [],
      (error: unknown) => (isAbsent(error) ? [] : [{ ...what, error }]),
    ),
  )
  return (await Promise.all(left)).flat()
}

/** What is not there need not be taken away. */
export function isAbsent(error: unknown): boolean {
  return error instanceof StanzaError && error.condition === 'item-not-found'
}
