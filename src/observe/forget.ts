import type { MemberOverview, Overview } from '../bridge/overview.js'
import { parseEntityId } from '../bridge/state.js'
import { BadRequest } from './respond.js'

/**
 * Whom `forget NAME` means, by bare JID, EID or name: a bare JID or an EID. One that nobody knows is passed on, as states may be
 * kept of it all the same. Throws `BadRequest` where several are meant, or one that lives: its states would come back.
 */
export function whomToForget({ members, eid: ownEid }: Overview, name: string): string {
  const eid = parseEntityId(name)
  if (eid === ownEid) throw new BadRequest(`${name} is this member: hintbridge leave takes it away`)
  const meant = members.filter(
    (member) => member.jid === name || member.eid === eid || member.name === name,
  )
  const [member, another] = meant
  if (another) {
    const jids = meant.map(({ jid }) => jid).join(', ')
    throw new BadRequest(`${name} may be each of ${jids}: name one by its JID`)
  }
  if (!member) return eid ?? name
  if (isLive(member)) {
    throw new BadRequest(
      `${member.name} (${member.jid}) is ${member.life}: forget is for members that are gone for good. Run hintbridge ` +
        `leave there, or stop its bridge first`,
    )
  }
  return member.jid
}

function isLive({ life, refusal }: MemberOverview): boolean {
  return refusal === undefined && (life === 'alive' || life === 'suspected')
}
