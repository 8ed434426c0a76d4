/** Makes a node be there with a given configuration, on any service and however often it is asked for. */
import { StanzaError, XmppError } from '../xmpp/errors.js'
import { configureNode } from './configure-node.js'
import { createNode } from './create-node.js'
import type { FormFields } from './data-form.js'
import { nodeConfiguration } from './node-configuration.js'
import type { PubsubService } from './service.js'

const maxItems = 'pubsub#max_items'

/** Without these as asked a node does not do its duty; the others make it better where the service knows them. */
const essential = ['pubsub#persist_items', 'pubsub#access_model', 'pubsub#publish_model']

/** How a service says that it does not grant so many items: Prosody 0.12, ejabberd 23.01, and what else XEP-0060 has. */
const refusals: ReadonlySet<string> = new Set([
  'bad-request',
  'resource-constraint',
  'not-acceptable',
  'not-allowed',
])

export interface WantedNode {
  readonly node: string
  readonly fields: FormFields
  /** What a new node is given besides; one that exists keeps what it has. */
  readonly initially?: FormFields
  /** Caps on retained items, the most wanted first; the first that the service grants is taken. */
  readonly sizes: readonly number[]
}

export interface MadeNode {
  readonly configuration: ReadonlyMap<string, string>
  readonly isNew: boolean
  /** It was not there, or not as wanted. */
  readonly wasMissing: boolean
}

/** The service keeps a configuration that the node cannot work with. */
export class NodeMisconfigured extends XmppError {
  override readonly name = 'NodeMisconfigured'
  readonly condition = 'misconfigured'
  readonly isTemporary = false

  constructor(node: string, differences: readonly string[]) {
    super(
      `the service keeps ${node} with ${differences.join(', ')}: correct or delete the node there`,
    )
  }
}

/**
 * Creates the node, or configures it where it exists, reads the configuration back and checks it; gives that, and
 * whether there was anything to do. Throws `NodeMisconfigured`, or `forbidden` where another owns it.
 */
export async function makeNode(service: PubsubService, wanted: WantedNode): Promise<MadeNode> {
  const isNew = await createAtMost(service, wanted)
  let configuration = await nodeConfiguration(service, wanted.node)
  const isConfigured = !isNew && differences(configuration, wanted.fields).length > 0
  const sizes = isNew ? [] : sizesToTry(configuration, wanted)
  if (sizes.length > 0) {
    await configureAtMost(service, { ...wanted, sizes })
    configuration = await nodeConfiguration(service, wanted.node)
  }
  const wrong = differences(configuration, wanted.fields).filter((name) => essential.includes(name))
  if (wrong.length > 0) {
    throw new NodeMisconfigured(
      wanted.node,
      wrong.map((name) => `${name}=${configuration.get(name) ?? ''}`),
    )
  }
  return { configuration, isNew, wasMissing: isNew || isConfigured }
}

/** The fields that the service knows and has otherwise. */
function differences(configuration: ReadonlyMap<string, string>, fields: FormFields): string[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    configuration.has(name) && configuration.get(name) !== value ? [name] : [],
  )
}

/** Which sizes an existing node is to be configured with: larger ones, or its own too if anything else is to change. */
function sizesToTry(existing: ReadonlyMap<string, string>, wanted: WantedNode): number[] {
  const size = Number(existing.get(maxItems) ?? wanted.sizes[0])
  const isOtherwise = differences(existing, wanted.fields).length > 0 || Number.isNaN(size)
  return wanted.sizes.filter((candidate) => isOtherwise || candidate > size)
}

async function createAtMost(service: PubsubService, wanted: WantedNode): Promise<boolean> {
  return tryWithSizes(wanted, async (fields) => {
    try {
      await createNode(service, wanted.node, { ...fields, ...wanted.initially })
      return true
    } catch (error) {
      if (error instanceof StanzaError && error.condition === 'conflict') return false
      throw error
    }
  })
}

/** A node that cannot be made larger stays as it is; whether that will do is checked afterwards. */
async function configureAtMost(service: PubsubService, wanted: WantedNode): Promise<void> {
  try {
    await tryWithSizes(wanted, (fields) => configureNode(service, wanted.node, fields))
  } catch (error) {
    if (!(error instanceof StanzaError && refusals.has(error.condition))) throw error
  }
}

async function tryWithSizes<Result>(
  { fields, sizes }: WantedNode,
  attempt: (fields: FormFields) => Promise<Result>,
): Promise<Result> {
  let refusal: unknown
  for (const size of sizes) {
    try {
      return await attempt({ ...fields, [maxItems]: String(size) })
    } catch (error) {
      if (!(error instanceof StanzaError && refusals.has(error.condition))) throw error
      refusal = error
    }
  }
  throw refusal
}
