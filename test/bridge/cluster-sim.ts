/** Several real bridges, each beside a simulated Asterisk, joined by a simulated XMPP service, on fake time. */
import { Bridge } from '../../src/bridge/bridge.js'
import type { ClusterCommand, Command, JournalCommand } from '../../src/bridge/commands.js'
import { bareJid, type BridgeSettings } from '../../src/bridge/context.js'
import type { BridgeEvent, Failure } from '../../src/bridge/events.js'
import type { ForgottenMember } from '../../src/bridge/forgetting.js'
import { maxEntries } from '../../src/bridge/messages.js'
import type { GivenName } from '../../src/bridge/name-budget.js'
import type { Injected } from '../../src/bridge/targets.js'
import type { Kind } from '../../src/bridge/state.js'
import { whomToForget } from '../../src/observe/forget.js'
import { BadRequest } from '../../src/observe/respond.js'
import { FakeTime, randomFrom } from './fake-time.js'
import { settings } from './settings.js'
import { SimulatedAsterisk } from './simulated-asterisk.js'
import { SimulatedService, Stream, failed, failure } from './simulated-service.js'

export interface ClusterOptions {
  readonly seed: number
  /** How many members. */
  readonly size: number
  readonly settings?: (number: number) => Partial<BridgeSettings>
}

/** A bridge broke the contract of its edges. */
export class ContractBroken extends Error {}

export class Cluster {
  readonly time = new FakeTime()
  readonly random: () => number
  readonly service: SimulatedService
  readonly members: SimulatedMember[]
  #epochs = 0

  constructor({ seed, size, settings: changed }: ClusterOptions) {
    this.random = randomFrom(seed)
    this.service = new SimulatedService(this.time, this.random)
    this.members = Array.from(
      { length: size },
      (_, index) => new SimulatedMember(this, settings(index + 1, changed?.(index + 1)), index + 1),
    )
  }

  /** The member with that number, from 1. */
  member(number: number): SimulatedMember {
    const member = this.members[number - 1]
    if (!member) throw new RangeError(`there is no member ${number}`)
    return member
  }

  newEpoch(): string {
    this.#epochs += 1
    return this.#epochs.toString(16).padStart(32, '0')
  }

  /** Starts every bridge and lets them find each other. */
  start(): this {
    for (const member of this.members) member.startBridge()
    this.time.pass(5_000)
    return this
  }
}

export class SimulatedMember {
  readonly asterisk: SimulatedAsterisk
  readonly journal = new Map<string, Injected>()
  readonly #forgotten = new Map<string, ForgottenMember>()
  readonly #names: GivenName[] = []
  readonly fullJid: string
  /** As the configuration was last read. */
  settings: BridgeSettings
  bridge: Bridge | undefined
  stream: Stream | undefined
  /** Log lines, health and counts, as they came. */
  readonly observed: (Command & { to: 'observe' })[] = []
  /** Every batch that was published, also again. */
  readonly batches: (ClusterCommand & { do: 'publishBatch' })[] = []
  /** Every state that its Asterisk was given. */
  readonly injections: (Command & { do: 'inject' })[] = []
  /** How many pages were asked for. */
  pullCount = 0
  readonly #events: BridgeEvent[] = []
  readonly #busyLanes = new Set<number>()
  #isDraining = false
  #isPublishing = false
  /** Is the stream up, as the bridge was told? */
  #isOnline = false
  /** Was it, when the bridge was given the event that is being handled? */
  #wasOnline = false
  #armedMs = Infinity
  /** Counts bridges; what was under way for an earlier one is nobody's. */
  #run = 0

  constructor(
    private readonly cluster: Cluster,
    private readonly firstSettings: BridgeSettings,
    readonly number: number,
  ) {
    const settings = (this.settings = firstSettings)
    this.fullJid = `${settings.jid}/${settings.eid}`
    this.asterisk = new SimulatedAsterisk(cluster.time, cluster.random, {
      post: (event) => this.post(event),
      isHeard: () => this.bridge !== undefined,
    })
  }

