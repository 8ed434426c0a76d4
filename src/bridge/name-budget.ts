/**
 * How many different names the members may give the own Asterisk. It frees none before it restarts, whatever is
 * withdrawn: a stasis topic and a cache entry each, 8 kB and more (Asterisk `main/devicestate.c`, `main/mwi.c`). So each name is
 * counted once for the bare JID that gives it, whatever EID or epoch that has, for as long as Asterisk runs. A withdrawal passes
 * always: to an Asterisk that has restarted it may bring a name that is not counted, of those that were counted before.
 */
import { type Context, count, health, log } from './context.js'
import { type Key, type Kind, idOfKey, keyOf, kindOfKey } from './state.js'

/** A name that a member has given the own Asterisk, as the journal has it. */
export interface GivenName {
  /** Bare JID. */
  readonly jid: string
  readonly kind: Kind
  readonly id: string
  /** So many publishes at least had Asterisk taken by then, since it started. */
  readonly taken: number
}

/** Is that name of that member given to Asterisk now, or being withdrawn? */
type IsGiven = (name: Omit<GivenName, 'taken'>) => boolean

/** From this share of a limit on health warns, each time that so much more is used. */
const warnedShare = 0.8
const stepShare = 0.05
/** The problem names so many members at most. */
const maxNamed = 3
const totalKey = 'names'

export class NameBudget {
  /** The bare JIDs of the members that have given it. */
  readonly #givers = new Map<Key, ReadonlySet<string>>()
  /** How many names each member has given, by bare JID. */
  readonly #counts = new Map<string, number>()
  /** A set of that bare JID alone: most names are given by one member, and share its set. */
  readonly #alone = new Map<string, ReadonlySet<string>>()
  /** So many publishes at least has Asterisk taken since it started. */
  #taken = 0
  /** The last question for a dump, and what Asterisk had taken before it. */
  #asked = { token: 0, taken: 0 }
  /** Members of which something is left out. */
  readonly #exhausted = new Set<string>()
  /** Keys of the problems that stand. */
  readonly #told = new Set<string>()

  constructor(
    private readonly context: Context,
    given: readonly GivenName[],
  ) {
    for (const { jid, kind, id, taken } of given) {
      this.#add(jid, keyOf(kind, id))
      this.#taken = Math.max(this.#taken, taken)
    }
    this.refit()
  }

  /** How many different names the members have given. */
  get size(): number {
    return this.#givers.size
  }

  /** How many of them that bare JID has. */
  of(jid: string): number {
    return this.#counts.get(jid) ?? 0
  }

  /** May that member give Asterisk this name? Then it is counted, and in the journal before Asterisk has it. */
  admits(jid: string, kind: Kind, id: string): boolean {
    const key = keyOf(kind, id)
    if (this.#hasGiven(jid, key)) return true
    if (this.#exhaustedBy(jid, key) !== undefined) {
      this.#leaveOut(jid)
      return false
    }
    this.#note({ jid, kind, id })
    this.#grown(jid)
    return true
  }

  /** The setting that keeps this name of that member out; `undefined` where none does. */
  objection(jid: string, kind: Kind, id: string): string | undefined {
    const key = keyOf(kind, id)
    return this.#hasGiven(jid, key) ? undefined : this.#exhaustedBy(jid, key)
  }

  /** The limits may have changed. */
  refit(): void {
    for (const jid of this.#counts.keys()) this.#tell(jid)
    this.#tellTotal()
  }

  /** Asterisk has taken a state. */
  injected(): void {
    this.#taken += 1
  }

  /** Asterisk is asked for a dump. */
  refreshAsked(token: number): void {
    this.#asked = { token, taken: this.#taken }
  }

  /**
   * Asterisk has answered that question, and numbered the answer: it counts all that it takes since its start (Asterisk
   * `res/res_pjsip_pubsub.c`, `esc_etag_counter`). `true` where that shows that it has started anew: of the names it has none
   * but those that it is given all the while.
   */
  refreshTaken(token: number, number: number, isGiven: IsGiven): boolean {
    if (token !== this.#asked.token) return false
    const hasRestarted = number < this.#asked.taken
    this.#taken = hasRestarted ? number + 1 : Math.max(this.#taken, number + 1)
    if (hasRestarted) this.#beginAnew(isGiven)
    return hasRestarted
  }

  #beginAnew(isGiven: IsGiven): void {
    const before = [...this.#givers]
    this.#givers.clear()
    this.#counts.clear()
    this.#exhausted.clear()
    this.context.emit({ to: 'journal', do: 'clearNames' })
    for (const [key, givers] of before) {
      for (const jid of givers) {
        const name = { jid, kind: kindOfKey(key), id: idOfKey(key) }
        if (isGiven(name)) this.#note(name)
      }
    }
    for (const key of this.#told) health(this.context, key, 'warning')
    this.#told.clear()
    this.refit()
  }

  #note({ jid, kind, id }: Omit<GivenName, 'taken'>): void {
    this.#add(jid, keyOf(kind, id))
    this.context.emit({ to: 'journal', do: 'addName', jid, kind, id, taken: this.#taken })
  }

  #add(jid: string, key: Key): void {
    const before = this.#givers.get(key)
    if (before?.has(jid) === true) return
    this.#givers.set(key, before ? new Set(before).add(jid) : this.#aloneWith(jid))
    this.#counts.set(jid, this.of(jid) + 1)
  }

  #aloneWith(jid: string): ReadonlySet<string> {
    let alone = this.#alone.get(jid)
    if (!alone) this.#alone.set(jid, (alone = new Set([jid])))
    return alone
  }

  #hasGiven(jid: string, key: Key): boolean {
    return this.#givers.get(key)?.has(jid) ?? false
  }

  *#namesOf(jid: string): Generator<Key> {
    for (const [key, givers] of this.#givers) if (givers.has(jid)) yield key
  }

  #exhaustedBy(jid: string, key: Key): string | undefined {
    const { namesPerMember, names } = this.context.settings.limits
    if (this.of(jid) >= namesPerMember) return 'limits.names_per_member'
    // A name that another has given costs next to nothing more.
    return this.size >= names && !this.#givers.has(key) ? 'limits.names' : undefined
  }

  #leaveOut(jid: string): void {
    count(this.context, 'left_out_names', { peer: jid })
    if (this.#exhausted.has(jid)) return
    this.#exhausted.add(jid)
    log(this.context, 'warn', 'new names of a member are left out', {
      ...{ peer: jid, names: this.of(jid), all: this.size },
    })
    this.#tell(jid)
    this.#tellTotal()
  }

  #grown(jid: string): void {
    const { namesPerMember, names } = this.context.settings.limits
    if (isStep(this.of(jid), namesPerMember)) this.#tell(jid)
    if (isStep(this.size, names)) this.#tellTotal()
  }

