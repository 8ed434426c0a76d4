/** Everything that may befall the cluster, each with its own end: a fault strikes, lasts, and is healed. */
import { setTimeout as delay } from 'node:timers/promises'
import { accountOf } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { Onlooker } from '../../lab/onlooker.js'
import { feedNode, membersNode, windowNode } from '../../src/nodes/names.js'
import { deleteNode } from '../../src/pubsub/delete-node.js'
import { items } from '../../src/pubsub/items.js'
import { purge } from './purge.js'
import { retract } from '../../src/pubsub/retract.js'
import type { PubsubService } from '../../src/pubsub/service.js'
import { subscriptions } from '../../src/pubsub/subscriptions.js'
import { unsubscribe } from '../../src/pubsub/unsubscribe.js'
import type { Direction } from '../../lab/tcp-proxy.js'
import { type Letter, letters, liveness, memberOf, type Rig, witness } from './rig.js'

const root = 'asterisk'
/** Reconnecting may wait for the whole of the backoff's cap, and 5 s more (issue 3). */
const reconnectMs = 35_000
/** What an Asterisk that is back may take: 4 s until it is asked, 5 s until all is right. */
const asteriskMs = 9_000
/** Prosody tells nobody of a purge: one reads `members`, finds itself missing, and then the others are told. */
const membersMs = liveness.membersMs + 5_000

/** Waits, no longer than until the signal. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  delay(ms, undefined, { signal }).catch(() => undefined)

/** What a fault is done to; two faults at a time never share one. */
export type Part = `bridge ${Letter}` | `asterisk ${Letter}` | `link ${Letter}` | 'server'

export interface Fault {
  readonly name: string
  /** The parts that it takes hold of. */
  readonly parts: readonly Part[]
  /** Between these it lasts, ms. */
  readonly lastsMs: readonly [number, number]
  /** After its end all is right within this. */
  readonly settleMs: number
  /** Strikes, waits until `end` resolves, and heals. */
  run(rig: Rig, end: () => Promise<void>): Promise<void>
}

export const faults: readonly Fault[] = [
  ...letters.filter((letter) => letter !== witness).flatMap(bridgeFaults),
  ...letters.flatMap(asteriskFaults),
  ...letters.flatMap(linkFaults),
  ...serverFaults(),
  ...letters.flatMap(mischief),
]

function bridgeFaults(letter: Letter): Fault[] {
  const parts = [`bridge ${letter}`] as const
  const [lastsMs, settleMs] = [[100, 5_000] as const, reconnectMs]
  const down = (name: string, end: 'killBridge' | 'stopBridge'): Fault => ({
    ...{ name: `bridge ${letter} ${name}`, parts, lastsMs, settleMs },
    run: async (rig, over) => {
      await memberOf(rig, letter)[end]()
      await over()
      await memberOf(rig, letter).startBridge()
    },
  })
  return [
    down('killed', 'killBridge'),
    down('stopped', 'stopBridge'),
    {
      // Without its Asterisk or its server it could not withdraw all, and would say so: it leaves only while it has them.
      ...{ name: `member ${letter} leaves`, lastsMs, settleMs },
      parts: [...parts, `asterisk ${letter}`, `link ${letter}`, 'server'],
      run: async (rig, over) => {
        if (!(await isReady(memberOf(rig, letter)))) return
        await memberOf(rig, letter).leave()
        await over()
        await memberOf(rig, letter).startBridge()
      },
    },
  ]
}

const isReady = async ({ http }: Member): Promise<boolean> => (await fetch(`${http}/ready`)).ok

