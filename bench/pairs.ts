/** What is compared: two Asterisks, A and B, and something between them that carries A's device states to B. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Asterisk, startAsterisk } from '../lab/asterisk.js'
import type { CertificateAuthority } from '../lab/ca.js'
import { startMember } from '../lab/member.js'
import { Onlooker } from '../lab/onlooker.js'
import { claimPort, type Scratch } from '../lab/scratch.js'
import type { XmppServer } from '../lab/xmpp-server.js'
import { createNode } from '../src/pubsub/create-node.js'
import type { Credentials } from '../src/asterisk/sip/digest.js'
import type { RelayPlan } from './relay/plan.js'
import { Tap } from './tap.js'

/** `npm run bench` compiles it there. */
const relayFile = join(import.meta.dirname, '../.lab/bench/bench/relay/process.js')

export interface Pair {
  /** As in the report: `hintbridge, Prosody`. */
  readonly name: string
  readonly a: Tap
  readonly b: Tap
  /** PIDs by what they are: `bridge`, `asterisk`, `server`. */
  readonly processes: Readonly<Record<string, readonly number[]>>
  stop(): Promise<void>
}

export interface PairOptions {
  readonly scratch: Scratch
  readonly ca: CertificateAuthority
}

/** Names of Asterisk and account in a pair. */
const sides = ['a', 'b'] as const
type Side = (typeof sides)[number]

/** The accounts that the pairs of one server need; all may create nodes. */
export const pairAccounts = ['pbx', 'jabber', 'relay'].flatMap((name) =>
  sides.map((side) => ({ user: `${name}-${side}`, password: `secret-${name}-${side}` })),
)

function both<T>(start: (side: Side) => Promise<T>): Promise<[T, T]> {
  return Promise.all([start('a'), start('b')])
}

async function tapBoth(a: Asterisk, b: Asterisk): Promise<[Tap, Tap]> {
  return [await Tap.open(a), await Tap.open(b)]
}

async function stopAll(a: Tap, b: Tap, ...others: { stop(): Promise<unknown> }[]): Promise<void> {
  a.close()
  b.close()
  await Promise.all(others.map((each) => each.stop()))
}

/** Two real members around that server. */
export async function startHintbridge({ scratch }: PairOptions, server: XmppServer): Promise<Pair> {
  const start = (side: Side) =>
    startMember({
      scratch,
      server,
      account: { user: `pbx-${side}`, password: `secret-pbx-${side}` },
      name: `hintbridge-${server.kind}-${side}`,
      eid: `02:00:00:00:${server.kind === 'prosody' ? '01' : '02'}:0${side}`,
      settings: { 'asterisk.sip.transport': 'tcp' },
    })
  const [one, two] = await both(start)
  await Promise.all([one.awaitReady(1), two.awaitReady(1)])
  const [a, b] = await tapBoth(one.asterisk, two.asterisk)
  return {
    name: `hintbridge, ${server.kind === 'prosody' ? 'Prosody' : 'ejabberd'}`,
    a,
    b,
    processes: {
      bridge: [one.bridge.pid, two.bridge.pid],
      asterisk: [one.asterisk.running.pid, two.asterisk.running.pid],
      server: [server.running.pid],
    },
    stop: () => stopAll(a, b, one, two),
  }
}

/** Asterisk's own res_xmpp; the accounts are jabber-a and jabber-b. Its two nodes are retained, as it makes them itself. */
export async function startResXmpp({ scratch }: PairOptions, server: XmppServer): Promise<Pair> {
  await createOpenNodes(server, 'jabber-a', ['device_state', 'message_waiting'], '1')
  const start = (side: Side) =>
    startAsterisk({
      scratch,
      name: `res-xmpp-${side}`,
      eid: `02:00:00:00:03:0${side}`,
      modules: ['res_xmpp'],
      files: { 'xmpp.conf': xmppConf(server, side) },
    })
  const [one, two] = await both(start)
  const [a, b] = await tapBoth(one, two)
  return {
    name: 'res_xmpp, Prosody',
    a,
    b,
    processes: {
      asterisk: [one.running.pid, two.running.pid],
      server: [server.running.pid],
    },
    stop: () => stopAll(a, b, one, two),
  }
}

/** Nodes that every account may use, their items kept (`1`) or not (`0`). */
async function createOpenNodes(
  server: XmppServer,
  user: string,
  nodes: readonly string[],
  keep: '0' | '1',
): Promise<void> {
  const onlooker = await Onlooker.connect(server, { user, password: `secret-${user}` })
  const fields = { 'pubsub#access_model': 'open', 'pubsub#publish_model': 'open' }
  for (const node of nodes) {
    await createNode(onlooker.pubsub, node, { ...fields, 'pubsub#persist_items': keep })
  }
  await onlooker.stop()
}

