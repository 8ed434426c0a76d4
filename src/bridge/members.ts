/**
 * The other members: who is believed, what is held of each, and what of that the own Asterisk is given
 * (rules 12, 14 to 16, 18, 21 to 23).
 */
import { Arrivals, type BatchReceived } from './arrivals.js'
import { Asks } from './asks.js'
import { Census } from './census.js'
import { Claims } from './claims.js'
import { type Context, bareJid, count, log, refused } from './context.js'
import { Departed, type DepartedMember } from './departed.js'
import type { Failure, FeedAt } from './events.js'
import { Following } from './following.js'
import { Forgetting, type ForgottenMember } from './forgetting.js'
import { Former } from './former.js'
import { Giving } from './giving.js'
import type { Injection } from './injection.js'
import { Inquiries } from './inquiries.js'
import { peerOrigin, tellChange } from './inspection-change.js'
import type { MembersOutlets } from './members-outlets.js'
import type { MemberItem, Status } from './messages.js'
import type { NameBudget } from './name-budget.js'
import { Objections, objectionTo } from './objections.js'
import { OwnAbsence } from './own-absence.js'
import { type Peer, absences } from './peer.js'
import { Presence } from './presence.js'
import { Pulls } from './pulls.js'
import { Readers } from './readers.js'
import { Retained } from './retained.js'
import { Rivals } from './rivals.js'
import { Roster } from './roster.js'
import type { EntityId } from './state.js'
import { Troubles } from './troubles.js'
import { Vitality } from './vitality.js'

export class Members {
  readonly giving: Giving
  readonly presence: Presence
  readonly readers: Readers
  readonly rivals: Rivals
  readonly retained: Retained
  readonly vitality: Vitality
  readonly asks: Asks
  readonly #inquiries: Inquiries
  readonly #following: Following
  readonly pulls: Pulls
  readonly #roster: Roster
  readonly #objections: Objections
  readonly #claims: Claims
  readonly #census: Census
  readonly #former: Former
  readonly #troubles: Troubles
  readonly #absence: OwnAbsence
  /** The epochs of members that said goodbye (rule 12). */
  readonly forgetting: Forgetting
  readonly #departed: Departed
  readonly #arrivals: Arrivals

