import type { MemberItem } from '../../bridge/messages.js'
import type { EntityId } from '../../bridge/state.js'
import type { Config } from '../../config/config.js'
import { membersNode } from '../../nodes/names.js'
import { readMembers } from '../../pubsub/read-nodes.js'
import { Refusals } from '../../pubsub/refusals.js'
import { StanzaError } from '../../xmpp/errors.js'
import { bareJid } from '../../xmpp/jid.js'
import type { Check } from '../check.js'
import { requestTimeoutMs } from '../context.js'
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
      return [...broken.map(judgeBroken), ...judgeMembers(items, config, context.eid())]
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

/** The findings on the items of `members`; `eid` is the own Asterisk's, where it is known. */
export function judgeMembers(
  items: readonly MemberItem[],
  { isTrusted, xmpp }: Pick<Config, 'isTrusted' | 'xmpp'>,
  eid: EntityId | undefined,
): Finding[] {
  const rivals = items.filter((item) => item.eid === eid && item.id !== xmpp.jid)
  const strangers = items.filter(({ id }) => !isTrusted(id))
  const imposters = items.filter(
    ({ id, publisher }) => publisher !== undefined && bareJid(publisher).toLowerCase() !== id,
  )
  const found = [
    ...rivals.map(({ id, name }) =>
      new Findings('entity-id').broken(
        `${id} (${name}) has the entity ID of this Asterisk, ${eid ?? ''}: only the one that was there first is believed`,
        'give each Asterisk its own entityid in the [options] of asterisk.conf, and restart the one that changes; if that member is gone for good, hintbridge forget it',
      ),
    ),
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