function asteriskFaults(letter: Letter): Fault[] {
  const common = { parts: [`asterisk ${letter}`] as const, settleMs: asteriskMs }
  const down = (name: string, end: 'kill' | 'stop'): Fault => ({
    ...{ ...common, name: `Asterisk ${letter} ${name}`, lastsMs: [100, 5_000] },
    run: async (rig, over) => {
      const { asterisk } = memberOf(rig, letter)
      await asterisk[end]()
      await over()
      await asterisk.start()
    },
  })
  return [
    down('killed', 'kill'),
    down('stopped', 'stop'),
    {
      // Silence to OPTIONS is death after 12 s: some of these it survives.
      ...{ ...common, name: `Asterisk ${letter} stands still`, lastsMs: [500, 18_000] },
      run: async (rig, over) => {
        const { running } = memberOf(rig, letter).asterisk
        running.signal('SIGSTOP')
        await over()
        running.signal('SIGCONT')
      },
    },
    {
      ...{ ...common, name: `Asterisk ${letter} overloaded`, lastsMs: [3_000, 10_000] },
      run: async (rig, over) => {
        const { running } = memberOf(rig, letter).asterisk
        const ended = new AbortController()
        void over().then(() => ended.abort())
        while (!ended.signal.aborted) {
          running.signal('SIGSTOP')
          await pause(700, ended.signal)
          running.signal('SIGCONT')
          await pause(100, ended.signal)
        }
      },
    },
  ]
}

function linkFaults(letter: Letter): Fault[] {
  const parts = [`link ${letter}`] as const
  const cut = (name: string, ways: readonly Direction[]): Fault => ({
    ...{ name: `network of ${letter} ${name}`, parts, settleMs: reconnectMs },
    lastsMs: [500, 14_000],
    run: async ({ links }, over) => {
      links.get(letter)?.cut(ways)
      await over()
      links.get(letter)?.heal()
    },
  })
  return [
    cut('cut', ['toServer', 'toClient']),
    cut('cut on the way out', ['toServer']),
    cut('cut on the way in', ['toClient']),
    {
      ...{ name: `connection of ${letter} reset`, parts, settleMs: reconnectMs, lastsMs: [0, 0] },
      run: ({ links }) => {
        links.get(letter)?.reset()
        return Promise.resolve()
      },
    },
  ]
}

function serverFaults(): Fault[] {
  const down = (name: string, end: 'kill' | 'stop'): Fault => ({
    ...{ name: `XMPP server ${name}`, parts: ['server'], settleMs: reconnectMs },
    lastsMs: [100, 13_000],
    run: async ({ cluster: { server } }, over) => {
      await server[end]()
      await over()
      await server.start()
    },
  })
  const robbed: Fault = {
    ...down('stopped, its pubsub store lost', 'stop'),
    run: async ({ cluster: { server } }, over) => {
      await server.stop()
      await server.losePubsubStore()
      await over()
      await server.start()
    },
  }
  return [down('killed', 'kill'), down('stopped', 'stop'), robbed]
}

/** Another client of a member's account disturbs the nodes: on both servers it may. */
function mischief(letter: Letter): Fault[] {
  const fault = (
    name: string,
    settleMs: number,
    act: (service: PubsubService, eid: string, bridgeJid: string) => Promise<void>,
  ): Fault => ({
    ...{ name: `${name} ${letter}`, parts: ['server'], lastsMs: [0, 0], settleMs },
    run: async (rig) => {
      const { cluster } = rig
      const { eid } = memberOf(rig, letter).asterisk
      const account = accountOf(letter)
      const client = await Onlooker.connect(cluster.server, account, 'mischief')
      try {
        await act(client.pubsub, eid, `${account.user}@${cluster.server.domain}/${eid}`)
      } catch {
        // What it would take away is away already.
      } finally {
        await client.stop()
      }
    },
  })
  const [soonMs, nodesMs] = [10_000, reconnectMs]
  return [
    fault('feed deleted of', nodesMs, (service, eid) => deleteNode(service, feedNode(root, eid))),
    fault('members deleted by', membersMs, (service) => deleteNode(service, membersNode(root))),
    fault('members purged by', membersMs, (service) => purge(service, membersNode(root))),
    fault('window purged of', soonMs, (service, eid) =>
      purge(service, windowNode(root, eid, 'device_state')),
    ),
    fault('window deleted of', nodesMs, (service, eid) =>
      deleteNode(service, windowNode(root, eid, 'message_waiting')),
    ),
    fault('item retracted of', soonMs, async (service, eid) => {
      const node = windowNode(root, eid, 'device_state')
      const [item] = await items(service, node)
      if (item) await retract(service, node, item.id)
    }),
    fault('subscriptions removed of', nodesMs, async (service, _eid, bridgeJid) => {
      for (const { node, jid } of await subscriptions(service)) {
        if (jid === bridgeJid) await unsubscribe(service, node, jid)
      }
    }),
  ]
}
