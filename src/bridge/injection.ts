/**
 * What the own Asterisk should hold of the peers against what it was sent: a reconciler (design: "injection"; rules 5,
 * 8 to 10, 25). Devices are held per origin, for Asterisk adds the origins up; a mailbox is held once, for Asterisk
 * keeps one count a mailbox: that of a peer where it changed last, else what the own PBX has itself.
 */
import type { Context } from './context.js'
import { count, measure } from './context.js'
import type { Failure } from './events.js'
import { Lanes } from './lanes.js'
import { MailboxClaims, isEmpty } from './mailbox-claims.js'
import { Pulled } from './pulled.js'
import { Refusals } from './refusals.js'
import type { DeviceEntry, EntityId, Kind, MailboxEntry, StateEntry } from './state.js'
import { isSameState } from './state.js'
import { type Injected, type LastInjection, type Target, Targets } from './targets.js'

/** How a state of a peer stands with Asterisk. */
export interface InjectionTrace {
  /** Under which it is given. */
  readonly eid: EntityId
  /** Missing where it is to be withdrawn, or is only known to the journal. */
  readonly wanted?: StateEntry
  readonly held?: StateEntry
  readonly last?: LastInjection
  readonly isInherited: boolean
  /** Asterisk refused it, and is given it again later. */
  readonly isRefused: boolean
}

/** What a batch has just told, and when that came to be at its origin, by the own clock, if it is known. */
export interface News {
  readonly originMs?: number | undefined
}

export class Injection {
  readonly #targets = new Targets()
  readonly #claims: MailboxClaims
  /**
   * Where a peer's count was taken back from Asterisk, the own one was given for it, but under the peer's EID: under the own
   * one Asterisk would report it, perhaps behind a newer one. Till the PBX changes it, its dump does not name it.
   */
  readonly #givenBack = new Map<string, { readonly eid: EntityId; readonly atMs: number }>()
  readonly #lanes: Lanes<Target>
  readonly #pulled: Pulled<Target>
  readonly #refusals: Refusals<Target>
  /** Is it known what the own PBX has? An empty count of a peer could put that out. */
  #isOwnKnown = false
  #onIdle: (() => void) | undefined
  #isClosing = false
  /** Was Asterisk lost since it last asked for all? Then it asks because it has restarted, else for a mere reload. */
  #wasLost = false

