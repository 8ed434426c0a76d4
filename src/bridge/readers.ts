/**
 * Who may read the own feed and windows: trusted accounts that have shown themselves as members, by an item, by presence or by a
 * question, and the inspectors of the configuration. The service keeps the list; whoever is on it is one more name, never a
 * pattern. A member that goes for good, or is no longer trusted, is taken off it, and with it what it had subscribed to.
 */
import { type Context, bareJid, count, health, log } from './context.js'
import type { Failure } from './events.js'
import { withRemedy } from './remedies.js'

/** Trust may match any number of accounts: so many are admitted. */
const mostShown = 1_000
const retryMs = 5_000
/** What a retry cannot be expected to mend is tried again more rarely. */
const hopelessRetryMs = 30_000
const healthKey = 'readers'

/** May this member say who reads the own nodes: it keeps them, will as soon as `members` is read, or does not. */
export type Keeping = 'keeps' | 'will' | 'not'

/** Who waits for being admitted. */
export interface Waiting {
  /** These bare JIDs may read now. */
  admitted(jids: readonly string[]): void
  /** Nobody can be admitted at the moment: nobody is to wait for it. */
  hindered(): void
}

export interface ReadersOutlets {
  keeping(): Keeping
  /** Has that bare JID an item among the members here? */
  isMember(jid: string): boolean
  presence(): Waiting
  /** The nodes are to be looked at again in so long. */
  lookAgain(delayMs: number): void
}

export interface FoundReaders {
  /** Bare JIDs that may read the own feed. */
  readonly readers?: readonly string[]
  /** Bare JIDs that are subscribed to an own node. */
  readonly subscribers?: readonly string[]
}

export class Readers {
  /** Bare JIDs, by when they last showed themselves, ms. */
  readonly #shown = new Map<string, number>()
  /** Who has gone for good: that the service may still let it read is no sign of it. */
  readonly #gone = new Set<string>()
  /** Full JIDs whose presence stands. */
  readonly #present = new Set<string>()
  /** Whom the service lets read, as far as is known. */
  #admitted: ReadonlySet<string> = new Set()
  /** The service has been told since its nodes were looked at, and these. */
  #named: readonly string[] | undefined
  /** The nodes were looked at, and nothing has failed since. */
  #isOpen = false
  #isDue = false

  constructor(
    private readonly context: Context,
    private readonly outlets: ReadersOutlets,
  ) {}

  /** A trusted account has shown itself; `from` is a full JID where it is known. */
  show(from: string): void {
    const { settings, nowMs } = this.context
    const jid = bareJid(from)
    // Who claims the own EID is no peer, and may have to take the nodes over.
    if (jid === settings.jid || from.endsWith(`/${settings.eid}`)) return
    if (!this.#shown.has(jid)) {
      if (this.#shown.size >= mostShown) {
        count(this.context, 'refused_members', { reason: 'too many readers' })
        return
      }
      this.#gone.delete(jid)
      this.#isDue = true
    }
    this.#shown.set(jid, nowMs)
    this.#lookAfterSilent()
  }

