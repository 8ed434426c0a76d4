/**
 * The own standing in the cluster: stream, own nodes, the reading of `members`, the announcement (rules 17, 19, 20).
 * Each step starts when what it needs is there, and starts again when that was lost.
 */
import { type Context, bareJid, count, health, log } from './context.js'
import type { BridgeEvent, Failure, NodeChange } from './events.js'
import type { MemberItem } from './messages.js'
import { withRemedy } from './remedies.js'

const retryMs = 5_000
/** A server that was just losing its store has lost it after so long. */
const lookAgainMs = 2_000
/** What a retry cannot be expected to mend is tried again more rarely. */
const hopelessRetryMs = 30_000
/** A burst of changes to nodes is answered once. */
const disturbedMs = 500

type StreamFailed = Extract<BridgeEvent, { type: 'StreamFailed' }>

type OwnNodesMade = Extract<BridgeEvent, { type: 'OwnNodesMade' }>

export interface StandingOutlets {
  onStreamUp(): void
  onStreamDown(): void
  onMembersRead(items: readonly MemberItem[]): void
  /** The own nodes went without a word: so may the peers' have, and the subscriptions to them. */
  onFeedsDoubted(): void
  /** Nodes were made, members read: what waited for that may go on. */
  onProgress(): void
  /** The own nodes are there. */
  onNodesMade(made: OwnNodesMade): void
  /** The own nodes are gone. */
  onNodesLost(): void
}

export class Standing {
  /** The own full JID while the stream is up. */
  jid: string | undefined
  /** The cap on items of the own retained nodes, while those are known to exist. */
  windowItems: number | undefined
  #announcedEpoch: string | undefined
  /** How often in a row own nodes were lost when they were looked at. */
  #lostInRow = 0
  /** Were the own nodes there before, since the start? */
  #wereMade = false
  /** Some of them may have been made anew before that failed: the next time they are there, and empty. */
  #mayBeMade = false
  /** Of Asterisk, as it names itself; for humans. */
  #pbxVersion: string | undefined
  /** `members` was not there when it was last read. */
  #isMembersMissing = false
  /** Was the announcement acknowledged before the last reading of `members` was asked for? */
  #isExpected = false
  #isAcknowledged = false
  #isEnded = false
  /** The last announcement was refused for good. */
  #isRefused = false

  constructor(
    private readonly context: Context,
    private readonly outlets: StandingOutlets,
  ) {}

  streamUp(jid: string): void {
    this.jid = jid
    health(this.context, 'stream', 'error')
    log(this.context, 'info', 'stream is up', { jid })
    count(this.context, 'stream_starts')
    // The other one waits `stale_after` too, and then takes the JID again; another end of the stream says nothing of it.
    if (!this.context.agenda.has('conflict-over')) {
      const { staleAfterMs } = this.context.settings.liveness
      this.#after('conflict-over', 2 * staleAfterMs, () => this.#endConflict())
    }
    this.outlets.onStreamUp()
    this.#makeNodes()
  }

  streamDown(reason: string): void {
    if (this.jid === undefined) return
    this.jid = undefined
    this.windowItems = undefined
    // On the next stream all is read again.
    this.#mayBeMade = false
    this.#announcedEpoch = undefined
    // The first reading of the next stream is before its announcement.
    this.#isAcknowledged = false
    health(this.context, 'stream', 'error', `the XMPP stream is down: ${reason}`)
    log(this.context, 'warn', 'stream is down', { reason })
    for (const timer of ['nodes', 'members', 'disturbed', 'announce']) {
      this.context.agenda.cancel(timer)
    }
    this.outlets.onStreamDown()
  }

  /** There is no stream, and why: also before there ever was one. */
  streamFailed({ reason, remedy, isAccountRefused = false }: StreamFailed): void {
    if (this.jid !== undefined) return
    // So it was no other bridge's conflict, or that one is out too.
    if (isAccountRefused) this.#endConflict()
    const text = `the XMPP stream is down: ${reason}${remedy === undefined ? '' : `; ${remedy}`}`
    health(this.context, 'stream', 'error', text)
  }