  /** The server is reached after so long. */
  startBridge(offlineMs = 50 * this.cluster.random()): void {
    if (this.bridge) return
    const { time, random } = this.cluster
    this.#run += 1
    this.#armedMs = Infinity
    this.#isOnline = false
    this.#busyLanes.clear()
    this.bridge = new Bridge({
      settings: this.settings,
      journal: [...this.journal.values()],
      forgotten: [...this.#forgotten.values()],
      names: [...this.#names],
      nowMs: time.nowMs,
      random,
      newEpoch: () => this.cluster.newEpoch(),
    })
    this.asterisk.meetBridge()
    this.#ifSame(offlineMs, () => this.connect())
    this.#arm()
  }

  /** SIGHUP: the configuration is the first one but for what is changed; a bridge that does not run reads it at its start. */
  reload(changed: Partial<BridgeSettings> = {}): void {
    this.settings = { ...this.firstSettings, ...changed }
    this.#handle((bridge, nowMs) => bridge.reconfigure(this.settings, nowMs))
  }

  /** `hintbridge leave`; its process ends when all is done. */
  leave(): void {
    this.post({ type: 'LeaveRequested' })
  }

  /** What the last `leave` said that it left behind; `undefined` where none came to its end. */
  get leftBehind(): readonly string[] | undefined {
    return this.observed.findLast((each) => each.do === 'left')?.failures
  }

  /** `hintbridge forget`, where it would be allowed. */
  forget(other: SimulatedMember): void {
    const { bridge, stream, settings } = this
    if (!bridge) return
    try {
      const member = whomToForget(bridge.overview(), other.settings.jid, settings)
      const item = bridge.itemIdOf(member)
      this.post({ type: 'ForgetRequested', member })
      // The server lets none but the maker of `members` retract another's item.
      const mayRetract = this.cluster.random() < 0.5
      if (item === undefined || !mayRetract) return
      stream?.toServer(() => this.cluster.service.retractItem(item))
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error
    }
  }

  /** SIGKILL: the server notices by the connection. */
  killBridge(): void {
    if (!this.bridge) return
    this.bridge = undefined
    this.#run += 1
    this.#events.length = 0
    const { stream } = this
    this.stream = undefined
    if (stream) this.cluster.service.end(stream, 'killed', () => undefined)
  }

  connect(): void {
    if (!this.bridge || this.stream) return
    const { time, random, service: server } = this.cluster
    const run = this.#run
    this.stream = new Stream(this.fullJid, time, random, (event) => {
      if (run === this.#run) this.post(event)
    })
    this.#isPublishing = false
    server.streams.set(this.fullJid, this.stream)
    this.post({ type: 'StreamUp', jid: this.fullJid })
  }

  /** The stream ends, and comes back after so long. */
  cut(downMs: number, reason = 'cut'): void {
    const { stream } = this
    if (!stream) return
    this.stream = undefined
    this.cluster.service.end(stream, reason, (event) => this.post(event))
    this.#ifSame(downMs, () => this.connect())
  }

  post(event: BridgeEvent): void {
    if (!this.bridge) return
    if (event.type === 'InjectionAnswered') this.#busyLanes.delete(event.lane)
    if (event.type === 'BatchPublished' || event.type === 'BatchFailed') this.#isPublishing = false
    this.#events.push(event)
    if (!this.#isDraining) this.#handle(() => [])
  }

  /** Has the bridge do it, and then handle what was posted, in order. */
  #handle(act: (bridge: Bridge, nowMs: number) => Command[]): void {
    const { bridge } = this
    if (!bridge) return
    const { nowMs } = this.cluster.time
    this.#isDraining = true
    try {
      this.#wasOnline = this.#isOnline
      for (const command of act(bridge, nowMs)) this.#perform(command)
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        if (next.type === 'StreamUp' && !this.stream) continue
        this.#wasOnline = this.#isOnline
        const commands = bridge.handle(next, nowMs)
        if (next.type === 'StreamUp') this.#isOnline = true
        if (next.type === 'StreamDown') this.#isOnline = false
        for (const command of commands) this.#perform(command)
      }
    } finally {
      this.#isDraining = false
    }
    this.#arm()
  }

  /** What the bridge holds in its Asterisk of that origin, by the journal: device names. */
  journaled(eid: string, kind: Kind): string[] {
    const entries = [...this.journal.values()]
    return entries.filter((each) => each.eid === eid && each.kind === kind).map(({ id }) => id)
  }

  #arm(): void {
    const deadlineMs = this.bridge?.deadlineMs ?? Infinity
    if (deadlineMs >= this.#armedMs || deadlineMs === Infinity) return
    this.#armedMs = deadlineMs
    const { time } = this.cluster
    this.#ifSame(Math.max(0, Math.ceil(deadlineMs - time.nowMs)), () => {
      this.#armedMs = Infinity
      this.post({ type: 'DeadlinePassed' })
    })
  }

  #ifSame(delayMs: number, act: () => void): void {
    const run = this.#run
    this.cluster.time.after(delayMs, () => {
      if (run === this.#run) act()
    })
  }

