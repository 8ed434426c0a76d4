/**
 * The bridge: one owner of all state. Edges post events, one switch names a method for each, and what is to be done
 * comes back as commands. Time comes in with the events; nothing here touches a socket, a file or XML.
 */
import { Agenda } from './agenda.js'
import type { Command } from './commands.js'
import { type BridgeSettings, type Context, bareJid, count } from './context.js'
import type { BridgeEvent } from './events.js'
import { Departure, type DepartureOutlets } from './departure.js'
import { Feed } from './feed.js'
import type { ForgottenMember } from './forgetting.js'
import { Injection } from './injection.js'
import { Inspection } from './inspection.js'
import { tellChange } from './inspection-change.js'
import { LocalStates } from './local-states.js'
import { Members } from './members.js'
import type { Status } from './messages.js'
import { type Overview, memberOverview } from './overview.js'
import { PeerRequests } from './peer-requests.js'
import { SnapshotServer } from './snapshot-server.js'
import { type GivenName, NameBudget } from './name-budget.js'
import type { EntityId, FeedEntry, Kind, StateEntry } from './state.js'
import { Standing } from './standing.js'
import type { Injected } from './targets.js'
import { Window } from './window.js'

export interface BridgeOptions {
  readonly settings: BridgeSettings
  /** What earlier runs injected and did not withdraw (rule 9). */
  readonly journal: readonly Injected[]
  /** Whom earlier runs were told to forget (rule 22). */
  readonly forgotten?: readonly ForgottenMember[]
  /** What Asterisk had been given by then, as far as is known, since it started. */
  readonly names?: readonly GivenName[]
  /** Monotonic time of the start, ms. */
  readonly nowMs: number
  random(): number
  newEpoch(): string
}

export class Bridge {
  readonly #context: Context
  readonly #commands: Command[] = []
  readonly #local: LocalStates
  readonly #feed: Feed
  readonly #window: Window
  readonly #snapshot: SnapshotServer
  readonly #budget: NameBudget
  readonly #injection: Injection
  readonly #members: Members
  readonly #standing: Standing
  readonly #departure: Departure
  /** States origin by origin, for whoever asks. */
  readonly inspection: Inspection
  readonly #requests: PeerRequests
  #isAsteriskFound = false