  constructor(
    private readonly context: Context,
    private readonly injection: Injection,
    budget: NameBudget,
    private readonly outlets: MembersOutlets,
    forgotten: readonly ForgottenMember[],
  ) {
    this.#roster = new Roster(context, {
      onChange: (peer, entry, before) => {
        this.giving.changed(peer, entry)
        if (context.isWatched) tellChange(context, peerOrigin(peer, context.nowMs), entry, before)
      },
      onFull: (peer) => this.giving.full(peer),
    })
    this.giving = new Giving(context, injection, this.#roster, budget)
    this.#objections = new Objections(context)
    this.#census = new Census(context, injection, this.#roster, {
      dismiss: (peer) => this.#dismiss(peer, 'nobody answers for it, and its item is gone'),
      returnedByMs: () => this.vitality.returnedByMs,
    })
    this.#troubles = new Troubles(context)
    this.#absence = new OwnAbsence(context, (peer) => this.#becameStale(peer))
    this.#departed = new Departed(context)
    this.#arrivals = new Arrivals(context, this.#roster)
    this.asks = new Asks(context)
    this.#inquiries = new Inquiries(this.asks, {
      mayTake: (peer, from, status) => this.#mayTake(peer, from, status),
      onReady: (peer, status) => this.#compare(peer, status),
      onFeedMissed: (peer) => this.#feedMissed(peer),
      onUnanswered: (peer, failure) => this.#unanswered(peer, failure),
    })
    this.#following = new Following(context, this.#troubles)
    this.#claims = new Claims(this.asks, this.#objections)
    this.#former = new Former(context, this.asks, this.#roster)
    const parts = {
      asks: this.asks,
      census: this.#census,
      injection,
      roster: this.#roster,
      dismiss: (peer: Peer, reason: string) => this.#dismiss(peer, reason),
    }
    this.forgetting = new Forgetting(context, parts, forgotten)
    this.readers = new Readers(context, {
      keeping: () => this.rivals.keeping,
      isMember: (jid) => this.#roster.get(jid) !== undefined,
      presence: () => this.presence,
      lookAgain: (delayMs) => outlets.lookAgain(delayMs),
    })
    this.presence = new Presence(context, this.readers)
    this.retained = new Retained(context, this.#roster)
    this.rivals = new Rivals(context, this.asks, this.presence, {
      onJudged: (hasYielded) => outlets.onIdentityJudged(hasYielded),
      onRefused: (wasIn) => outlets.onIdentityRefused(wasIn),
    })
    this.pulls = new Pulls(context, {
      onBusy: (isBusy) => injection.pulling(isBusy),
      onPage: (peer, from, page) => this.#mayTake(peer, from, page),
      onComplete: (peer) => this.#synced(peer),
      onMissed: (peer) => this.vitality.pageMissed(peer),
      onLate: (peer) => this.#inquiries.ask(peer),
      onUnanswered: (peer, failure) => this.#unanswered(peer, failure),
    })
    this.vitality = new Vitality(context, {
      onQuiet: (peer) => this.#inquiries.askQuiet(peer),
      onLife: (peer) => this.#troubles.over(peer.jid, 'dead'),
      onLongDead: (peer) => this.#troubles.staysDead(peer),
      onDeath: (peer) => this.#died(peer),
      onStale: (peer) => this.#becameStale(peer),
    })
  }

  get peers(): IterableIterator<Peer> {
    return this.#roster.peers
  }

  /** Who left for good of late. */
  get departed(): DepartedMember[] {
    return this.#departed.list((jid) => this.#roster.get(jid) !== undefined)
  }

  get count(): number {
    return this.#roster.size
  }

  peer(jid: string): Peer | undefined {
    return this.#roster.get(jid)
  }

  streamUp(): void {
    this.#following.streamUp()
    this.#absence.pause()
    this.vitality.start(this.peers)
    for (const peer of this.peers) if (peer.refusal === undefined) this.#meet(peer, false)
  }

  /** Peers' timers stop (rule 23). */
  streamDown(): void {
    this.vitality.stop(this.peers)
    this.pulls.reset()
    this.asks.reset()
    for (const peer of this.peers) {
      this.pulls.cancel(peer)
      this.context.agenda.cancel(`inherited:${peer.jid}`)
    }
    this.#following.streamDown(this.peers)
    this.presence.reset()
    this.readers.streamDown()
    this.rivals.reset()
    this.#absence.begin(this.peers)
  }

  /** Judges all of `members`. */
  membersRead(items: readonly MemberItem[]): void {
    this.#objections.read(() => {
      for (const item of items) this.consider(item)
    })
    this.rivals.membersRead(items)
    this.#census.read(items)
    this.#former.membersRead(items)
  }

  /** Judges one item of `members` (rule 18). */
  consider(item: MemberItem): void {
    const { settings } = this.context
    if (item.id === settings.jid) return
    const objection = objectionTo(item, settings)
    if (objection) {
      this.#objections.complain(item, objection)
      return
    }
    if (item.eid === settings.eid) {
      this.rivals.consider(item)
      return
    }
    this.#claims.judge(this.#roster.get(item.id), item, () => this.#take(item))
  }

  #take(item: MemberItem): void {
    const known = this.#roster.get(item.id)
    if (known && known.eid !== item.eid) this.#dismiss(known, 'its PBX has another EID now')
    if (this.forgetting.keepsOut(item, () => this.#take(item))) return
    if (!this.#roster.get(item.id) && !this.#census.admits(item)) return
    const peer = this.#roster.get(item.id) ?? this.#roster.add(item)
    const hasMoved = peer.item.jid !== item.jid || peer.item.service !== item.service
    const isNews = hasMoved || peer.item.epoch !== item.epoch
    if (hasMoved) {
      this.#inquiries.drop(peer)
      this.pulls.cancel(peer)
      this.#following.moved(peer)
    }
    this.#roster.update(peer, item)
    // Where the service hides who published it, the member shows itself by its presence.
    if (item.publisher !== undefined) this.readers.show(item.id)
    if (isNews) this.presence.forget(item.jid)
    if (peer.refusal !== undefined) this.#judgeAgain(peer)
    else if (isNews || !peer.isFollowed || peer.life === 'dead' || peer.life === 'unknown')
      this.#meet(peer, false)
  }

  presenceReceived(from: string, isAvailable: boolean): void {
    this.readers.presenceReceived(from, isAvailable)
    this.presence.received(from, isAvailable)
    const peer = this.#roster.get(bareJid(from))
    if (peer?.item.jid === from && peer.refusal === undefined) {
      // The server says that its stream ended; an answer cancels that (rule 21).
      if (!isAvailable) this.vitality.suspect(peer, 'its stream ended')
      // It may have come to make its nodes, or have admitted this member.
      else if (!peer.isFollowed) this.#following.hurry(peer)
      // A question that is under way went to an earlier stream of its.
      this.#inquiries.askAnew(peer)
    }
    if (!isAvailable) this.rivals.unavailable(from)
  }

  batchReceived(event: BatchReceived): void {
    const { batch } = event
    const peer = this.#arrivals.sender(event)
    if (!peer) return
    if (this.forgetting.isOver(peer.jid, batch.epoch)) return
    if (batch.isBye) {
      if (batch.epoch === peer.replica.epoch) this.#depart(peer, 'it said goodbye')
      // Only its own answer sets its epoch, and a pull may have to wait for longer than it lingers.
      else this.#inquiries.askAnew(peer)
      return
    }
    if (batch.entries.length > 0) this.outlets.onStates()
    const outcome = this.#arrivals.apply(peer, batch)
    if (batch.epoch === peer.replica.epoch) this.vitality.heard(peer)
    if (outcome === 'gap') this.pulls.restart(peer)
    else if (outcome === 'foreign') this.pulls.request(peer)
  }

  subscribed(feed: FeedAt): void {
    const peer = this.#roster.ownerOf(feed)
    if (!peer) return
    const isNews = this.#following.confirmed(peer)
    // What was answered before this may lack a change that only its followers were told.
    if (isNews && peer.replica.isPulling) this.pulls.restart(peer)
    else this.#inquiries.askAnew(peer)
  }

  subscribeFailed(feed: FeedAt, failure: Failure): void {
    const peer = this.#roster.ownerOf(feed)
    if (!peer || failure.condition === 'disconnected') return
    // It may be absent with its nodes; its answer tells, and its message counts are read then.
    if (peer.refusal === undefined) this.#inquiries.ask(peer)
    this.#following.failed(peer, failure)
  }

  /** Feeds may be gone without a word: all of them, or those of that EID. */
  resubscribe(eid?: EntityId): void {
    if (eid === undefined) {
      this.#census.storeDoubted()
      this.readers.close()
    }
    for (const peer of this.peers) {
      const isConcerned = eid === undefined || peer.eid === eid
      if (isConcerned && peer.refusal === undefined) this.#following.disturbed(peer)
    }
  }

  /** Has anybody here that EID? */
  hasHolder(eid: EntityId): boolean {
    return this.#roster.holder(eid) !== undefined
  }

  /** The configuration was read again: trust and filters may have changed. */
  reconfigured(): void {
    for (const peer of this.peers) {
      if (this.context.settings.isTrusted(peer.jid)) this.giving.giveAll(peer)
      else {
        this.#dismiss(peer, 'it is no longer trusted')
        // Who is shown presence asks: so it learns that it is refused.
        this.presence.tellAgain(peer.item.jid)
      }
    }
  }

  /** Makes itself known to the peer, follows its feed, and asks where it stands. */
  #meet(peer: Peer, isAgain: boolean): void {
    this.presence.tell(peer.item.jid)
    this.#following.follow(peer, isAgain)
  }

  #feedMissed(peer: Peer): void {
    this.#meet(peer, true)
    this.outlets.onFeedQuiet()
  }

  #compare(peer: Peer, status: Status): void {
    if (peer.replica.isCurrent(status) && !peer.replica.isPulling) this.#synced(peer)
    else this.pulls.request(peer)
  }

  /** Judges the answer of a peer; `true` where its table may be taken from it. */
  #mayTake(peer: Peer, from: string, status: Status): boolean {
    if (this.#roster.get(peer.jid) !== peer || peer.refusal !== undefined) return false
    // It has moved to another full JID since it was asked; that one is asked too.
    if (from !== peer.item.jid) return false
    if (status.eid !== peer.eid) {
      this.#refuse(peer, 'it does not answer for the EID that it claims')
      return false
    }
    if (status.phase === 'leaving') {
      this.#depart(peer, 'it is leaving', status.epoch)
      return false
    }
    if (!this.#mayHold(peer, status)) return false
    peer.isBelieved = true
    this.readers.show(peer.jid)
    // Who refused this member took its subscription away, and no server has to say so.
    if (peer.isRefusing) this.#following.follow(peer, true)
    peer.isRefusing = false
    const wasDead = peer.life === 'dead'
    this.vitality.answered(peer, status.phase)
    // Nobody has tried to subscribe since.
    if (wasDead && !peer.isFollowed) this.#following.follow(peer)
    if (status.phase === 'ready') return true
    this.#inquiries.askLater(peer, 'syncing')
    return false
  }

  /** Has it the EID to itself (rule 18)? */
  #mayHold(peer: Peer, { phase }: Status): boolean {
    const hasPaused = phase === 'syncing' && peer.phase !== phase
    peer.phase = phase
    const { winner, loser } = this.#roster.contest(peer)
    if (loser) this.#refuse(loser, `the live member ${winner.jid} holds its EID ${peer.eid}`)
    if (hasPaused && winner === peer) this.#judgeRefused(peer.eid)
    return winner === peer
  }

  #synced(peer: Peer): void {
    this.vitality.synced(peer)
    this.#absence.endFor(peer.jid)
    // What it holds is right as of now; without its feed the next change is missed.
    peer.isSynced = peer.isFollowed
    const wasStale = peer.isStale
    peer.isStale = false
    if (wasStale) this.giving.giveAll(peer)
    this.injection.confirm(peer.eid)
    if (peer.isFollowed) this.#troubles.clear(peer.jid)
    else this.#troubles.over(peer.jid, 'refuses', 'refused')
  }

  #unanswered(peer: Peer, failure: Failure): void {
    if (failure.condition === 'disconnected' || this.#roster.get(peer.jid) !== peer) return
    if (failure.condition === 'forbidden') {
      peer.isRefusing = true
      this.#troubles.refuses(peer)
      this.#inquiries.askLater(peer, 'forbidden')
      return
    }
    // All else is not its server's word that it has no stream: `dead_after` judges that.
    const isAbsent = absences.has(failure.condition)
    const wasDead = peer.life === 'dead'
    switch (peer.life) {
      case 'unknown':
        this.vitality.absent(peer, failure.reason)
        this.#following.end(peer)
        this.retained.read(peer)
        if (isAbsent) this.#census.releaseDevices(peer)
        break
      case 'alive':
      case 'suspected':
        if (isAbsent) this.vitality.suspect(peer, failure.reason)
        break
      case 'dead':
        if (peer.isRetainedUnread) this.retained.read(peer)
        if (isAbsent) this.#census.releaseDevices(peer)
    }
    const mayBeThere = peer.life !== 'dead' || (!isAbsent && !peer.isBelieved)
    if (mayBeThere) this.#inquiries.askLater(peer, wasDead ? 'dead' : 'unanswered')
  }

  #died(peer: Peer): void {
    this.presence.forget(peer.item.jid)
    peer.isSynced = false
    // Before its pull ends, which gives Asterisk what came of it.
    this.retained.died(peer)
    this.pulls.cancel(peer)
    this.#judgeRefused(peer.eid)
  }

  #becameStale(peer: Peer): void {
    if (peer.isStale) return
    peer.isStale = true
    log(this.context, 'warn', 'device states of a member are stale and withdrawn', {
      peer: peer.jid,
    })
    this.giving.giveAll(peer)
  }

  /** The peer goes for good: everything of it is withdrawn, its epochs are ignored (rules 12 and 24). */
  #depart(peer: Peer, reason: string, epoch?: string): void {
    this.forgetting.left(peer, epoch)
    this.#dismiss(peer, reason)
  }

  /** Withdraws everything of a peer and drops it. */
  #dismiss(peer: Peer, reason: string): void {
    log(this.context, 'info', 'member is gone for good', { peer: peer.jid, reason })
    this.#departed.note(peer, reason)
    this.readers.drop(peer.jid)
    this.#release(peer)
    this.#roster.remove(peer.jid)
    if (!this.giving.giveHeirs(peer.eid)) this.injection.withdrawMember(peer.eid)
    // Who claimed the EID of another leaves the feed to its holder.
    if (!this.#roster.holder(peer.eid)) this.#following.unfollow(peer)
    this.#troubles.clear(peer.jid)
    this.giving.dismissed(peer)
    this.#judgeRefused(peer.eid)
  }

  #refuse(peer: Peer, reason: string): void {
    const isNews = peer.refusal !== reason
    peer.refusal = reason
    peer.isBelieved = false
    peer.life = 'unknown'
    this.#release(peer)
    this.giving.giveHeirs(peer.eid)
    if (!isNews) return
    count(this.context, 'refused_members', { reason: 'identity' })
    refused(this.context, { what: 'member', from: peer.jid, reason })
    this.#troubles.raise(peer.jid, 'refused', `it is refused: ${reason}`)
  }

  #release(peer: Peer): void {
    this.vitality.forget(peer)
    this.#inquiries.drop(peer)
    this.#arrivals.forget(peer)
    this.#absence.endFor(peer.jid)
    this.#following.end(peer)
    peer.replica.discardAll()
    this.pulls.cancel(peer)
  }

  /** Those that were refused for that EID are judged again: its holder has left. */
  #judgeRefused(eid: EntityId): void {
    for (const peer of this.peers)
      if (peer.eid === eid && peer.refusal !== undefined) this.#judgeAgain(peer)
  }

  #judgeAgain(peer: Peer): void {
    if (!this.#roster.mayContest(peer)) return
    peer.refusal = undefined
    // On the next stream everybody is met.
    if (this.#following.isStreamUp) this.#meet(peer, false)
  }
}
