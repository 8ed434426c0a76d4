import xml from '@xmpp/xml'
import { dropNode } from '../pubsub/drop-node.js'
import { parseEvent } from '../pubsub/event.js'
import { items } from '../pubsub/items.js'
import { makeNode } from '../pubsub/make-node.js'
import { isAbsent, retained } from '../pubsub/own-nodes.js'
import { publish } from '../pubsub/publish.js'
import type { PubsubService } from '../pubsub/service.js'
import { subscribe } from '../pubsub/subscribe.js'
import { localOf } from '../xmpp/jid.js'
import type { XmppSession } from '../xmpp/session.js'

/** What a pubsub service did with a node like those of a member. */
export interface NodeTrial {
  /** The cap on retained items that it granted. */
  readonly mostItems: number
  /** Of an item that was read back, where the service shows it. */
  readonly publisher?: string
  /** How long each publish took, ms. */
  readonly writesMs: readonly number[]
  /** From a publish to its notification, ms; missing where none came. */
  readonly tripMs?: number
}

const writes = 5
const tripTimeoutMs = 5_000
const payload = xml('doctor', { xmlns: 'urn:hintbridge:1' })

/** The node that a member's doctor tries things on: its name is none of the cluster's, so no bridge looks at it. */
export function scratchNodeOf(root: string, jid: string): string {
  return `${root}/doctor/${localOf(jid)}`
}

/** Makes the node, uses it and deletes it, whatever happens; throws the `StanzaError` of what was refused. */
export async function tryNode(
  session: XmppSession,
  service: PubsubService,
  node: string,
): Promise<NodeTrial> {
  await deleteIfThere(service, node)
  try {
    const { configuration } = await makeNode(service, retained(node))
    const writesMs: number[] = []
    for (let item = 0; item < writes; item += 1) {
      const start = performance.now()
      await publish(service, node, `item-${item}`, payload)
      writesMs.push(performance.now() - start)
    }
    const [item] = await items(service, node, ['item-0'])
    const tripMs = await roundTrip(session, service, node)
    return {
      mostItems: Number(configuration.get('pubsub#max_items') ?? 1),
      ...(item?.publisher !== undefined && { publisher: item.publisher }),
      writesMs,
      ...(tripMs !== undefined && { tripMs }),
    }
  } finally {
    await deleteIfThere(service, node)
  }
}

/** From a publish to its notification, ms; `undefined` where none comes in time. */
async function roundTrip(
  session: XmppSession,
  service: PubsubService,
  node: string,
): Promise<number | undefined> {
  await subscribe(service, node, session.jid)
  const start = performance.now()
  const notified = new Promise<number | undefined>((resolve) => {
    const timer = setTimeout(() => resolve(undefined), tripTimeoutMs)
    session.on('message', (message) => {
      const isOurs = parseEvent(message).some(
        (event) =>
          event.type === 'items' &&
          event.node === node &&
          event.items.some(({ id }) => id === 'round-trip'),
      )
      if (!isOurs) return
      clearTimeout(timer)
      resolve(performance.now() - start)
    })
  })
  await publish(service, node, 'round-trip', payload)
  return notified
}

/** What an interrupted doctor left is deleted too. */
async function deleteIfThere(service: PubsubService, node: string): Promise<void> {
  try {
    await dropNode(service, node)
  } catch (error) {
    if (!isAbsent(error)) throw error
  }
}
