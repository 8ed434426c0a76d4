/**
 * What a member item changes about a member that is believed (rule 18). Where the service hides publishers anybody may
 * have written it: then the full JID that it names must vouch for it.
 */
import type { Asks } from './asks.js'
import type { MemberItem } from './messages.js'
import type { Objections } from './objections.js'
import type { Peer } from './peer.js'

export class Claims {
  constructor(
    private readonly asks: Asks,
    private readonly objections: Objections,
  ) {}

  /** Calls `take` if the item may be taken: at once, when its full JID has answered, or never. */
  judge(known: Peer | undefined, item: MemberItem, take: () => void): void {
    const mustBeVouchedFor = known?.isBelieved === true && item.publisher === undefined
    if (!mustBeVouchedFor || saysTheSame(known.item, item)) take()
    // Within an epoch neither address nor EID can change.
    else if (known.item.epoch === item.epoch) this.#refuse(item)
    else this.#ask(item, take)
  }

  #ask(item: MemberItem, take: () => void): void {
    this.asks.ask(`claim ${item.epoch}`, item.jid, {
      answered: (from, { eid, epoch }) => {
        if (from === item.jid && eid === item.eid && epoch === item.epoch) take()
        else this.#refuse(item)
      },
      failed: ({ condition }) => {
        if (condition !== 'disconnected') this.#refuse(item)
      },
    })
  }

  #refuse(item: MemberItem): void {
    this.objections.complain(item, 'its full JID does not vouch for it', {
      isLate: true,
    })
  }
}

function saysTheSame(known: MemberItem, item: MemberItem): boolean {
  return (
    known.eid === item.eid &&
    known.jid === item.jid &&
    known.service === item.service &&
    known.epoch === item.epoch
  )
}
