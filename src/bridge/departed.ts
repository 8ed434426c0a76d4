/** Who left for good of late, and why: for whoever asks, and for nothing else. */
import type { Context } from './context.js'
import type { Peer } from './peer.js'
import type { EntityId } from './state.js'

/** So long is it told, ms … */
const toldMs = 3_600_000
/** … of at most so many. */
const most = 50

export interface DepartedMember {
  readonly jid: string
  readonly eid: EntityId
  readonly name: string
  readonly version: string
  readonly reason: string
  readonly lastHeardMs: number
  readonly atMs: number
}

export class Departed {
  readonly #members = new Map<string, DepartedMember>()

  constructor(private readonly context: Context) {}

  note({ jid, eid, item, lastHeardMs }: Peer, reason: string): void {
    const { name, version } = item
    const { nowMs } = this.context
    this.#members.delete(jid)
    this.#members.set(jid, { jid, eid, name, version, reason, lastHeardMs, atMs: nowMs })
    const [oldest] = this.#members.keys()
    if (this.#members.size > most && oldest !== undefined) this.#members.delete(oldest)
  }

  /** Those that left within the last hour, and of whom `isBack` does not say otherwise. */
  list(isBack: (jid: string) => boolean): DepartedMember[] {
    const sinceMs = this.context.nowMs - toldMs
    return [...this.#members.values()].filter(({ jid, atMs }) => atMs >= sinceMs && !isBack(jid))
  }
}
