/**
 * The nodes of the EID that this PBX had before: with a changed EID they would stay on the server for ever, as members
 * delete only what is their own. They go once it is certain that nobody lives under that EID.
 */
import type { Asks } from './asks.js'
import { type Context, log } from './context.js'
import type { MemberItem } from './messages.js'
import { absences } from './peer.js'
import type { Roster } from './roster.js'

export class Former {
  #isDone = false

  constructor(
    private readonly context: Context,
    private readonly asks: Asks,
    private readonly roster: Roster,
  ) {}

  /** All of `members` was read; where another has that EID now, the nodes are that one's. */
  membersRead(items: readonly MemberItem[]): void {
    const { jid, eid, formerEid } = this.context.settings
    if (this.#isDone || formerEid === undefined || formerEid === eid) return
    const isTaken = items.some((item) => item.eid === formerEid && item.id !== jid)
    if (isTaken || this.roster.holder(formerEid)) return
    // A configuration and its `state_dir` that were copied to another machine name the EID of a bridge that runs.
    this.asks.ask('former', `${jid}/${formerEid}`, {
      answered: () => undefined,
      failed: ({ condition }) => {
        if (absences.has(condition)) this.#delete(formerEid)
      },
    })
  }

  #delete(eid: string): void {
    this.#isDone = true
    log(this.context, 'info', 'deleting the nodes of the EID that this PBX had before', { eid })
    this.context.emit({ to: 'cluster', do: 'deleteNodesOf', eid })
  }
}