  /** A trusted account asks: so does one that is just leaving, which is not to be admitted anew for it. */
  asked(from: string): void {
    if (!this.#gone.has(bareJid(from))) this.show(from)
  }

  /** Its presence came: it is there until it is told to be gone. */
  presenceReceived(from: string, isAvailable: boolean): void {
    if (!isAvailable) {
      this.#present.delete(from)
      return
    }
    this.show(from)
    if (this.#shown.has(bareJid(from))) this.#present.add(from)
  }

  /** It is no member any more. */
  drop(jid: string): void {
    if (!this.#shown.delete(jid)) return
    this.#gone.add(jid)
    this.#isDue = true
    for (const full of this.#present) if (bareJid(full) === jid) this.#present.delete(full)
  }

  /** The configuration was read again. */
  reconfigured(): void {
    for (const jid of this.#shown.keys()) if (!this.context.settings.isTrusted(jid)) this.drop(jid)
    this.#isDue = true
    this.tell()
  }

  /**
   * The own nodes were looked at. Trusted accounts that read them, or are subscribed, were admitted by an earlier run, or followed
   * the feed when it was open to all: they stay, and go after `stale_after` or so if they have not shown themselves by then.
   */
  nodesMade({ readers = [], subscribers = [] }: FoundReaders): void {
    const { settings } = this.context
    for (const jid of [...readers, ...subscribers]) {
      if (this.#shown.has(jid) || this.#gone.has(jid)) continue
      if (settings.isTrusted(jid)) this.show(jid)
    }
    this.#admitted = new Set(readers)
    this.#named = undefined
    this.#isOpen = true
    this.#isDue = true
    // An earlier request may have admitted them, and its answer was not awaited any more.
    this.outlets.presence().admitted(readers)
  }

  /** As long as somebody is admitted that has no item. */
  #lookAfterSilent(): void {
    const { agenda, nowMs, settings } = this.context
    if (agenda.has('readers')) return
    agenda.set('readers', nowMs + settings.liveness.staleAfterMs, () => this.#dropSilent())
  }

  /** Whoever has no item and no presence, and has not shown itself for so long, is no member. */
  #dropSilent(): void {
    const { nowMs, settings } = this.context
    for (const [jid, shownMs] of this.#shown) {
      if (this.outlets.isMember(jid)) continue
      const isLong = nowMs - shownMs >= settings.liveness.staleAfterMs
      if (isLong && !this.#isPresent(jid)) this.drop(jid)
      else this.#lookAfterSilent()
    }
  }

  /** The service lets these read the feed; with `isWhole` the windows too. */
  set(readers: readonly string[], isWhole: boolean): void {
    if (!this.#isOpen) return
    const news = readers.filter((jid) => !this.#admitted.has(jid))
    this.#admitted = new Set(readers)
    if (isWhole) health(this.context, healthKey, 'error')
    if (news.length > 0) this.outlets.presence().admitted(news)
  }

  failed(failure: Failure): void {
    this.close()
    if (failure.condition === 'disconnected') return
    const text = withRemedy(failure, 'nodes', this.context.settings)
    health(this.context, healthKey, 'error', text)
    log(this.context, 'error', 'not set who may read the own nodes', { reason: text })
    this.outlets.lookAgain(failure.isTemporary ? retryMs : hopelessRetryMs)
  }

  /** The nodes are gone, or the stream is down: nobody can be admitted before they are looked at again. */
  close(): void {
    this.#isOpen = false
    this.outlets.presence().hindered()
  }

  /** Another member holds the own EID, and so the nodes. */
  renounce(): void {
    this.outlets.presence().hindered()
  }

  streamDown(): void {
    this.#present.clear()
    this.close()
  }

  isAdmitted(jid: string): boolean {
    return this.#admitted.has(jid)
  }

  /** Is it about to be admitted? */
  isAwaited(jid: string): boolean {
    if (this.#admitted.has(jid) || !this.#shown.has(jid)) return false
    return this.#isOpen && this.outlets.keeping() !== 'not'
  }

  /** After each event: names whoever may read, if that has changed. */
  tell(): void {
    if (!this.#isDue || !this.#isOpen || this.outlets.keeping() !== 'keeps') return
    this.#isDue = false
    const readers = [...new Set([...this.#shown.keys(), ...this.#inspectors()])].sort()
    if (this.#named && isSame(this.#named, readers)) return
    this.#named = readers
    this.context.emit({ to: 'cluster', do: 'setReaders', readers })
  }

  #inspectors(): string[] {
    const { inspectors, jid } = this.context.settings
    return inspectors.filter((each) => each !== jid)
  }

  #isPresent(jid: string): boolean {
    return [...this.#present].some((full) => bareJid(full) === jid)
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((jid, index) => jid === other[index])
}