  constructor(options: BridgeOptions) {
    const { settings, journal, forgotten = [], names = [], nowMs } = options
    this.#context = {
      settings,
      nowMs,
      agenda: new Agenda(),
      isWatched: false,
      emit: (command) => this.#commands.push(command),
      random: () => options.random(),
      newEpoch: () => options.newEpoch(),
    }
    const context = this.#context
    this.#budget = new NameBudget(context, names)
    this.#injection = new Injection(context, journal)
    this.#local = new LocalStates(context, {
      onChange: (entry, before) => this.#localChanged(entry, before),
      onSwept: (entry) => this.#injection.ownSwept(entry),
      onMailboxesKnown: () => this.#injection.ownDumped(),
      onAsked: (kind, token) => {
        if (kind === 'device_state') this.#budget.refreshAsked(token)
      },
      onReadiness: () => this.#advance(),
      isInjected: (mailbox) => this.#injection.isMailboxInjected(mailbox),
      overwrites: (entry) => this.#injection.overwrites(entry),
      injectAgain: (mailbox) => this.#injection.injectMailboxAgain(mailbox),
    })
    const onNodeLost = (): void => this.#standing.nodesLost()
    this.#feed = new Feed(context, {
      onNodeLost,
      onByePublished: () => this.#departure.byePublished(),
    })
    this.#snapshot = new SnapshotServer(this.#local.told)
    this.#requests = new PeerRequests(context, this.#snapshot, {
      status: () => this.#status,
      hasYielded: () => this.#members.rivals.hasYielded,
      paceOctets: () => this.#feed.paceOctets,
      onTrusted: (from) => this.#members.readers.asked(from),
      onNamesake: (from) => this.#members.rivals.asked(from),
      onPage: () => this.#window.giveWay(),
    })
    const outlets = {
      onStates: () => this.#window.giveWay(),
      onFeedQuiet: () => this.#standing.readMembersSoon(),
      onIdentityJudged: (hasYielded: boolean) => this.#identityJudged(hasYielded),
      onIdentityRefused: (wasIn: boolean) => this.#identityRefused(wasIn),
      lookAgain: (delayMs: number) => this.#standing.lookAgain(delayMs),
    }
    this.#members = new Members(context, this.#injection, this.#budget, outlets, forgotten)
    const memberCount = (): number => 1 + this.#members.count
    this.#window = new Window(context, this.#local.told, memberCount, onNodeLost)
    this.#standing = new Standing(context, {
      onStreamUp: () => this.#members.streamUp(),
      onStreamDown: () => this.#streamDown(),
      onMembersRead: (items) => this.#members.membersRead(items),
      onFeedsDoubted: () => this.#members.resubscribe(),
      onProgress: () => this.#advance(),
      onNodesLost: () => this.#window.close(),
      onNodesMade: (made) => this.#members.readers.nodesMade(made),
    })
    this.inspection = new Inspection(context, {
      local: this.#local,
      injection: this.#injection,
      budget: this.#budget,
      peers: () => this.#members.peers,
      departed: () => this.#members.departed,
      isAsteriskFound: () => this.#isAsteriskFound,
      isStreamUp: () => this.#standing.jid !== undefined,
    })
    this.#departure = new Departure(context, { deleteNodes: () => this.#deleteNodes() })
  }

  /** When `DeadlinePassed` is to be handled next, ms; `Infinity` where nothing waits. */
  get deadlineMs(): number {
    return this.#context.agenda.nextMs
  }

  /** Takes one event at a time of the monotonic clock, and returns what is to be done, in order. */
  handle(event: BridgeEvent, nowMs: number): Command[] {
    this.#context.nowMs = nowMs
    this.#dispatch(event)
    this.#members.readers.tell()
    return this.#commands.splice(0)
  }

  /** The configuration was read again: trust, filters and durations hold from now on. */
  reconfigure(settings: BridgeSettings, nowMs: number): Command[] {
    this.#context.nowMs = nowMs
    this.#context.settings = settings
    this.#budget.refit()
    this.#members.reconfigured()
    this.#local.refilter()
    if (this.#standing.jid !== undefined) this.#standing.readMembers()
    this.#members.readers.reconfigured()
    return this.#commands.splice(0)
  }

  /** What stands now, for gauges, readiness and whoever asks. */
  overview(): Overview {
    return {
      ...this.#status,
      ...(this.#standing.jid !== undefined && { jid: this.#standing.jid }),
      isAsteriskFound: this.#isAsteriskFound,
      isFenced: this.#local.isReady,
      ...(this.#standing.pbxVersion !== undefined && { pbxVersion: this.#standing.pbxVersion }),
      hasOwnNodes: this.#standing.windowItems !== undefined,
      isMembersRead: this.#members.rivals.isMembersRead,
      ownStates: this.#local.told.size,
      ownMailboxes: this.#local.toldMailboxes,
      feedPending: this.#feed.pendingCount,
      feedLagMs: this.#feed.lagMs,
      windowPending: this.#window.pendingCount,
      injected: this.#injection.size,
      injectedMailboxes: this.#injection.mailboxes,
      injectionPending: this.#injection.depth,
      injectionLagMs: this.#injection.lagMs,
      names: this.#budget.size,
      members: [...this.#members.peers].map((peer) =>
        memberOverview(peer, this.#budget.of(peer.jid)),
      ),
      departed: this.#members.departed,
    }
  }

  /** Is anything kept of that member (bare JID, full JID or EID), for `forget` to drop? */
  keeps(member: string): boolean {
    return this.#members.forgetting.keeps(member)
  }

  /** The id of that member's item in `members`, if one is known. */
  itemIdOf(member: string): string | undefined {
    // While another holds the own EID it is that one's item which stands.
    return this.#members.rivals.isClear ? this.#members.forgetting.itemIdOf(member) : undefined
  }

  /** Begins or ends to tell changes as they pass, by `changed`. */
  watch(isWatched: boolean): void {
    this.#context.isWatched = isWatched
  }

  #dispatch(event: BridgeEvent): void {
    switch (event.type) {
      case 'StateReported':
        return this.#stateReported(event.entry)
      case 'RefreshRequested':
        return this.#refreshRequested(event.kind)
      case 'RefreshAnswered':
        return this.#refreshAnswered(event)
      case 'FenceReturned':
        return this.#local.fenceReturned(event.kind, event.nonce)
      case 'FenceFailed':
        return this.#local.fenceFailed(event.kind, event.nonce, event.failure)
      case 'InjectionAnswered':
        if (!event.failure) this.#budget.injected()
        return this.#injection.answered(event.lane, event.failure)
      case 'AsteriskFound':
        return this.#asteriskFound()
      case 'AsteriskVersionLearnt':
        return this.#standing.pbxVersionLearnt(event.version)
      case 'AsteriskLost':
        return this.#asteriskLost()
      case 'StreamUp':
        return this.#standing.streamUp(event.jid)
      case 'StreamDown':
        return this.#standing.streamDown(event.reason)
      case 'StreamFailed':
        return this.#standing.streamFailed(event)
      case 'StreamConflicted':
        return this.#standing.streamConflicted(event.reason)
      case 'PresenceReceived':
        return this.#presenceReceived(event.from, event.isAvailable)
      case 'OwnNodesMade':
        return this.#standing.nodesMade(event)
      case 'OwnNodesFailed':
        this.#members.readers.close()
        return this.#standing.nodesFailed(event.failure)
      case 'ReadersSet':
        return this.#members.readers.set(event.readers, event.isWhole)
      case 'ReadersFailed':
        return this.#members.readers.failed(event.failure)
      case 'OwnNodesDeleted':
        return this.#departure.clusterLeft(event.failures)
      case 'Announced':
        return this.#standing.announced()
      case 'AnnounceFailed':
        return this.#standing.announceFailed(event.failure)
      case 'MembersRead':
        return this.#standing.membersRead(event.items)
      case 'MembersUnread':
        return this.#standing.membersUnread(event.failure)
      case 'MemberItemReceived':
        this.#standing.itemReceived(event.item)
        return this.#members.consider(event.item)
      case 'NodeDisturbed':
        return this.#nodeDisturbed(event)
      case 'Subscribed':
        return this.#members.subscribed(event)
      case 'SubscribeFailed':
        return this.#members.subscribeFailed(event, event.failure)
      case 'BatchReceived':
        return this.#members.batchReceived(event)
      case 'BatchPublished':
        return this.#feed.published(event.sequence)
      case 'BatchFailed':
        return this.#feed.failed(event.sequence, event.failure)
      case 'PageReceived':
        this.#window.giveWay()
        return this.#members.pulls.pageReceived(event.token, event.from, event.page)
      case 'PullFailed':
        return this.#members.pulls.failed(event.token, event.failure)
      case 'StatusReceived':
        return this.#members.asks.answered(event.token, event.from, event.status)
      case 'AskFailed':
        return this.#members.asks.failed(event.token, event.failure)
      case 'PageRequested':
        return this.#requests.servePage(event.request, event.from, event.query)
      case 'StatusRequested':
        return this.#requests.serveStatus(event.request, event.from)
      case 'WindowWritten':
        return this.#window.written()
      case 'WindowFailed':
        return this.#window.failed(event.failure)
      case 'WindowRead':
        return this.#windowRead(event)
      case 'WindowUnread':
        return this.#windowUnread(event.eid)
      case 'ServiceLate':
        return this.#members.vitality.serviceLate(event.service, this.#members.peers)
      case 'LeaveRequested':
        return this.#leave()
      case 'ForgetRequested':
        return this.#members.forgetting.forget(event.member)
      case 'DeadlinePassed':
        return this.#context.agenda.runDue(this.#context.nowMs)
    }
  }

  #stateReported(entry: StateEntry): void {
    if (entry.kind === 'message_waiting') {
      this.#injection.ownReported(entry, this.#local.mailboxesSinceMs)
    }
    this.#local.report(entry)
  }

  #refreshRequested(kind: Kind): void {
    this.#local.restarted(kind)
    this.#injection.requested(kind)
  }

  #refreshAnswered(event: Extract<BridgeEvent, { type: 'RefreshAnswered' }>): void {
    const { kind, token, taken } = event
    const isNumbered = kind === 'device_state' && taken !== undefined
    const isGiven = (name: Omit<GivenName, 'taken'>): boolean => {
      const peer = this.#members.peer(name.jid)
      return peer !== undefined && this.#injection.holds(peer.eid, name.kind, name.id)
    }
    if (isNumbered && this.#budget.refreshTaken(token, taken, isGiven)) {
      this.#members.giving.giveAgain()
    }
    this.#local.refreshAnswered(event)
  }

  #asteriskFound(): void {
    this.#isAsteriskFound = true
    this.#local.found()
    this.#injection.again('device_state')
    this.#injection.again('message_waiting')
    this.#injection.open()
  }

  #asteriskLost(): void {
    this.#isAsteriskFound = false
    count(this.#context, 'asterisk_losses')
    this.#injection.close()
    this.#local.lost()
  }

  #presenceReceived(from: string, isAvailable: boolean): void {
    const { settings } = this.#context
    const bare = bareJid(from)
    if (bare === settings.jid || !settings.isTrusted(bare)) return
    if (!this.#requests.hasPatience(from)) return
    const isStranger = this.#members.peer(bare)?.item.jid !== from
    this.#members.presenceReceived(from, isAvailable)
    if (isStranger && isAvailable) this.#standing.readMembersSoon()
  }

  /** What somebody loses who is no member here, or has left, is nobody's loss; a feed is lost to those that follow it. */
  #nodeDisturbed({ node, change }: Extract<BridgeEvent, { type: 'NodeDisturbed' }>): void {
    if (this.#standing.jid === undefined) return
    const [owner, what] = node.split('/').slice(-2)
    const isPeers = what !== 'members' && owner !== this.#context.settings.eid
    if (isPeers && owner !== undefined) {
      if (!this.#members.hasHolder(owner)) return
      const isUnfollowed = change === 'deleted' || change === 'unsubscribed'
      if (what === 'feed' && isUnfollowed) this.#members.resubscribe(owner)
    }
    this.#standing.nodeDisturbed(change)
  }

  #localChanged(entry: FeedEntry, before?: StateEntry): void {
    const { settings, isWatched } = this.#context
    if (isWatched) tellChange(this.#context, { ...settings, isOwn: true }, entry, before)
    const kind = entry.kind === 'gone' ? entry.of : entry.kind
    if (entry.kind === 'message_waiting') this.#injection.ownClaimed(entry)
    this.#snapshot.changed(entry)
    this.#feed.change(entry)
    this.#window.change(kind, entry.id)
  }

  get #status(): Status {
    const isReady = this.#local.isReady && this.#members.rivals.isClear
    return {
      eid: this.#context.settings.eid,
      epoch: this.#feed.epoch,
      sequence: this.#feed.sequence,
      phase: this.#departure.isBegun ? 'leaving' : isReady ? 'ready' : 'syncing',
    }
  }

  #windowRead(event: Extract<BridgeEvent, { type: 'WindowRead' }>): void {
    const { eid, kind, entries, broken } = event
    if (eid === this.#context.settings.eid) this.#window.read(kind, entries, broken)
    else this.#members.retained.received(eid, entries)
  }

  #windowUnread(eid: EntityId): void {
    if (eid === this.#context.settings.eid) this.#window.unread()
    else this.#members.retained.failed(eid)
  }

  #streamDown(): void {
    this.#feed.close()
    this.#snapshot.reset()
    this.#window.close()
    this.#members.streamDown()
  }

  /** The nodes of an incumbent that has left are now free to be the own ones. */
  #identityJudged(hasYielded: boolean): void {
    // To the peers the epoch of before has left for good.
    if (hasYielded) this.#feed.renew()
    this.#standing.nodesFreed()
    this.#advance()
  }

  /** Nothing of this member may stand beside the holder of its EID; the peers that took it in ask, and hear that it left. */
  #identityRefused(wasIn: boolean): void {
    this.#standing.renounce()
    this.#members.readers.renounce()
    if (!wasIn) return
    this.#feed.close()
    this.#window.close()
    this.#members.presence.leave()
    this.#members.presence.reset()
  }

  /** Announces, publishes and writes as far as it may: what is missing comes with a later event. */
  #advance(): void {
    const { windowItems } = this.#standing
    if (windowItems === undefined || !this.#members.rivals.isClear) return
    if (this.#departure.isBegun) {
      // The goodbye goes out even where nothing else was ever told.
      this.#feed.open()
      return
    }
    if (!this.#local.isReady) return
    this.#standing.announce(this.#feed.epoch)
    this.#feed.open()
    this.#window.open(windowItems)
  }

  #leave(): void {
    if (this.#departure.isBegun) return
    this.#departure.begin(this.#injection.size)
    this.#window.close()
    this.#feed.bye()
    this.#advance()
    this.#injection.withdrawAll(() => this.#departure.asteriskLeft())
  }

  #deleteNodes(): ReturnType<DepartureOutlets['deleteNodes']> {
    this.#standing.end()
    this.#feed.end()
    if (this.#standing.jid === undefined) return 'offline'
    this.#members.presence.leave()
    if (this.#members.rivals.isRefused) return "another's"
    // Just back, the list of members was not read yet: another may have taken the EID meanwhile.
    if (!this.#members.rivals.isClear) return 'offline'
    this.#context.emit({ to: 'cluster', do: 'deleteOwnNodes' })
    return 'deleting'
  }
}
