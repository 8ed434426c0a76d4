import type { MemberOverview, Overview } from '../bridge/overview.js'
import { parseEntityId } from '../bridge/state.js'
import { BadRequest } from './respond.js'

/** Who is asked to forget. */
export interface Oneself {
  /** Bare JID. */
  readonly jid: string
  readonly name: string
}

/**
 * Whom `forget NAME` means, by bare JID, EID or name: a bare JID or an EID. One that nobody knows is passed on, as states may be
 * kept of it all the same. Throws `BadRequest` where several are meant, or one that lives: its states would come back.
 */
export function whomToForget(overview: Overview, name: string, self: Oneself): string {
  const eid = parseEntityId(name)
  const isMeant = (member: Named): boolean =>
    member.jid === name || member.eid === eid || member.name === name
  const meant = overview.members.filter(isMeant)
  const [member, another] = meant
  if (another) {
    const jids = meant.map(({ jid }) => jid).join(', ')
    throw new BadRequest(`${name} may be each of ${jids}: name one by its JID`)
  }
  if (!member && isMeant({ ...self, eid: overview.eid })) {
    throw new BadRequest(`${name} is this member: hintbridge leave takes it away`)
  }
  if (!member) return overview.departed.find(isMeant)?.jid ?? eid ?? name
  if (isLive(member)) {
    throw new BadRequest(
      `${member.name} (${member.jid}) is ${member.life}: forget is for members that are gone for good. Run hintbridge ` +
        `leave there, or stop its bridge first`,
    )
  }
  return member.jid
}

/** Why nothing is to be dropped of whom `whomToForget` gave for that name. */
export function nothingKept({ departed }: Overview, member: string, name: string): BadRequest {
  const gone = departed.find(({ jid }) => jid === member)
  return new BadRequest(
    gone
      ? `${gone.name} (${gone.jid}) is gone already, and nothing is kept of it: ${gone.reason}`
      : `nothing is kept of '${name}': see hintbridge members`,
  )
}

type Named = Pick<MemberOverview, 'jid' | 'eid' | 'name'>

function isLive({ life, refusal }: MemberOverview): boolean {
  return refusal === undefined && (life === 'alive' || life === 'suspected')
}