  constructor(
    private readonly context: Context,
    journal: readonly Injected[],
  ) {
    this.#claims = new MailboxClaims(context)
    this.#lanes = new Lanes(
      context,
      (target, lane) => this.#send(target, lane),
      (target, failure) => this.#settle(target, failure),
    )
    this.#pulled = new Pulled(context, (target, sinceMs) =>
      this.#lanes.enqueue(target, false, sinceMs),
    )
    this.#refusals = new Refusals(context, (target) => this.#enqueue(target, false))
    for (const entry of journal) this.#inherit(entry)
  }

  #inherit({ eid, kind, id, isUncachable = false }: Injected): void {
    if (eid === this.context.settings.eid) {
      // The EID has moved here: Asterisk took it with a restart, and holds nothing of the peer that had it before.
      this.context.emit({ to: 'journal', do: 'remove', eid, kind, id })
      return
    }
    const target = this.#targets.take(eid, kind, id)
    target.isInherited = true
    target.journaledAs = eid
    target.isCachable = target.isJournaledCachable = !isUncachable
  }

  /** How many injections wait or are in flight. */
  get depth(): number {
    return this.#lanes.depth + this.#pulled.size
  }

  /** How long the last injection took from its change to Asterisk's answer, ms. */
  get lagMs(): number {
    return this.#lanes.lagMs
  }

  /** How many states are held in Asterisk, or are about to be. */
  get size(): number {
    return this.#targets.size - this.#neverSent
  }

  /** How many of them are message counts. */
  get mailboxes(): number {
    return this.#targets.mailboxes - this.#neverSent
  }

  get #neverSent(): number {
    let neverSent = 0
    for (const target of this.#targets.ofKind('message_waiting')) {
      if (this.#isNothing(target)) neverSent += 1
    }
    return neverSent
  }

  /** How it stands with a device's states, of all origins, or with a mailbox. */
  traces(kind: Kind, id: string): InjectionTrace[] {
    return [...this.#targets.named(kind, id)].map((target) => this.#traceOf(target))
  }

  /** How it stands with a state of that origin; of a mailbox, with the one count that is given. */
  trace(eid: EntityId, kind: Kind, id: string): InjectionTrace | undefined {
    const target = this.#targets.find(eid, kind, id)
    return target && this.#traceOf(target)
  }

  #traceOf(target: Target): InjectionTrace {
    const { eid, wanted, held, last, isInherited } = target
    return {
      eid,
      ...(wanted && { wanted }),
      ...(held && { held }),
      ...(last && { last }),
      isInherited,
      isRefused: this.#refusals.has(target),
    }
  }

  /** Asterisk should hold this state under that EID; is it news, or of a snapshot? */
  want(eid: EntityId, entry: StateEntry, news?: News): void {
    // Peers go on publishing while this member leaves.
    if (this.#isClosing) return
    if (entry.kind === 'device_state') this.#wantDevice(eid, entry, news)
    else if (this.#claims.claim(eid, entry)) this.#follow(entry.id, news)
  }

  #wantDevice(eid: EntityId, entry: DeviceEntry, news?: News): void {
    const target = this.#targets.take(eid, entry.kind, entry.id)
    target.isCachable ||= entry.cachable
    this.#give(target, entry, news)
  }

  /** Asterisk should no longer hold what that EID said. */
  unwant(eid: EntityId, kind: Kind, id: string, news?: News): void {
    const target = this.#targets.find(eid, kind, id)
    if (kind === 'device_state') {
      if (target) this.#withdraw(target, news)
    } else if (this.#claims.withdraw(eid, id) || target?.eid === eid) {
      this.#follow(id, news)
    }
  }

  /** The own PBX has said, at `sinceMs` or later, what it has in this mailbox: Asterisk holds that, not what was injected before. */
  ownReported(entry: MailboxEntry, sinceMs: number): void {
    const { id } = entry
    const givenBackMs = this.#givenBack.get(id)?.atMs
    if (givenBackMs !== undefined && givenBackMs <= sinceMs) this.#givenBack.delete(id)
    const target = this.#targets.mailbox(id)
    if (target && isOverBy(target.last, sinceMs)) {
      target.held = entry
      this.#strike(target)
    }
    // One that it polls and finds empty is not its own (rule 5).
    if (this.#claims.own(id) || !isEmpty(entry)) this.ownClaimed(entry)
  }

  /** The own PBX's dump says by its silence that it has nothing in this mailbox any more (rule 1). */
  ownSwept(entry: MailboxEntry): void {
    if (this.#claims.own(entry.id)) this.ownClaimed(entry)
  }

  /** The own PBX's dump of its mailboxes is complete: what waited for the first is given. */
  ownDumped(): void {
    if (this.#isOwnKnown) return
    this.#isOwnKnown = true
    for (const target of this.#targets.ofKind('message_waiting')) {
      if (!target.isInherited) this.#enqueue(target, false)
    }
  }

  /** The mailbox is the own PBX's (rule 5): a peer's older count must not stand in its place. */
  ownClaimed(entry: MailboxEntry): void {
    const { id } = entry
    if (!this.#claims.claim(this.context.settings.eid, entry)) return
    const givenBack = this.#givenBack.get(id)
    if (givenBack && !this.#targets.mailbox(id)) {
      // The count that was given back may have come behind this one: it is in Asterisk, and is to be replaced.
      this.#record(this.#targets.take(givenBack.eid, 'message_waiting', id))
    }
    this.#follow(id, {})
  }

  /** Sees to it that Asterisk holds what was said last of a mailbox. */
  #follow(mailbox: string, news?: News): void {
    const last = this.#claims.last(mailbox)
    if (!last || last.eid === this.context.settings.eid) {
      const target = this.#targets.mailbox(mailbox)
      if (target) this.#withdraw(target, news)
      return
    }
    const target = this.#targets.take(last.eid, 'message_waiting', mailbox)
    target.eid = last.eid
    this.#givenBack.delete(mailbox)
    if (target.wanted !== last.entry) this.#give(target, last.entry, news)
  }

  #give(target: Target, entry: StateEntry, news?: News): void {
    target.isInherited = false
    target.wanted = entry
    target.originMs = news?.originMs
    if (news || !this.#pulled.hold(target)) this.#enqueue(target, news !== undefined)
  }

  /** A snapshot of that member is complete: what an earlier run injected for it and it did not name is withdrawn. */
  confirm(eid: EntityId): void {
    for (const target of this.#targets.of(eid)) {
      if (target.isInherited) this.#withdraw(target)
    }
  }

  /**
   * No snapshot came for these devices (those of that member, or all) since the start (rule 9); message counts wait
   * for `forget` (rule 22).
   */
  withdrawInheritedDevices(eid?: EntityId): void {
    for (const target of this.#targets.ofKind('device_state')) {
      if (target.isInherited && (eid === undefined || target.eid === eid)) this.#withdraw(target)
    }
  }

  /** No member has that EID any more of which an earlier run injected message counts: all but those of `named`. */
  withdrawInheritedMailboxes(named: ReadonlySet<EntityId>): void {
    for (const target of this.#targets.ofKind('message_waiting')) {
      if (target.isInherited && !named.has(target.eid)) this.#withdraw(target)
    }
  }

  /** Is that in Asterisk, or about to be? */
  holds(eid: EntityId, kind: Kind, id: string): boolean {
    return this.#targets.find(eid, kind, id) !== undefined
  }

  /** Is anything of that origin in Asterisk, or about to be? */
  holdsOf(eid: EntityId): boolean {
    return this.#targets.of(eid).next().done === false
  }

  /** Forgets a member for good: withdraws all that was injected for it; `false` where that is nothing. */
  withdrawMember(eid: EntityId): boolean {
    const targets = [...this.#targets.of(eid)]
    for (const { kind, id } of targets) this.unwant(eid, kind, id)
    return targets.length > 0
  }

  /** Withdraws everything (`leave`); `onIdle` is called when Asterisk has acknowledged it all. */
  withdrawAll(onIdle: () => void): void {
    this.#isClosing = true
    this.#claims.withdrawPeers()
    for (const target of this.#targets.all()) this.#withdraw(target)
    // Not before all of them wait: one of which nothing was sent is done with at once.
    this.#onIdle = onIdle
    this.#reportIdle()
  }

  /** Does the own Asterisk hold this mailbox under a peer's EID? */
  isMailboxInjected(mailbox: string): boolean {
    return this.#targets.mailbox(mailbox) !== undefined || this.#givenBack.has(mailbox)
  }

  /** Does what the own PBX reports put out a peer's count that is to stand there? */
  overwrites(entry: MailboxEntry): boolean {
    const wanted = this.#targets.mailbox(entry.id)?.wanted
    return wanted !== undefined && !isSameState(wanted, entry)
  }

  /** Whose count of this mailbox changed last. */
  lastClaimant(mailbox: string): EntityId | undefined {
    return this.#claims.last(mailbox)?.eid
  }

  /** Gives the injected count again: the PBX has overwritten it with its own (rule 5). */
  injectMailboxAgain(mailbox: string): void {
    const target = this.#targets.mailbox(mailbox)
    if (!target) return
    // Also where it waits to be withdrawn: it may be wanted again before that.
    this.#doubt(target)
    if (!target.isInherited) this.#enqueue(target, true)
  }

  /** Asterisk asks for everything of that kind (rule 10). */
  requested(kind: Kind): void {
    if (kind === 'message_waiting') {
      // It has only what its own voicemail has, and its dump names that.
      if (this.#wasLost) this.#givenBack.clear()
      this.#wasLost = false
    }
    this.again(kind)
  }

  /** Asterisk has forgot, or may have: everything of that kind is injected again. */
  again(kind: Kind): void {
    for (const target of this.#targets.ofKind(kind)) {
      this.#doubt(target)
      // What an earlier run injected waits to be confirmed; withdrawals go on.
      if (!target.isInherited) this.#enqueue(target, false)
    }
  }

  open(): void {
    this.#lanes.open()
  }

  close(): void {
    this.#wasLost = true
    this.#lanes.close()
  }

  /** Snapshots are being pulled, or no longer. */
  pulling(isUnderWay: boolean): void {
    this.#pulled.pulling(isUnderWay)
  }

  answered(lane: number, failure?: Failure): void {
    this.#lanes.answered(lane, failure)
  }

  #send(target: Target, lane: number): boolean {
    const entry = target.wanted ?? this.#rest(target)
    if (this.#isEarly(target, entry)) return false
    if (this.#isNothing(target) || (target.held && isSameState(target.held, entry))) {
      target.held = target.wanted
      this.#refusals.accepted(target)
      if (!target.wanted) this.#drop(target)
      this.#reportIdle()
      return false
    }
    this.#record(target)
    target.sending = entry
    // Whole ms take no object of their own.
    const sentMs = Math.round(this.context.nowMs)
    target.last = { entry, sentMs, acknowledgedMs: undefined, failure: undefined }
    this.context.emit({ to: 'asterisk', do: 'inject', lane, eid: target.eid, entry })
    return true
  }

  /** Nothing was injected, nor is it now: an empty mailbox could but put out a count that the own PBX has not reported yet. */
  #isNothing({ id, wanted, journaledAs }: Target): boolean {
    if (journaledAs !== undefined) return false
    if (!wanted) return true
    return wanted.kind === 'message_waiting' && isEmpty(wanted) && !this.#claims.own(id)
  }

  /** Where this member leaves there is nothing left to wait for; and what was put over the own count is out already. */
  #isEarly({ last }: Target, entry: StateEntry): boolean {
    if (this.#isOwnKnown || this.#isClosing || last) return false
    return entry.kind === 'message_waiting' && isEmpty(entry)
  }

  #settle(target: Target, failure?: Failure): boolean {
    const sent = target.sending
    this.#trace(target, failure)
    target.sending = undefined
    if (!failure) {
      target.held = sent
      this.#refusals.accepted(target)
      if (sent && !target.wanted && isSameState(sent, this.#rest(target))) this.#drop(target)
      this.#reportIdle()
      return false
    }
    target.held = undefined
    count(this.context, 'injection_failures', { condition: failure.condition })
    if (failure.isTemporary) return true
    this.#refusals.refused(target, failure.reason)
    return false
  }

  /** For whoever asks, and for the figures. */
  #trace(target: Target, failure?: Failure): void {
    const { last, kind, originMs, sending, wanted } = target
    const { nowMs } = this.context
    if (last && failure) last.failure = failure
    if (failure) return
    if (last) last.acknowledgedMs = Math.round(nowMs)
    count(this.context, 'injections', { kind })
    if (originMs === undefined || sending !== wanted) return
    measure(this.context, 'injection_delay_seconds', (nowMs - originMs) / 1_000)
    target.originMs = undefined
  }

  /** What Asterisk holds is not known any more; nor will the answer under way tell, for it may be older. */
  #doubt(target: Target): void {
    target.held = undefined
    target.sending = undefined
  }

  /** Has the journal know it under its present EID before it is injected (rule 9). */
  #record(target: Target): void {
    const { eid, kind, id, journaledAs, isCachable } = target
    if (journaledAs === eid && target.isJournaledCachable === isCachable) return
    const isUncachable = kind === 'device_state' && !isCachable
    this.context.emit({
      to: 'journal',
      do: 'add',
      eid,
      kind,
      id,
      ...(isUncachable && { isUncachable }),
    })
    if (journaledAs !== undefined && journaledAs !== eid) {
      this.context.emit({ to: 'journal', do: 'remove', eid: journaledAs, kind, id })
    }
    target.journaledAs = eid
    target.isJournaledCachable = isCachable
  }

  /** What Asterisk is left with when nothing of the peers is to be there. */
  #rest(target: Target): StateEntry {
    const own = target.kind === 'message_waiting' ? this.#claims.own(target.id) : undefined
    return own ?? withdrawal(target)
  }

  /** Nothing of a peer is in Asterisk there any more, so far as the journal goes. */
  #strike(target: Target): void {
    const { kind, id, journaledAs } = target
    if (journaledAs === undefined) return
    this.context.emit({ to: 'journal', do: 'remove', eid: journaledAs, kind, id })
    target.journaledAs = undefined
  }

  /** What Asterisk holds no more leaves the table and the journal. */
  #drop(target: Target): void {
    const { id, kind, journaledAs: eid } = target
    if (kind === 'message_waiting' && eid !== undefined && this.#claims.own(id)) {
      this.#givenBack.set(id, { eid, atMs: this.context.nowMs })
    }
    this.#strike(target)
    // It may wait on its lane once more, and have a successor by then.
    this.#targets.drop(target)
  }

  #enqueue(target: Target, isNews: boolean): void {
    this.#pulled.dismiss(target)
    this.#lanes.enqueue(target, isNews)
  }

  #withdraw(target: Target, news?: News): void {
    target.isInherited = false
    target.wanted = undefined
    this.#enqueue(target, news !== undefined)
  }

  #reportIdle(): void {
    if (!this.#onIdle || this.depth > 0 || this.#refusals.size > 0) return
    const onIdle = this.#onIdle
    this.#onIdle = undefined
    onIdle()
  }
}

/** Had Asterisk done with it by then? What it has not answered it may still take. */
function isOverBy(last: LastInjection | undefined, ms: number): boolean {
  if (!last) return true
  if (last.acknowledgedMs === undefined && !last.failure) return false
  return (last.acknowledgedMs ?? last.sentMs) <= ms
}

/** What makes the PBX look as if the state had never been injected (rule 8, seen on hints and Queue()). */
export function withdrawal(target: Injected & { readonly isCachable: boolean }): StateEntry {
  const { kind, id } = target
  if (kind === 'message_waiting') return { kind, id, newMessages: 0, oldMessages: 0 }
  if (!target.isCachable) return { kind, id, state: 'NOT_INUSE', cachable: false }
  const state = !id.includes('/') && id.includes(':') ? 'UNKNOWN' : 'INVALID'
  return { kind, id, state, cachable: true }
}
