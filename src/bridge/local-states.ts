/**
 * The states of the own PBX: what it reported, and what of it the cluster has been told. Nothing is told before the
 * fence is back (rule 2), and only this member ever publishes or withdraws them.
 */
import type { Context } from './context.js'
import { health, log } from './context.js'
import type { BridgeEvent, Failure } from './events.js'
import { type Dump, Fence } from './fence.js'
import type { Dated } from './replica.js'
import { Reported } from './reported.js'
import type { DeviceEntry, FeedEntry, Key, Kind, MailboxEntry, StateEntry } from './state.js'
import { idOfKey, isSameState, keyOf, kindOfKey, kinds } from './state.js'

/** At most this often is an injected count given again that the PBX has put its own over (rule 5). */
const mailboxAgainMs = 60_000
/** An empty spool that was not reported for so long is polled no more. */
const polledOverMs = 600_000
/** A report is on its way for some ms, or for as long as a datagram or two that were lost take to be sent again. */
const reportMs = 2_000

type RefreshAnswered = Extract<BridgeEvent, { type: 'RefreshAnswered' }>

export interface LocalStatesOutlets {
  /** A change that the cluster is to be told; `before` is what it was told before. */
  onChange(entry: FeedEntry, before?: StateEntry): void
  /** No dump names this mailbox any more: it is empty, shared or not. */
  onSwept(entry: MailboxEntry): void
  /** The PBX is asked for a dump. */
  onAsked(kind: Kind, token: number): void
  /** `isReady` may have changed. */
  onReadiness(): void
  /** A dump of the PBX's mailboxes is complete. */
  onMailboxesKnown(): void
  /** Is a peer's count for this mailbox injected into the own PBX? */
  isInjected(mailbox: string): boolean
  /** Does that report put out a peer's count that is to stand there? */
  overwrites(entry: MailboxEntry): boolean
  /** Gives the injected count to the PBX again. */
  injectAgain(mailbox: string): void
}

export class LocalStates {
  readonly #reported = new Reported((entry) => this.#mayShare(entry))
  /** What the cluster was told: the table that snapshots serve. */
  readonly #told = new Map<Key, StateEntry>()
  /** When the cluster was told, ms; for whoever asks. */
  readonly #toldMs = new Map<Key, number>()
  #toldMailboxes = 0
  readonly #fences: Readonly<Record<Kind, Fence>>
  readonly #ownedMailboxes = new Set<string>()
  readonly #givenAgainMs = new Map<string, number>()
  /** Its devices are withdrawn: it is dead, or its dump does not come. */
  #isWithdrawn = false
  /** Has the PBX started since the last dump of its message counts? */
  #mayHaveLostMailboxes = false
  /** Have both first fences returned? */
  #wasComplete = false

