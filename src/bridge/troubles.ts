/** What is wrong with a member: a health problem that stands until it is in sync, and each change of it logged once. */
import { type Context, health, log } from './context.js'
import type { Peer } from './peer.js'

/** Its feed cannot be subscribed to; it refuses this member; it is refused here; it stays dead. They may come in turns. */
export type Trouble = 'feed' | 'refuses' | 'refused' | 'dead'

export class Troubles {
  /** What stands, by JID and kind, the latest last. */
  readonly #standing = new Map<string, Map<Trouble, string>>()
  /** What was last said, by JID and kind. */
  readonly #said = new Map<string, Map<Trouble, string>>()

  constructor(private readonly context: Context) {}

  raise(jid: string, trouble: Trouble, text: string): void {
    const standing = mapOf(this.#standing, jid)
    standing.delete(trouble)
    if (trouble === 'refused') standing.delete('dead')
    standing.set(trouble, text)
    this.#tell(jid, standing)
    const said = mapOf(this.#said, jid)
    if (said.get(trouble) === text) return
    said.set(trouble, text)
    log(this.context, 'warn', 'member has a problem', { peer: jid, problem: text })
  }

  refuses({ jid }: Peer): void {
    const remedy = `name ${this.context.settings.jid} under trust in its configuration`
    this.raise(jid, 'refuses', `it refuses this member: ${remedy}`)
  }

  /** Its lamps are out, and it does not come back by itself. */
  staysDead({ jid, reason }: Peer): void {
    // It is there, and does not let this one follow it: that is what has to be mended.
    if (this.#standing.get(jid)?.has('refuses')) return
    const because = reason === undefined ? '' : ` (${reason})`
    const text =
      `it has been dead for minutes${because}, and the lamps of its phones are out here: start its Asterisk and its bridge, and see ` +
      `that it reaches the XMPP server; where it is gone for good, hintbridge forget ${jid}`
    this.raise(jid, 'dead', text)
  }

  /** These are over; another may stand. */
  over(jid: string, ...troubles: readonly Trouble[]): void {
    const standing = this.#standing.get(jid)
    if (!standing) return
    for (const trouble of troubles) standing.delete(trouble)
    this.#tell(jid, standing)
  }

  /** It is in sync, or gone: what comes is news again. */
  clear(jid: string): void {
    this.#standing.delete(jid)
    this.#said.delete(jid)
    health(this.context, healthKey(jid), 'warning')
  }

  #tell(jid: string, standing: ReadonlyMap<Trouble, string>): void {
    const text = [...standing.values()].at(-1)
    health(this.context, healthKey(jid), 'warning', text && `${jid}: ${text}`)
  }
}

function mapOf(troubles: Map<string, Map<Trouble, string>>, jid: string): Map<Trouble, string> {
  const known = troubles.get(jid) ?? new Map<Trouble, string>()
  troubles.set(jid, known)
  return known
}

function healthKey(jid: string): string {
  return `member:${jid}`
}
