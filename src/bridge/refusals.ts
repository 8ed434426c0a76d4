/** What Asterisk refuses, say while its modules are reloaded: it is given again later, and an alarm stands until it is taken. */
import { type Context, health, log } from './context.js'
import type { Injected } from './targets.js'

const retryMs = 30_000

export class Refusals<Target extends Injected> {
  readonly #refused = new Set<Target>()

  /** `giveAgain` is called with each when it is to be tried again. */
  constructor(
    private readonly context: Context,
    private readonly giveAgain: (target: Target) => void,
  ) {}

  get size(): number {
    return this.#refused.size
  }

  has(target: Target): boolean {
    return this.#refused.has(target)
  }

  accepted(target: Target): void {
    this.#refused.delete(target)
    if (!this.context.agenda.has('injection-refused')) this.#endAlarm()
  }

  refused(target: Target, reason: string): void {
    this.#refused.add(target)
    const fields = { eid: target.eid, id: target.id, reason }
    log(this.context, 'error', 'Asterisk refused an injection', fields)
    const text =
      `Asterisk refuses states of the peers (${reason}): its lamps may be wrong. See that pjsip_hintbridge.conf is ` +
      `included unchanged and its modules are loaded; it is tried again every ${retryMs / 1_000} s.`
    health(this.context, 'injection-refused', 'error', text)
    if (this.context.agenda.has('injection-refused')) return
    this.context.agenda.set('injection-refused', this.context.nowMs + retryMs, () => {
      this.#endAlarm()
      const refused = [...this.#refused]
      this.#refused.clear()
      for (const each of refused) this.giveAgain(each)
    })
  }

  /** Nothing is refused any more: what was, Asterisk has taken since. */
  #endAlarm(): void {
    if (this.#refused.size === 0) health(this.context, 'injection-refused', 'error')
  }
}