  constructor(
    private readonly context: Context,
    private readonly outlets: LocalStatesOutlets,
  ) {
    const fence = (kind: Kind): Fence =>
      new Fence(context, kind, {
        onAsk: () => this.#asked(kind),
        onRefresh: (token) => this.outlets.onAsked(kind, token),
        // A device is asked for anew when it is to be shared; but no dump names a mailbox that was emptied.
        isWorthAnother: (entry) => entry.kind === 'message_waiting' || this.#mayShare(entry),
        onComplete: (dump, doubted) => this.#dumped(kind, dump, doubted),
      })
    this.#fences = {
      device_state: fence('device_state'),
      message_waiting: fence('message_waiting'),
    }
  }

  get told(): ReadonlyMap<Key, StateEntry> {
    return this.#told
  }

  /** How many of those are message counts. */
  get toldMailboxes(): number {
    return this.#toldMailboxes
  }

  /** What the cluster was told under that key, and when. */
  dated(key: Key): Dated | undefined {
    const entry = this.#told.get(key)
    return entry && { entry, changedMs: this.#toldMs.get(key) ?? 0 }
  }

  /**
   * May the table be published, announced and served? Not before the first fences; while a later one for the devices is
   * out they are held back; a PBX that died after its fence is known to have none.
   */
  get isReady(): boolean {
    return this.#wasComplete && (this.#isWithdrawn || this.#fences.device_state.isComplete)
  }

  /** What the PBX says of a device that is not shared; for whoever asks. */
  unshared(device: string): DeviceEntry | undefined {
    const entry = this.#reported.get(keyOf('device_state', device))
    return entry?.kind === 'device_state' && !this.#mayShare(entry) ? entry : undefined
  }

  /** When what the PBX reports of a mailbox now was so at the earliest: till the fence is back an old queue may come (rule 2). */
  get mailboxesSinceMs(): number {
    return this.#fences.message_waiting.isComplete ? this.context.nowMs - reportMs : -Infinity
  }

  report(entry: StateEntry): void {
    const key = keyOf(entry.kind, entry.id)
    this.#fences[entry.kind].heard()
    if (entry.kind === 'message_waiting') this.#judgeMailbox(entry)
    if (!this.#reported.take(key, entry)) return
    this.#fences[entry.kind].note(key, entry)
    if (this.#mayTell(entry.kind)) this.#tell(key)
  }

  /** The PBX answers again, or for the first time. */
  found(): void {
    for (const kind of kinds) this.#startAnew(kind)
  }

  /** The PBX (re)started and has forgotten what it does not hold itself (rule 10). */
  restarted(kind: Kind): void {
    if (kind === 'message_waiting') this.#mayHaveLostMailboxes = true
    this.#startAnew(kind)
  }

  #startAnew(kind: Kind): void {
    for (const [key, entry] of this.#reported) {
      // The dump does not name uncachable states, so only a restart can end them.
      if (entry.kind === 'device_state' && kind === entry.kind && !entry.cachable) {
        this.#reported.delete(key)
      }
    }
    this.#fences[kind].begin()
  }

  refreshAnswered({ kind, token, failure }: RefreshAnswered): void {
    this.#fences[kind].refreshAnswered(token, failure)
  }

  fenceReturned(kind: Kind, nonce: number): void {
    this.#fences[kind].heard()
    this.#fences[kind].returned(nonce)
  }

  fenceFailed(kind: Kind, nonce: number, failure: Failure): void {
    this.#fences[kind].failed(nonce, failure)
  }

  /**
   * The PBX is lost (rule 7): after `grace` its devices are withdrawn, unless its dump is back by then; its message
   * counts stay (rule 22).
   */
  lost(): void {
    for (const kind of kinds) this.#fences[kind].abandon()
    this.#withdrawAfter('pbx-grace', this.context.settings.liveness.graceMs, 'Asterisk is lost')
  }

  /** The filters changed: withdraws what may not be told any more, and asks for what may be told now. */
  refilter(): void {
    this.#reported.refilter()
    for (const [key, entry] of this.#told) if (!this.#mayShare(entry)) this.#tellGone(key, entry)
    // Also where a fence is out: what it found of a device that was not shared may be an older state (rule 3).
    for (const kind of kinds) if (this.#fences[kind].isBegun) this.#fences[kind].begin()
  }

  /** Peers see what they held until the fence is back, but no longer than `stale_after` (rule 16). */
  #asked(kind: Kind): void {
    if (kind !== 'device_state') return
    const { staleAfterMs } = this.context.settings.liveness
    this.#withdrawAfter('pbx-stale', staleAfterMs, 'Asterisk does not return the fence')
  }

  #withdrawAfter(timer: string, delayMs: number, reason: string): void {
    // A PBX that comes and goes must not put it off for ever.
    if (this.context.agenda.has(timer)) return
    this.context.agenda.set(timer, this.context.nowMs + delayMs, () => this.#withdraw(reason))
  }

  #withdraw(reason: string): void {
    if (!this.#wasComplete || this.#isWithdrawn) return
    this.#isWithdrawn = true
    // What was reported stays: part of a dump may have come, and the fence tells what of it still holds.
    for (const [key, entry] of this.#told) {
      if (entry.kind === 'device_state') this.#tellGone(key, entry)
    }
    log(this.context, 'warn', 'own device states are withdrawn', { reason })
    this.outlets.onReadiness()
  }

  #dumped(kind: Kind, dump: Dump, doubted: ReadonlySet<Key>): void {
    for (const [key, entry] of this.#reported) {
      if (entry.kind === kind && !dump.has(key)) this.#sweep(key, entry, doubted.has(key))
    }
    if (kind === 'message_waiting') {
      this.#mayHaveLostMailboxes = false
      this.outlets.onMailboxesKnown()
    }
    if (kind === 'device_state') {
      for (const timer of ['pbx-grace', 'pbx-stale']) this.context.agenda.cancel(timer)
      this.#isWithdrawn = false
    }
    const isFirst = !this.#wasComplete
    this.#wasComplete ||= kinds.every((each) => this.#fences[each].isComplete)
    for (const each of isFirst ? kinds : [kind]) if (this.#mayTell(each)) this.#tellAll(each)
    this.outlets.onReadiness()
  }

  /** Nothing is told before both first fences, nor while a later one of that kind is out (rule 2). */
  #mayTell(kind: Kind): boolean {
    return this.#wasComplete && this.#fences[kind].isComplete
  }

  /** The dump did not name it (rule 1). */
  #sweep(key: Key, entry: StateEntry, isDoubted: boolean): void {
    if (entry.kind === 'device_state') {
      if (entry.cachable) this.#reported.delete(key)
      return
    }
    // Asterisk names no mailbox that nobody subscribes to any more, though it has messages (seen): only after a restart,
    // or where the dump before this one overtook a change (rule 3), does its silence say that the mailbox is empty. And
    // a peer's count, injected, hides the own one from the dump.
    const isSilenceTelling = this.#mayHaveLostMailboxes || isDoubted
    if (!isSilenceTelling || this.outlets.isInjected(entry.id)) return
    const emptied = { ...entry, newMessages: 0, oldMessages: 0 }
    this.#reported.take(key, emptied)
    this.outlets.onSwept(emptied)
  }

  #tellAll(kind: Kind): void {
    for (const key of new Set([...this.#told.keys(), ...this.#reported.keys()])) {
      if (kindOfKey(key) === kind) this.#tell(key)
    }
  }

  #tell(key: Key): void {
    const entry = this.#reported.get(key)
    const before = this.#told.get(key)
    if (entry && this.#mayShare(entry)) {
      if (before && isSameState(before, entry)) return
      this.#told.set(key, entry)
      this.#toldMs.set(key, this.context.nowMs)
      if (!before && entry.kind === 'message_waiting') this.#toldMailboxes += 1
      this.outlets.onChange(entry, before)
    } else if (before) this.#tellGone(key, before)
  }

  #tellGone(key: Key, before: StateEntry): void {
    this.#told.delete(key)
    this.#toldMs.delete(key)
    if (before.kind === 'message_waiting') this.#toldMailboxes -= 1
    this.outlets.onChange({ kind: 'gone', of: kindOfKey(key), id: idOfKey(key) }, before)
  }

  #mayShare(entry: StateEntry): boolean {
    const { settings } = this.context
    const share = settings.share[entry.kind]
    if (!share.publish || !share.isShared(entry.id)) return false
    if (entry.kind === 'device_state') return entry.cachable || settings.sharesUncachable
    return this.#isOwned(entry.id)
  }

  #isOwned(mailbox: string): boolean {
    return this.#ownedMailboxes.has(mailbox) || this.context.settings.isClaimed(mailbox)
  }

  /** Rule 5: an empty spool that is merely polled must not put the owner's lamp out, nor what was said before a later change. */
  #judgeMailbox(entry: MailboxEntry): void {
    const { id, newMessages, oldMessages } = entry
    if (newMessages + oldMessages > 0) this.#ownedMailboxes.add(id)
    if (this.#isOwned(id)) {
      if (this.context.agenda.has(`mailbox-polled:${id}`)) this.#polledOver(id)
      if (this.outlets.overwrites(entry)) this.#giveAgain(id)
    } else if (this.outlets.isInjected(id)) {
      this.#giveAgain(id)
      this.#polled(id)
    }
  }

  #giveAgain(mailbox: string): void {
    const { agenda, nowMs } = this.context
    const earliestMs = (this.#givenAgainMs.get(mailbox) ?? -Infinity) + mailboxAgainMs
    const give = (): void => {
      this.#givenAgainMs.set(mailbox, this.context.nowMs)
      this.outlets.injectAgain(mailbox)
    }
    if (nowMs >= earliestMs) give()
    else agenda.set(`mailbox-again:${mailbox}`, earliestMs, give)
  }

  #polled(mailbox: string): void {
    const { agenda, nowMs } = this.context
    health(
      this.context,
      `mailbox-polled:${mailbox}`,
      'warning',
      `The own Asterisk reports the mailbox ${mailbox} as empty, but it lives on another member. Set pollmailboxes=no ` +
        `in voicemail.conf or remove the mailbox there; or, if it lives here, name it under ` +
        `share.message_waiting.claim.`,
    )
    agenda.set(`mailbox-polled:${mailbox}`, nowMs + polledOverMs, () => this.#polledOver(mailbox))
  }

  #polledOver(mailbox: string): void {
    for (const timer of ['mailbox-polled', 'mailbox-again']) {
      this.context.agenda.cancel(`${timer}:${mailbox}`)
    }
    health(this.context, `mailbox-polled:${mailbox}`, 'warning')
  }
}