  /** RFC 6120 §4.9.3.3; COMPAT ejabberd: so it also ends the stream of an account that is removed. */
  streamConflicted(reason: string): void {
    this.context.agenda.cancel('conflict-over')
    const text =
      `${reason}: either another bridge uses the JID ${this.context.settings.jid} with ` +
      `this EID, then give each bridge its own account and each Asterisk its own entityid; or the server still holds the session ` +
      `from before a cut or a crash, then it lets this one in once it notices (ejabberd, at once: resource_conflict: ` +
      `acceptnew); or the account was removed, then make it again`
    health(this.context, 'stream-conflict', 'error', text)
    log(this.context, 'error', 'the server ended the stream with conflict', { reason })
  }

  #endConflict(): void {
    this.context.agenda.cancel('conflict-over')
    health(this.context, 'stream-conflict', 'error')
  }

  /** `wereMissing`: some were not there, or not as they should be; what they retained may be lost too. */
  nodesMade(made: OwnNodesMade): void {
    if (this.jid === undefined) return
    const { windowItems, wereMissing = false } = made
    const mayBeEmpty = wereMissing || this.#mayBeMade
    this.#mayBeMade = false
    // What they retain is compared with the table when they are opened again; once more some time after they were lost,
    // for a service that was just losing them may have lost what was written since.
    if (mayBeEmpty || this.#lostInRow > 0) this.outlets.onNodesLost()
    this.windowItems = windowItems
    this.outlets.onNodesMade(made)
    health(this.context, 'nodes', 'error')
    // Where they are missing at the start they are new, as a rule: a server with many such members has enough to do then.
    this.#lostInRow = mayBeEmpty && this.#wereMade ? this.#lostInRow + 1 : 0
    this.#wereMade = true
    // COMPAT ejabberd: a publish to a node that somebody deleted makes it again, with the server's defaults. So it is looked
    // at now and then; soon where a store was just lost, which may be lost again before the item is back that is missed then.
    const { auditMs } = this.context.settings.liveness
    const againMs = this.#lostInRow > 0 ? lookAgainMs * 2 ** (this.#lostInRow - 1) : auditMs
    this.#after('nodes', Math.min(againMs, auditMs), () => this.#makeNodes())
    this.readMembers()
    this.outlets.onProgress()
  }

  nodesFailed(failure: Failure): void {
    if (failure.condition === 'disconnected' || this.jid === undefined) return
    this.#mayBeMade = true
    const text = withRemedy(failure, 'nodes', this.context.settings)
    health(this.context, 'nodes', 'error', text)
    log(this.context, 'error', 'own nodes not made', { reason: text })
    // The peers' states can be followed all the same.
    this.readMembers()
    this.#after('nodes', failure.isTemporary ? retryMs : hopelessRetryMs, () => this.#makeNodes())
  }

  /** Who held the own nodes may have left them: what failed is tried at once. */
  nodesFreed(): void {
    if (this.jid !== undefined && this.windowItems === undefined) this.#makeNodes()
  }

  /** The server says that an own node is gone. */
  nodesLost(): void {
    this.windowItems = undefined
    this.#announcedEpoch = undefined
    this.outlets.onNodesLost()
    if (this.jid === undefined) return
    this.outlets.onFeedsDoubted()
    this.#disturbed()
  }

  nodeDisturbed(change: NodeChange): void {
    if (change === 'retracted') this.readMembersSoon()
    else this.#disturbed()
  }

  readMembers(): void {
    this.#isExpected = this.#isAcknowledged
    this.context.emit({ to: 'cluster', do: 'readMembers' })
    const { membersMs } = this.context.settings.liveness
    this.#after('members', membersMs, () => this.readMembers())
  }

  /** Somebody is there who is not in what was read. */
  readMembersSoon(): void {
    if (this.context.agenda.has('disturbed') || this.jid === undefined) return
    this.#after('disturbed', disturbedMs, () => this.readMembers())
  }

  membersRead(items: readonly MemberItem[]): void {
    if (this.jid === undefined) return
    this.#isMembersMissing = false
    health(this.context, 'members-read', 'error')
    this.outlets.onMembersRead(items)
    const own = items.find((item) => item.id === this.context.settings.jid)
    // Missing or not ours: it is published again.
    if (this.#isExpected && !(own && this.#isOurs(own))) {
      this.#announcedEpoch = undefined
      // Where `members` was lost and another has made it again, the own nodes may have gone with it.
      if (!own) this.#makeNodes()
    }
    this.outlets.onProgress()
  }

  /** A member item was pushed: another may have written over the own one. */
  itemReceived(item: MemberItem): void {
    if (item.id !== this.context.settings.jid) return
    if (this.#isAcknowledged && !this.#isOurs(item)) this.readMembersSoon()
  }

  #isOurs({ epoch, jid, eid, service, publisher }: MemberItem): boolean {
    const { settings } = this.context
    return (
      epoch === this.#announcedEpoch &&
      jid === this.jid &&
      eid === settings.eid &&
      service === settings.service &&
      (publisher === undefined || bareJid(publisher) === settings.jid)
    )
  }

  membersUnread(failure: Failure): void {
    if (failure.condition === 'disconnected' || this.jid === undefined) return
    const text = withRemedy(failure, 'members', this.context.settings)
    health(this.context, 'members-read', 'error', text)
    if (failure.condition === 'item-not-found') {
      // What is missing although it was just made is not made again at once.
      this.#after('nodes', this.#isMembersMissing ? retryMs : 0, () => this.#makeNodes())
      this.#isMembersMissing = true
    } else this.#after('members', retryMs, () => this.readMembers())
  }

  get pbxVersion(): string | undefined {
    return this.#pbxVersion
  }

  /** Asterisk says which one it is: so does the member item, from now on. */
  pbxVersionLearnt(version: string): void {
    this.#pbxVersion = version
    if (this.#announcedEpoch === undefined) return
    this.#announcedEpoch = undefined
    this.outlets.onProgress()
  }

  /** Publishes the member item, unless it stands. */
  announce(epoch: string): void {
    if (this.jid === undefined || this.#announcedEpoch === epoch) return
    this.#announcedEpoch = epoch
    this.#isAcknowledged = false
    const { jid: id, eid, name, service, version } = this.context.settings
    const item = { id, eid, name, jid: this.jid, service, epoch, version }
    const pbxVersion = this.#pbxVersion
    this.context.emit({
      to: 'cluster',
      do: 'announce',
      item: { ...item, ...(pbxVersion !== undefined && { pbxVersion }) },
    })
  }

  /** Another holds the own EID: no item may call the members here. */
  renounce(): void {
    this.#announcedEpoch = undefined
    this.#isAcknowledged = false
    this.#isExpected = false
    if (this.jid !== undefined) this.context.emit({ to: 'cluster', do: 'retractItem' })
  }

  announced(): void {
    if (this.#announcedEpoch === undefined) return
    this.#isAcknowledged = true
    this.#isRefused = false
    health(this.context, 'announce', 'error')
    log(this.context, 'info', 'announced as a member')
  }

  announceFailed(failure: Failure): void {
    this.#announcedEpoch = undefined
    if (failure.condition === 'disconnected' || this.jid === undefined) return
    const text = withRemedy(failure, 'members', this.context.settings)
    health(this.context, 'announce', 'error', text)
    if (failure.condition === 'item-not-found') this.nodesLost()
    // Whoever made `members` anew may just be about to open it to the others.
    const isHopeless = !failure.isTemporary && this.#isRefused
    this.#isRefused = !failure.isTemporary
    this.#after('announce', isHopeless ? hopelessRetryMs : retryMs, () => this.outlets.onProgress())
  }

  /** This member goes for good: nothing of its own is made again. */
  end(): void {
    this.#isEnded = true
  }

  #makeNodes(): void {
    if (this.#isEnded) return
    this.context.emit({ to: 'cluster', do: 'makeOwnNodes' })
  }

  /** The own nodes are to be looked at again in so long. */
  lookAgain(delayMs: number): void {
    if (this.jid !== undefined) this.#after('nodes', delayMs, () => this.#makeNodes())
  }

  /** Nodes are gone: makes again what is missing, and then reads `members` (rule 19). */
  #disturbed(): void {
    if (this.jid === undefined) return
    this.#after('disturbed', disturbedMs, () => this.#makeNodes())
  }

  #after(timer: string, delayMs: number, run: () => void): void {
    this.context.agenda.set(timer, this.context.nowMs + delayMs, run)
  }
}
