import type { Refused } from '../bridge/commands.js'

/** One entry, with the time of this machine. */
export interface RefusedAt extends Refused {
  readonly at: Date
}

const most = 100
/** Whoever is refused chose the words: none is kept longer than this. */
const maxLength = 200

/** The last hundred things that were refused. */
export class RefusalLog {
  readonly #entries: RefusedAt[] = []
  readonly #now: () => Date

  constructor(now: () => Date = () => new Date()) {
    this.#now = now
  }

  note({ what, from, reason }: Refused): void {
    this.#entries.push({ at: this.#now(), what, from: from.slice(0, maxLength), reason })
    if (this.#entries.length > most) this.#entries.shift()
  }

  /** Newest first. */
  list(): RefusedAt[] {
    return this.#entries.toReversed()
  }
}
