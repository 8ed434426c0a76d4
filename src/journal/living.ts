import { type EntityId, type Kind, kinds } from '../bridge/state.js'

/** What was injected into the local Asterisk and not withdrawn. */
export interface JournalEntry {
  readonly eid: EntityId
  readonly kind: Kind
  readonly id: string
  /** It was only ever given as uncachable, and is withdrawn in another way. */
  readonly isUncachable?: boolean
}

/** The entries that stand, by origin and name: 100,000 of them take little more memory than a pointer to each name. */
export class Living {
  readonly #isUncachable = new Map<EntityId, Record<Kind, Map<string, boolean>>>()
  readonly #most: number
  #size = 0

  /** `most`: so many are taken. */
  constructor(most = Infinity) {
    this.#most = most
  }

  get size(): number {
    return this.#size
  }

  /** Says whether that is news, or one more than are taken. */
  add({ eid, kind, id, isUncachable = false }: JournalEntry): 'news' | 'known' | 'too many' {
    const before = this.#isUncachable.get(eid)?.[kind].get(id)
    if (before === isUncachable) return 'known'
    if (before === undefined && this.#size >= this.#most) return 'too many'
    if (before === undefined) this.#size += 1
    this.#tableOf(eid, kind).set(id, isUncachable)
    return 'news'
  }

  /** Says whether it was there. */
  remove({ eid, kind, id }: JournalEntry): boolean {
    const tables = this.#isUncachable.get(eid)
    if (tables?.[kind].delete(id) !== true) return false
    this.#size -= 1
    if (kinds.every((each) => tables[each].size === 0)) this.#isUncachable.delete(eid)
    return true
  }

  *entries(): Generator<JournalEntry> {
    for (const [eid, tables] of this.#isUncachable) {
      for (const kind of kinds) {
        for (const [id, isUncachable] of tables[kind]) {
          yield { eid, kind, id, ...(isUncachable && { isUncachable }) }
        }
      }
    }
  }

  #tableOf(eid: EntityId, kind: Kind): Map<string, boolean> {
    let tables = this.#isUncachable.get(eid)
    if (!tables) {
      tables = { device_state: new Map(), message_waiting: new Map() }
      this.#isUncachable.set(eid, tables)
    }
    return tables[kind]
  }
}