function xmppConf(server: XmppServer, side: string): string {
  return `[general]
[xmpp]
type=client
serverhost=127.0.0.1
port=${server.port}
pubsub_node=${server.pubsub}
username=jabber-${side}@${server.domain}/asterisk
secret=secret-jabber-${side}
usetls=yes
usesasl=yes
distribute_events=yes
`
}

const relayCredentials: Credentials = { user: 'mesh', password: 'secret-mesh' }

/** Two relays around a Prosody: how far a program in Node.js can get on a bridge's path. */
export async function startRelays({ scratch }: PairOptions, server: XmppServer): Promise<Pair> {
  const relayPorts = { a: await claimPort(), b: await claimPort() }
  const sipPorts = { a: await claimPort(), b: await claimPort() }
  const eids = { a: '02:00:00:00:05:0a', b: '02:00:00:00:05:0b' }
  const start = (side: Side) =>
    startAsterisk({
      scratch,
      name: `relay-${side}`,
      eid: eids[side],
      sipPort: sipPorts[side],
      pjsip: publishConf(sipPorts[side], relayPorts[side], relayCredentials),
    })
  await createOpenNodes(server, 'relay-a', ['relay-a', 'relay-b'], '0')
  const [one, two] = await both(start)
  const relays = await both(async (side) => {
    const peer = side === 'a' ? 'b' : 'a'
    const plan: RelayPlan = {
      user: `relay-${side}`,
      password: `secret-relay-${side}`,
      domain: server.domain,
      xmppPort: Number(server.directTlsService.split(':').at(-1)),
      caFile: server.caFile,
      pubsub: server.pubsub,
      ownNode: `relay-${side}`,
      peerNode: `relay-${peer}`,
      peerEid: eids[peer],
      sipPort: relayPorts[side],
      asteriskPort: sipPorts[side],
      sipCredentials: relayCredentials,
    }
    const relay = fork(relayFile, [JSON.stringify(plan)], { execArgv: [] })
    await once(relay, 'message')
    return relay
  })
  const [a, b] = await tapBoth(one, two)
  return {
    name: 'bare relay, Prosody',
    a,
    b,
    processes: {
      relay: relays.flatMap(({ pid }) => pid ?? []),
      asterisk: [one.running.pid, two.running.pid],
      server: [server.running.pid],
    },
    async stop() {
      for (const relay of relays) relay.disconnect()
      await stopAll(a, b, one, two)
    },
  }
}

/** SIP PUBLISH from each Asterisk straight to the other, without credentials: the least that Asterisk itself can do. */
export async function startSipPublish({ scratch }: PairOptions): Promise<Pair> {
  const ports = { a: await claimPort(), b: await claimPort() }
  const start = (side: Side) => {
    const peer = side === 'a' ? 'b' : 'a'
    return startAsterisk({
      scratch,
      name: `sip-publish-${side}`,
      eid: `02:00:00:00:04:0${side}`,
      sipPort: ports[side],
      pjsip: publishConf(ports[side], ports[peer]),
    })
  }
  const [one, two] = await both(start)
  const [a, b] = await tapBoth(one, two)
  return {
    name: 'SIP PUBLISH, direct',
    a,
    b,
    processes: { asterisk: [one.running.pid, two.running.pid] },
    stop: () => stopAll(a, b, one, two),
  }
}

/** Source: Asterisk `configs/samples/pjsip.conf.sample` and `res/res_pjsip_publish_asterisk.c`. */
function publishConf(ownPort: number, peerPort: number, credentials?: Credentials): string {
  const outbound = (event: string): string => `
type=outbound-publish
event=${event}
server_uri=sip:mesh@127.0.0.1:${peerPort}
from_uri=sip:mesh@127.0.0.1:${ownPort}
to_uri=sip:mesh@127.0.0.1:${peerPort}
`
  return `
[mesh]
type=endpoint
context=none
disallow=all
allow=ulaw
${credentials ? 'auth=mesh' : ''}
[mesh]
type=identify
endpoint=mesh
match=127.0.0.1
[mesh-devicestate]${outbound('asterisk-devicestate')}
[mesh-mwi]${outbound('asterisk-mwi')}
[mesh]
type=inbound-publication
endpoint=mesh
event_asterisk-devicestate=mesh
event_asterisk-mwi=mesh
[mesh]
type=asterisk-publication
devicestate_publish=mesh-devicestate
mailboxstate_publish=mesh-mwi
device_state=yes
mailbox_state=yes
${credentials ? `[mesh]\ntype=auth\nauth_type=userpass\nusername=${credentials.user}\npassword=${credentials.password}` : ''}
`
}
