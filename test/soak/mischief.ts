/** What another client of the members' accounts may do to the nodes of the cluster: on both servers it may. */
import { accountOf } from '../../lab/cluster.js'
import { Onlooker } from '../../lab/onlooker.js'
import { feedNode, membersNode, windowNode } from '../../src/nodes/names.js'
import { deleteNode } from '../../src/pubsub/delete-node.js'
import { items } from '../../src/pubsub/items.js'
import { retract } from '../../src/pubsub/retract.js'
import type { PubsubService } from '../../src/pubsub/service.js'
import { subscriptions } from '../../src/pubsub/subscriptions.js'
import { unsubscribe } from '../../src/pubsub/unsubscribe.js'
import { StanzaError, XmppError } from '../../src/xmpp/errors.js'
import { type Fault, membersMs, reconnectMs } from './fault.js'
import { purge } from './purge.js'
import { type Letter, letters, memberOf, type Rig } from './rig.js'

const root = 'asterisk'
const soonMs = 10_000

interface Victim {
  readonly eid: string
  /** The full JID of its bridge. */
  readonly jid: string
  /** The nodes that its bridge is subscribed to. */
  readonly followed: readonly string[]
}

type Act = (service: PubsubService, victim: Victim) => Promise<void>
type MembersAct = (service: PubsubService) => Promise<void>

/** What the account of a member does to what is its own. */
export function mischief(letter: Letter): Fault[] {
  const fault = (name: string, settleMs: number, act: Act): Fault => ({
    ...{ name: `${name} ${letter}`, parts: ['server'], lastsMs: [0, 0], settleMs },
    run: async (rig) => {
      await actAs(rig, letter, (service) => act(service, victimOf(rig, letter)))
    },
  })
  return [
    fault('feed deleted of', reconnectMs, (service, { eid }) =>
      deleteNode(service, feedNode(root, eid)),
    ),
    fault('window purged of', soonMs, (service, { eid }) =>
      purge(service, windowNode(root, eid, 'device_state')),
    ),
    fault('window deleted of', reconnectMs, (service, { eid }) =>
      deleteNode(service, windowNode(root, eid, 'message_waiting')),
    ),
    fault('item retracted of', soonMs, async (service, { eid }) => {
      const node = windowNode(root, eid, 'device_state')
      const [item] = await items(service, node)
      if (item) await retract(service, node, item.id)
    }),
    fault('subscriptions removed of', reconnectMs, async (service, { jid, followed }) => {
      for (const node of followed) await unfollow(service, node, jid)
    }),
  ]
}

/** What is done to `members`, which belongs to whoever made it. */
export function membersMischief(): Fault[] {
  const fault = (name: string, acts: (rig: Rig) => readonly MembersAct[]): Fault => ({
    ...{ name: `members ${name}`, parts: ['server'], lastsMs: [0, 0], settleMs: membersMs },
    run: async (rig) => {
      for (const act of acts(rig)) await actAsOwner(rig, act)
    },
  })
  return [
    fault('deleted', () => [(service) => deleteNode(service, membersNode(root))]),
    fault('purged', () => [(service) => purge(service, membersNode(root))]),
    fault('robbed of all items', (rig) =>
      letters.map((letter) => (service) => retractMember(rig, service, letter)),
    ),
    ...letters.map((letter) =>
      fault(`robbed of the item of ${letter}`, (rig) => [
        (service) => retractMember(rig, service, letter),
      ]),
    ),
  ]
}

function retractMember({ cluster }: Rig, service: PubsubService, letter: Letter): Promise<void> {
  const id = `${accountOf(letter).user}@${cluster.server.domain}`
  return retract(service, membersNode(root), id)
}

function victimOf(rig: Rig, letter: Letter): Victim {
  const { eid } = memberOf(rig, letter).asterisk
  const peers = letters.filter((other) => other !== letter)
  const feeds = peers.map((peer) => feedNode(root, memberOf(rig, peer).asterisk.eid))
  const jid = `${accountOf(letter).user}@${rig.cluster.server.domain}/${eid}`
  return { eid, jid, followed: [membersNode(root), ...feeds] }
}

async function unfollow(service: PubsubService, node: string, jid: string): Promise<void> {
  try {
    const held = await subscriptions(service, node)
    if (held.includes(jid)) await unsubscribe(service, node, jid)
  } catch (error) {
    if (!isInVain(error)) throw error
  }
}

/** Acts as another client of that account; `false` where it may not. */
async function actAs(
  { cluster }: Rig,
  letter: Letter,
  act: (service: PubsubService) => Promise<void>,
): Promise<boolean> {
  const client = await Onlooker.connect(cluster.server, accountOf(letter), 'mischief')
  try {
    await act(client.pubsub)
  } catch (error) {
    if (error instanceof XmppError && error.condition === 'forbidden') return false
    if (!isInVain(error)) throw error
  } finally {
    await client.stop()
  }
  return true
}

/** Acts as each account in turn, until one may. */
async function actAsOwner(rig: Rig, act: MembersAct): Promise<void> {
  for (const letter of letters) if (await actAs(rig, letter, act)) return
  throw new Error('no account of a member may touch `members`')
}

/** What it would take away is away already. */
function isInVain(error: unknown): boolean {
  if (error instanceof StanzaError && error.application === 'not-subscribed') return true
  return error instanceof XmppError && error.condition === 'item-not-found'
}
