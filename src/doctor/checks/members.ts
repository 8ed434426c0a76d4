import type { MemberItem } from '../../bridge/messages.js'
import type { EntityId } from '../../bridge/state.js'
import type { Config } from '../../config/config.js'
import { membersNode } from '../../nodes/names.js'
import type { OverviewAnswer } from '../../observe/api.js'
import { readMembers } from '../../pubsub/read-nodes.js'
import { Refusals } from '../../pubsub/refusals.js'
import { StanzaError } from '../../xmpp/errors.js'
import { bareJid } from '../../xmpp/jid.js'
import type { Check } from '../check.js'
import { overviewIfAny, requestTimeoutMs } from '../context.js'
import { type Finding, Findings } from '../finding.js'

const findings = new Findings('members')

/** Who stands in the list of members, and may they? */
export const membersCheck: Check = {
  name: 'members',
  async run(context) {
    const { config } = context
    const node = membersNode(config.cluster)
    const session = await context.session()
    const service = { iq: session, service: config.xmpp.pubsub, timeoutMs: requestTimeoutMs }
    const broken: string[] = []
    const log = { debug: ignore, info: ignore, error: ignore, warn: note }
    try {
      const items = await readMembers(service, node, new Refusals(log, ignore))
      const overview = await overviewIfAny(context)
      return [...broken.map(judgeBroken), ...judgeMembers(items, config, context.eid(), overview)]
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      return [judgeUnread(error, node)]
    }

    function note(fields: object): void {
      broken.push('peer' in fields ? String(fields.peer) : 'somebody')
    }
  },
}

const ignore = (): void => undefined

function judgeBroken(peer: string): Finding {
  return findings.warning(
    `${peer} has left an item in the list that is none of a member`,
    'retract it, with any XMPP client',
  )
}

function judgeUnread({ condition, message }: StanzaError, node: string): Finding {
  if (condition === 'item-not-found') {
    return findings.note(`${node} is not there yet: no bridge has joined`)
  }
  return findings.broken(
    `${node} cannot be read: ${message}`,
    'its access_model and publish_model are to be open: correct or delete it; bridges make it again',
  )
}

/** What the running bridge says of itself, as far as it shows whether a rival lives. */
export type BridgeView = Pick<OverviewAnswer, 'problems'> & {
  readonly self: Pick<OverviewAnswer['self'], 'phase' | 'isStreamUp'>
}

/**
 * The findings on the items of `members`; `eid` is the own Asterisk's, where it is known, `overview` of the running bridge, where one
 * runs.
 */
export function judgeMembers(
  items: readonly MemberItem[],
  { isTrusted, xmpp, cluster }: Pick<Config, 'isTrusted' | 'xmpp' | 'cluster'>,
  eid: EntityId | undefined,
  overview: BridgeView | undefined,
): Finding[] {
  const strangers = items.filter(({ id }) => !isTrusted(id))
  const imposters = items.filter(
    ({ id, publisher }) => publisher !== undefined && bareJid(publisher).toLowerCase() !== id,
  )
  // What nobody believes takes no entity ID away.
  const rivals = items.filter(
    (item) =>
      item.eid === eid &&
      item.id !== xmpp.jid &&
      !strangers.includes(item) &&
      !imposters.includes(item),
  )
  const found = [
    ...rivals.map((rival) => judgeRival(rival, membersNode(cluster), overview)),
    ...strangers.map(({ id }) =>
      findings.warning(
        `${id} is in the list and is not trusted here`,
        'name it under trust if it is one of yours, or retract its item',
      ),
    ),
    ...imposters.map(({ id, publisher = '' }) =>
      findings.warning(
        `${publisher} has published an item in the name of ${id}; it is not believed`,
        'find out who that is, and retract the item',
      ),
    ),
  ]
  return found.length > 0 ? found : [findings.ok(`${items.length} in the list, all trusted`)]
}

/** An item with the own entity ID: a second Asterisk with it, or what the account that this one had before has left. */
function judgeRival({ id, name, eid }: MemberItem, node: string, overview?: BridgeView): Finding {
  const ofEntityId = new Findings('entity-id')
  const clear =
    `stop this bridge, run hintbridge leave with the configuration of ${id}, and start it; or retract the item ${id} from ` +
    `${node}, as that account or an owner of the node, with any XMPP client`
  if (overview && isGone(id, overview)) {
    return ofEntityId.warning(
      `${id} (${name}) stands in the list with the entity ID of this Asterisk, ${eid}, and does not answer`,
      `if this Asterisk had that account before, ${clear}`,
    )
  }
  return ofEntityId.broken(
    `${id} (${name}) has the entity ID of this Asterisk, ${eid}: only the one that was there first is believed`,
    'give each Asterisk its own entityid in the [options] of asterisk.conf, and restart the one that changes' +
      (overview ? '' : `; if that member is gone for good, ${clear}`),
  )
}

/** A bridge is ready when each that claims its entity ID has been asked; of one that answers it complains (rule 18). */
function isGone(rival: string, { self, problems }: BridgeView): boolean {
  const isJudged = self.isStreamUp && self.phase === 'ready'
  return isJudged && !problems.some(({ key }) => key === `eid:${rival}`)
}
