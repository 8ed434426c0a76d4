/** What is wrong with a member: a health problem that stands until it is in sync, and each change of it logged once. */
import { type Context, health, log } from './context.js'

/** Its feed cannot be subscribed to; it refuses this member; it is refused here. They may come in turns. */
export type Trouble = 'feed' | 'refuses' | 'refused'

export class Troubles {
  /** What was last said, by JID and kind. */
  readonly #said = new Map<string, Map<Trouble, string>>()

  constructor(private readonly context: Context) {}

  raise(jid: string, trouble: Trouble, text: string): void {
    health(this.context, healthKey(jid), 'warning', `${jid}: ${text}`)
    const said = this.#said.get(jid) ?? new Map<Trouble, string>()
    this.#said.set(jid, said)
    if (said.get(trouble) === text) return
    said.set(trouble, text)
    log(this.context, 'warn', 'member has a problem', { peer: jid, problem: text })
  }

  /** It is in sync, or gone: what comes is news again. */
  clear(jid: string): void {
    this.#said.delete(jid)
    health(this.context, healthKey(jid), 'warning')
  }
}

function healthKey(jid: string): string {
  return `member:${jid}`
}
