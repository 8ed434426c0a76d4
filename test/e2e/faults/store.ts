/** What the pubsub service holds, as an administrator's client sees it, and what such a client can do to it. */
import { setTimeout as delay } from 'node:timers/promises'
import xml from '@xmpp/xml'
import { accountOf } from '../../../lab/cluster.js'
import type { Member } from '../../../lab/member.js'
import { Onlooker } from '../../../lab/onlooker.js'
import type { XmppServer } from '../../../lab/xmpp-server.js'
import { feedNode, membersNode, windowNode } from '../../../src/nodes/names.js'
import { deleteNode } from '../../../src/pubsub/delete-node.js'
import { items, type Item } from '../../../src/pubsub/items.js'
import { retract } from '../../../src/pubsub/retract.js'
import { ownerNamespace, requestPubsub } from '../../../src/pubsub/service.js'
import type { Site } from './site.js'

const root = 'asterisk'

const isThere = (): boolean => true
const isNotThere = (): boolean => false

export const nodes = {
  members: membersNode(root),
  feedOf: ({ asterisk }: Member) => feedNode(root, asterisk.eid),
  windowOf: ({ asterisk }: Member) => windowNode(root, asterisk.eid, 'device_state'),
}

/** Another client of a bridge's account: it may do to the account's nodes whatever the bridge may. */
export class Store {
  private constructor(private readonly client: Onlooker) {}

  static async open(server: XmppServer, letter: string): Promise<Store> {
    return new Store(await Onlooker.connect(server, accountOf(letter), 'another-client'))
  }

  close(): Promise<void> {
    return this.client.stop()
  }

  delete(node: string): Promise<void> {
    return deleteNode(this.client.pubsub, node)
  }

  /** XEP-0060 §8.5. */
  async purge(node: string): Promise<void> {
    await requestPubsub(this.client.pubsub, 'set', ownerNamespace, xml('purge', { node }))
  }

  retract(node: string, id: string): Promise<void> {
    return retract(this.client.pubsub, node, id)
  }

  /** Ends another's subscription to an own node (XEP-0060 §8.8.2). */
  async expel(node: string, jid: string): Promise<void> {
    const none = xml('subscription', { jid, subscription: 'none' })
    const list = xml('subscriptions', { node }, none)
    await requestPubsub(this.client.pubsub, 'set', ownerNamespace, list)
  }

  /** Empty where there is no such node. */
  items(node: string): Promise<Item[]> {
    return items(this.client.pubsub, node).catch(() => [])
  }

  /** The time at which the node had all these items; throws after `timeoutMs`. */
  async awaitItems(node: string, ids: readonly string[], timeoutMs: number): Promise<number> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const found = new Set((await this.items(node)).map(({ id }) => id))
      if (ids.every((id) => found.has(id))) return performance.now()
      if (performance.now() > deadline) {
        const missing = ids.filter((id) => !found.has(id))
        throw new Error(`${node} lacks ${missing.length} items, such as ${missing[0]}`)
      }
      await delay(50) // nobody tells a client that looks from outside when a node is there
    }
  }

  /** The time at which `members` named all, and each had its feed. */
  async awaitCluster(site: Site, timeoutMs: number): Promise<number> {
    const jids = site.members.map((member) => jidOf(member, site.server))
    await this.awaitItems(nodes.members, jids, timeoutMs)
    const made = site.members.flatMap((member) => [nodes.feedOf(member), nodes.windowOf(member)])
    for (const node of made) await this.#awaitNode(node, timeoutMs)
    return performance.now()
  }

  /** XEP-0060 §5.3: what is there tells what it is. */
  async #awaitNode(node: string, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    const query = `<query xmlns='http://jabber.org/protocol/disco#info' node='${node}'/>`
    while (!(await this.client.ask(this.client.pubsub.service, query).then(isThere, isNotThere))) {
      if (performance.now() > deadline) throw new Error(`there is no node ${node}`)
      await delay(50)
    }
  }

  /** The time at which each member's window showed all its devices. */
  async awaitWindows(site: Site, timeoutMs: number): Promise<number> {
    const times = await Promise.all(
      site.members.map((member) =>
        this.awaitItems(nodes.windowOf(member), site.devicesOf(member), timeoutMs),
      ),
    )
    return Math.max(...times)
  }
}

export function jidOf({ asterisk }: Member, { domain }: XmppServer): string {
  return `${asterisk.name}@${domain}`
}