  #tell(jid: string): void {
    const { namesPerMember: limit } = this.context.settings.limits
    const used = this.of(jid)
    this.#raise(keyFor(jid), { used, limit }, () => {
      const { what, filter, example } = commonest(this.#namesOf(jid))
      return (
        `${jid} has given this Asterisk ${used} different names of devices and mailboxes, of ${limit} at most` +
        `${used < limit ? '' : '; new ones are left out, and their lamps do not follow'}. Most are ${what}. Asterisk frees ` +
        `no name until it restarts. If they are not for lamps, name them under share.${filter}.exclude, best at that ` +
        `member${example}, and restart Asterisk; else raise limits.names_per_member.`
      )
    })
  }

  #tellTotal(): void {
    const { names: limit } = this.context.settings.limits
    const used = this.size
    this.#raise(totalKey, { used, limit }, () => {
      const most = [...this.#counts]
        .sort(([, one], [, other]) => other - one)
        .slice(0, maxNamed)
        .map(([jid, count]) => `${jid} (${count})`)
      return (
        `the members have given this Asterisk ${used} different names of devices and mailboxes, of ${limit} at most` +
        `${used < limit ? '' : '; new ones are left out, and their lamps do not follow'}. Most are of ${most.join(', ')}. ` +
        `Asterisk frees no name until it restarts. Name those that are not for lamps under share.device_state.exclude ` +
        `and restart Asterisk, or raise limits.names.`
      )
    })
  }

  /** Raises that problem where so much is used of a limit; else it stands no more. */
  #raise(key: string, { used, limit }: { used: number; limit: number }, text: () => string): void {
    if (used < warnedShare * limit) {
      if (this.#told.delete(key)) health(this.context, key, 'warning')
      return
    }
    this.#told.add(key)
    health(this.context, key, used < limit ? 'warning' : 'error', text())
  }
}

function keyFor(jid: string): string {
  return `names:${jid}`
}

/** Is health to say that so much is used now? */
function isStep(used: number, limit: number): boolean {
  const least = Math.ceil(warnedShare * limit)
  const step = Math.max(1, Math.floor(stepShare * limit))
  return used >= limit || (used >= least && (used - least) % step === 0)
}

/** The kind of names of which there are most, and where it is kept out. */
function commonest(keys: Iterable<Key>): {
  readonly what: string
  readonly filter: Kind
  readonly example: string
} {
  const counts = new Map<string, number>()
  for (const key of keys) {
    const form = formOf(key)
    counts.set(form, (counts.get(form) ?? 0) + 1)
  }
  const [[form, number] = ['', 0]] = [...counts].sort(([, one], [, other]) => other - one)
  const filter = form.startsWith('…@') ? 'message_waiting' : 'device_state'
  const prefix = /^[\w-]+[/:]/.exec(form)?.[0]
  const example = prefix === undefined ? '' : ` ('^${prefix}')`
  return { what: `${form} (${number})`, filter, example }
}

/** `PJSIP/…`, `confbridge:…`, `…@default`; a name without a technology stands alone as '…'. Longer ones are cut. */
function formOf(key: Key): string {
  if (kindOfKey(key) === 'message_waiting') return `…${/@.{0,31}/u.exec(key)?.[0] ?? ''}`
  return `${/^[^/:]{0,31}[/:]/u.exec(key)?.[0] ?? ''}…`
}
