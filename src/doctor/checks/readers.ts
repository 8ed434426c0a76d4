import type { Config } from '../../config/config.js'
import { kinds } from '../../bridge/state.js'
import { feedNode, windowNode } from '../../nodes/names.js'
import { type Affiliation, affiliations } from '../../pubsub/affiliations.js'
import { nodeConfiguration } from '../../pubsub/node-configuration.js'
import type { PubsubService } from '../../pubsub/service.js'
import { subscribers } from '../../pubsub/subscribers.js'
import { StanzaError } from '../../xmpp/errors.js'
import { bareJid } from '../../xmpp/jid.js'
import type { Check } from '../check.js'
import { requestTimeoutMs } from '../context.js'
import { type Finding, Findings, Unchecked } from '../finding.js'

/** How a node of this member stands, as its owner is told. */
export interface NodeAccess {
  readonly node: string
  readonly accessModel: string | undefined
  readonly affiliations: readonly Affiliation[]
  /** Full or bare JIDs. */
  readonly subscribers: readonly string[]
}

/** Who can read the states of this member on the server? What its owner is told says what the server gives a stranger. */
export const readersCheck: Check = {
  name: 'readers',
  async run(context) {
    const { cluster, xmpp } = context.config
    const eid = context.eid()
    if (eid === undefined) throw new Unchecked('the EID of Asterisk is not known yet')
    const session = await context.session()
    const service = { iq: session, service: xmpp.pubsub, timeoutMs: requestTimeoutMs }
    const nodes = [feedNode(cluster, eid), ...kinds.map((kind) => windowNode(cluster, eid, kind))]
    try {
      const seen: NodeAccess[] = []
      for (const node of nodes) seen.push(await look(service, node))
      return judgeReaders(seen, context.config)
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      return [judgeUnseen(error)]
    }
  },
}

const findings = new Findings('readers')

async function look(service: PubsubService, node: string): Promise<NodeAccess> {
  const configuration = await nodeConfiguration(service, node)
  return {
    node,
    accessModel: configuration.get('pubsub#access_model'),
    affiliations: await affiliations(service, node),
    subscribers: await subscribers(service, node),
  }
}

function judgeUnseen({ condition, message }: StanzaError): Finding {
  if (condition === 'item-not-found') {
    return findings.note('the nodes of this member are not there: its bridge has not joined')
  }
  return findings.broken(
    `this account does not own the nodes of this Asterisk's EID: ${message}`,
    'hintbridge leave with the configuration of the account that made them, or have the server delete them; the bridge makes them again',
  )
}

/** The findings on the own nodes. */
export function judgeReaders(
  nodes: readonly NodeAccess[],
  {
    isTrusted,
    inspectors,
    xmpp,
  }: Pick<Config, 'isTrusted' | 'inspectors'> & {
    readonly xmpp: Pick<Config['xmpp'], 'jid'>
  },
): Finding[] {
  const open = nodes.filter(({ accessModel }) => accessModel !== 'whitelist')
  const mayRead = (jid: string): boolean =>
    jid === xmpp.jid || isTrusted(jid) || inspectors.includes(jid)
  const strangers = new Set(
    nodes
      .flatMap((node) => [
        ...node.affiliations
          .filter(({ affiliation }) => affiliation !== 'none' && affiliation !== 'outcast')
          .map(({ jid }) => jid),
        ...node.subscribers.map(bareJid),
      ])
      .map((jid) => jid.toLowerCase())
      .filter((jid) => !mayRead(jid)),
  )
  const found = [
    ...open.map(({ node, accessModel = 'none' }) =>
      findings.warning(
        `every account that reaches the server reads ${node} (access_model ${accessModel})`,
        'start or upgrade the bridge, which closes it; /health says under readers where it cannot',
      ),
    ),
    ...[...strangers].map((jid) =>
      findings.warning(
        `${jid} can read who is on the phone here, and is neither trusted nor an inspector`,
        'systemctl reload hintbridge takes it away; name it under inspectors if it is to read',
      ),
    ),
  ]
  return found.length > 0
    ? found
    : [findings.ok('members and inspectors read the states, nobody else')]
}
