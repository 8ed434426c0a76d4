/** What the administrator can do about a failure, by the condition that the XMPP service named; texts are never looked at. */
import type { BridgeSettings } from './context.js'
import type { Failure } from './events.js'

/** The setting of each server for how fast it reads what a bridge sends. */
export const whereRateIsSet =
  "Prosody, bridge_rate of mod_bridge_rate; ejabberd, the bridges' rate in c2s_shaper; see docs/xmpp-servers.md"

/** The request that failed: to make the own nodes, to write or read `members`, or to follow a peer's feed. */
export type Asked = 'nodes' | 'members' | 'feed'

/** The account that made the failed request, and the service that it went to. */
interface Failed {
  readonly jid: string
  readonly service: string
}

type Remedy = (failed: Failed) => string

const nameService: Remedy = ({ service }) =>
  `does xmpp.pubsub name the pubsub service of your server? It says ${service}`
const allowNodes: Remedy = ({ jid }) =>
  `let ${jid} create nodes (Prosody: admins of the pubsub component, then restart Prosody; ejabberd: access_createnode), ` +
  `or, where another account owns the nodes of this EID, say that of a bridge before this one: run 'hintbridge leave' with ` +
  `that account's configuration, or remove that account (ejabberdctl unregister), which deletes its nodes. It is tried ` +
  `again every 30 s`
const openMembers: Remedy = ({ jid }) =>
  `let ${jid} publish to and subscribe to the node of the members: its publish_model and access_model are to be open`
const awaitAdmission: Remedy = ({ jid }) =>
  `its bridge lets whoever it trusts read its feed: does trust there name ${jid}? If it is older than this one, the access_model of that ` +
  `node is to be open`
const reachService: Remedy = ({ service }) =>
  `see that your server reaches ${service} (federation, DNS), and that xmpp.pubsub of that member names it`
const awaitPeer: Remedy = () => 'that node is made again when its bridge runs: see whether it does'
const seeServer: Remedy = ({ service }) =>
  `see whether the XMPP server and the way to it are overloaded, and whether it has loaded ${service}: its log says why not ` +
  `(Prosody: a storage of sql needs its driver, such as the package lua-dbi-sqlite3)`

const unreached = ['remote-server-not-found', 'service-unavailable', 'feature-not-implemented']
const barred = ['forbidden', 'not-allowed', 'not-authorized']
const slow = ['timeout', 'remote-server-timeout', 'resource-constraint']

function table(rows: readonly [readonly string[], Remedy][]): ReadonlyMap<string, Remedy> {
  return new Map(
    rows.flatMap(([conditions, remedy]) => conditions.map((one) => [one, remedy] as const)),
  )
}

const remedies: Readonly<Record<Asked, ReadonlyMap<string, Remedy>>> = {
  nodes: table([
    [barred, allowNodes],
    [[...unreached, 'item-not-found'], nameService],
    [slow, seeServer],
  ]),
  members: table([
    [barred, openMembers],
    [[...unreached, 'item-not-found'], nameService],
    [slow, seeServer],
  ]),
  feed: table([
    [barred, awaitAdmission],
    [unreached, reachService],
    [['item-not-found'], awaitPeer],
    [slow, seeServer],
  ]),
}

/**
 * What to do where Asterisk publishes nothing. Its publisher waits for ever after a challenge that it cannot answer, and
 * no reload ends that but one that finds another configuration of it (Asterisk `res/res_pjsip_outbound_publish.c`).
 */
export const reviveOutflow =
  'See that pjsip_hintbridge.conf is included unchanged and its server_uri is the address of asterisk.sip.listen. After a ' +
  'challenge that it could not answer Asterisk waits for ever: write another user part into to_uri of both its ' +
  "outbound-publish sections (sip:again@…), then 'module reload res_pjsip_outbound_publish.so', which ends no call; or " +
  'restart Asterisk'

/**
 * The failure's reason, and what can be done about it where the table knows. `service`: which one failed, where it is not the
 * own one.
 */
export function withRemedy(
  { condition, reason }: Failure,
  asked: Asked,
  { jid, service: own }: Pick<BridgeSettings, 'jid' | 'service'>,
  service = own,
): string {
  const remedy = remedies[asked].get(condition)
  return remedy === undefined ? reason : `${reason}: ${remedy({ jid, service })}`
}