  #perform(command: Command): void {
    switch (command.to) {
      case 'asterisk':
        if (command.do === 'inject') {
          this.#checkInjection(command)
          this.injections.push(command)
        }
        this.asterisk.perform(command)
        return
      case 'cluster':
        this.#performInCluster(command)
        return
      case 'journal':
        this.#keep(command)
        return
      case 'observe':
        this.observed.push(command)
        if (command.do === 'left') this.#ifSame(0, () => this.killBridge())
        return
    }
  }

  #checkInjection(command: Extract<Command, { do: 'inject' }>): void {
    const { lane, eid, entry } = command
    if (this.#busyLanes.has(lane)) throw new ContractBroken(`two injections on lane ${lane}`)
    this.#busyLanes.add(lane)
    if (!this.journal.has(`${eid} ${entry.kind} ${entry.id}`)) {
      throw new ContractBroken(`${entry.id} of ${eid} injected before it was journaled (rule 9)`)
    }
  }

  #keep(command: JournalCommand): void {
    if (command.do === 'forget') {
      this.#forgotten.set(command.jid, command)
      return
    }
    if (command.do === 'addName' || command.do === 'clearNames') {
      this.#keepName(command)
      return
    }
    const { eid, kind, id } = command
    if (command.do === 'add') this.journal.set(`${eid} ${kind} ${id}`, command)
    else this.journal.delete(`${eid} ${kind} ${id}`)
  }

  #keepName(command: JournalCommand & { do: 'addName' | 'clearNames' }): void {
    if (command.do === 'clearNames') this.#names.length = 0
    else this.#names.push(command)
  }

  /** The XMPP edge: none but answers may be sent while the stream is down. */
  #performInCluster(command: ClusterCommand): void {
    const { stream } = this
    if (stream) {
      this.#performOnline(command, stream)
      return
    }
    const isAllowed = ['answerPage', 'answerStatus', 'refuse', 'disregard', 'endStream'].includes(
      command.do,
    )
    // The edge knows of the end before the bridge does.
    if (!isAllowed && !this.#wasOnline) {
      throw new ContractBroken(`${command.do} while the stream is down`)
    }
    const event = failed(command, failure('disconnected'))
    if (event) this.post(event)
  }

  #performOnline(command: ClusterCommand, stream: Stream): void {
    const { service: server, random } = this.cluster
    const { eid, jid } = this.settings
    switch (command.do) {
      case 'makeOwnNodes':
        return this.#request(command, stream, (respond) => {
          server.makeNodes(eid)
          respond({
            type: 'OwnNodesMade',
            windowItems: 256,
            readers: [...(server.readers.get(eid) ?? [])],
            subscribers: [...(server.subscribers.get(eid) ?? [])].map(bareJid),
          })
        })
      case 'setReaders':
        return this.#request(command, stream, (respond, fail) => {
          const { readers } = command
          if (!server.feeds.has(eid)) {
            fail(failure('item-not-found'))
            return
          }
          server.setReaders(eid, readers)
          respond({ type: 'ReadersSet', readers, isWhole: true })
        })
      case 'deleteOwnNodes':
        return this.#request(command, stream, (respond) => {
          server.deleteNodes(eid, jid)
          respond({ type: 'OwnNodesDeleted', failures: [] })
        })
      case 'retractItem':
        return stream.toServer(() => server.retractItem(jid))
      case 'deleteNodesOf':
        return stream.toServer(() => server.deleteNodes(command.eid))
      case 'announce':
        return this.#request(command, stream, (respond) => {
          server.announce({ ...command.item, publisher: jid })
          respond({ type: 'Announced' })
        })
      case 'readMembers':
        return this.#request(command, stream, (respond) => {
          stream.isFollowingMembers = true
          respond({ type: 'MembersRead', items: [...server.members.values()] })
        })
      case 'subscribe':
        return this.#subscribe(command, stream)
      case 'unsubscribe':
        stream.knownFeeds.delete(command.eid)
        return stream.toServer(() => server.subscribers.get(command.eid)?.delete(this.fullJid))
      case 'publishBatch':
        return this.#publish(command, stream)
      case 'pull':
      case 'ask':
        return this.#askPeer(command, stream)
      case 'answerPage':
        return stream.toServer(() => server.answer(command.request, { page: command.page }))
      case 'answerStatus':
        return stream.toServer(() => server.answer(command.request, { status: command.status }))
      case 'refuse':
        return stream.toServer(() =>
          server.answer(command.request, { failure: failure(command.condition) }),
        )
      case 'disregard':
        return
      case 'present':
        return this.#present(command, stream)
      case 'writeWindow':
      case 'retractWindow':
        return this.#write(command, stream)
      case 'readWindow':
        return this.#request(command, stream, (respond, fail) => {
          const items = server.window(command.eid, command.kind)
          if (!items) {
            fail(failure('item-not-found', false))
            return
          }
          if (command.eid !== eid && !server.mayRead(command.eid, jid)) {
            fail(failure('forbidden', false))
            return
          }
          const entries = [...items.values()]
          respond({
            type: 'WindowRead',
            eid: command.eid,
            kind: command.kind,
            entries,
            broken: [],
          })
        })
      case 'endStream':
        return this.#ifSame(0, () => {
          if (this.stream === stream) this.cut(200 + 800 * random(), command.reason)
        })
    }
  }

  /** `act` is what the server does with it. */
  #request(
    command: ClusterCommand,
    stream: Stream,
    act: (respond: (event: BridgeEvent) => void, fail: (reason: Failure) => void) => void,
  ): void {
    stream.request(
      this.settings.liveness.heartbeatMs,
      (reason) => failed(command, reason),
      (respond) =>
        act(respond, (reason) => {
          const event = failed(command, reason)
          if (event) respond(event)
        }),
    )
  }

  #subscribe(command: ClusterCommand & { do: 'subscribe' }, stream: Stream): void {
    const { service: server } = this.cluster
    const { member, service, eid, isAgain } = command
    if (!isAgain && stream.knownFeeds.has(eid)) {
      this.post({ type: 'Subscribed', member, service, eid })
      return
    }
    this.#request(command, stream, (respond, fail) => {
      if (!server.feeds.has(eid)) {
        fail(failure('item-not-found', false))
        return
      }
      if (!server.mayRead(eid, this.settings.jid)) {
        fail(failure('forbidden', false))
        return
      }
      const subscribers = server.subscribers.get(eid) ?? new Set<string>()
      server.subscribers.set(eid, subscribers.add(this.fullJid))
      stream.knownFeeds.add(eid)
      respond({ type: 'Subscribed', member, service, eid })
    })
  }

  #publish(command: ClusterCommand & { do: 'publishBatch' }, stream: Stream): void {
    const { service: server, random } = this.cluster
    const { batch } = command
    this.#checkBatch(command)
    this.#request(command, stream, (respond, fail) => {
      const isSwallowed = random() < server.faults.swallow
      if (isSwallowed && random() < 0.5) return
      if (!server.feeds.has(batch.eid)) {
        fail(failure('item-not-found', false))
        return
      }
      server.notify(batch, this.settings.jid)
      if (!isSwallowed) respond({ type: 'BatchPublished', sequence: batch.sequence })
    })
  }

  /** Rule 11: one in flight, at most 500 entries, the next number or the very same batch again. */
  #checkBatch(command: ClusterCommand & { do: 'publishBatch' }): void {
    const { batch } = command
    if (this.#isPublishing) throw new ContractBroken('two batches in flight')
    this.#isPublishing = true
    if (batch.entries.length > maxEntries) throw new ContractBroken('a batch of too many entries')
    const before = this.batches.at(-1)?.batch
    this.batches.push(command)
    if (before?.epoch !== batch.epoch || before.sequence + 1 === batch.sequence) return
    if (JSON.stringify(before) !== JSON.stringify(batch)) {
      throw new ContractBroken(
        `batch ${batch.sequence} after ${before.sequence} is not the same again`,
      )
    }
  }

  #askPeer(command: ClusterCommand & { do: 'ask' | 'pull' }, stream: Stream): void {
    const { service: server } = this.cluster
    const { jid: from, token } = command
    const isPull = command.do === 'pull'
    if (isPull) this.pullCount += 1
    this.#request(command, stream, (respond, fail) => {
      server.route(
        from,
        ({ status, page, failure: reason }) => {
          if (status) respond({ type: 'StatusReceived', token, from, status })
          else if (page) respond({ type: 'PageReceived', token, from, page })
          else fail(reason ?? failure('undefined-condition'))
        },
        (handle) =>
          isPull
            ? {
                type: 'PageRequested',
                request: handle,
                from: this.fullJid,
                query: { ...command.query, max: Math.min(command.query.max, server.pageSize) },
              }
            : { type: 'StatusRequested', request: handle, from: this.fullJid },
      )
    })
  }

  #present({ jid, isAvailable }: ClusterCommand & { do: 'present' }, stream: Stream): void {
    const { service: server } = this.cluster
    stream.toServer(() => {
      if (isAvailable) stream.told.add(jid)
      else stream.told.delete(jid)
      server.streams
        .get(jid)
        ?.toClient({ type: 'PresenceReceived', from: this.fullJid, isAvailable })
    })
  }

  #write(command: ClusterCommand & { do: 'writeWindow' | 'retractWindow' }, stream: Stream): void {
    const { service: server } = this.cluster
    const isWrite = command.do === 'writeWindow'
    this.#request(command, stream, (respond, fail) => {
      const kind = isWrite ? command.entry.kind : command.kind
      const items = server.window(this.settings.eid, kind)
      const isFound = items && (isWrite || items.has(command.id))
      if (isWrite) items?.set(command.entry.id, command.entry)
      else items?.delete(command.id)
      if (isFound) respond({ type: 'WindowWritten' })
      else fail(failure('item-not-found', false))
    })
  }
}
