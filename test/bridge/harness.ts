/** One bridge on fake time; what it wants done is recorded, and answered when a test says so. */
import { Bridge } from '../../src/bridge/bridge.js'
import type { Command } from '../../src/bridge/commands.js'
import type { BridgeSettings } from '../../src/bridge/context.js'
import type { BridgeEvent, Failure, FeedAt } from '../../src/bridge/events.js'
import type { ForgottenMember } from '../../src/bridge/forgetting.js'
import type { GivenName } from '../../src/bridge/name-budget.js'
import type { Injected } from '../../src/bridge/targets.js'
import type { Batch, MemberItem, Page, Phase, Status } from '../../src/bridge/messages.js'
import type { DeviceState, FeedEntry, Kind, StateEntry } from '../../src/bridge/state.js'
import { keyOf } from '../../src/bridge/state.js'
import { device, eidOf, fullJidOf, jidOf, service, settings } from './settings.js'

type Do = Command['do']
type CommandOf<Name extends Do> = Extract<Command, { do: Name }>

/** The epoch of the member with that number. */
export function epochOf(number: number, life = 1): string {
  return `${number}${life}`.padStart(32, '0')
}

export function memberItem(number: number, changed: Partial<MemberItem> = {}): MemberItem {
  return {
    id: jidOf(number),
    eid: eidOf(number),
    name: `pbx-${number}`,
    jid: fullJidOf(number),
    service,
    epoch: epochOf(number),
    version: '0.1.0',
    ...changed,
  }
}

/** The feed of the member with that number, as its item names it. */
export function feedAt(number: number, changed: Partial<FeedAt> = {}): FeedAt {
  return { member: jidOf(number), service, eid: eidOf(number), ...changed }
}

export function subscribedTo(number: number, changed: Partial<FeedAt> = {}): BridgeEvent {
  return { type: 'Subscribed', ...feedAt(number, changed) }
}

export interface DialogueOptions {
  readonly settings?: Partial<BridgeSettings>
  readonly journal?: readonly Injected[]
  readonly forgotten?: readonly ForgottenMember[]
  readonly names?: readonly GivenName[]
  /** The service sets at once whoever may read, and the test sees nothing of it; `false`: the test answers. */
  readonly setsReaders?: boolean
}

export class Dialogue {
  readonly bridge: Bridge
  nowMs = 1_000_000
  /** What was commanded and not yet taken by the test. */
  readonly #commands: Command[] = []
  /** Tokens of what has no answer yet. */
  readonly #refreshes: Record<Kind, number[]> = { device_state: [], message_waiting: [] }
  readonly #setsReaders: boolean
  #epochs = 0

  constructor(options: DialogueOptions = {}) {
    this.#setsReaders = options.setsReaders ?? true
    this.bridge = new Bridge({
      settings: settings(1, options.settings),
      journal: options.journal ?? [],
      forgotten: options.forgotten ?? [],
      names: options.names ?? [],
      nowMs: this.nowMs,
      random: () => 0.5,
      newEpoch: () => `e${(this.#epochs += 1)}`.padStart(32, '0'),
    })
  }

  /** An edge posts. */
  post(event: BridgeEvent): this {
    return this.#told(this.bridge.handle(event, this.nowMs))
  }

  /** SIGHUP, with these settings changed from the defaults. */
  reload(changed: Partial<BridgeSettings>): this {
    return this.#told(this.bridge.reconfigure(settings(1, changed), this.nowMs))
  }

  /** The service lets those read that were named last. */
  setReaders(): this {
    const readers = this.take('setReaders').at(-1)?.readers
    return readers ? this.post({ type: 'ReadersSet', readers, isWhole: true }) : this
  }

  /** Time passes; deadlines are kept to the millisecond. */
  pass(durationMs: number): this {
    const untilMs = this.nowMs + durationMs
    while (this.bridge.deadlineMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, Math.ceil(this.bridge.deadlineMs))
      this.post({ type: 'DeadlinePassed' })
    }
    this.nowMs = untilMs
    return this
  }

  /** Time passes, and Asterisk returns each fence within 10 s. */
  passFenced(durationMs: number): this {
    for (let leftMs = durationMs; leftMs > 0; leftMs -= 10_000) {
      this.pass(Math.min(leftMs, 10_000))
      for (const { kind, nonce } of this.take('fence')) {
        this.post({ type: 'FenceReturned', kind, nonce })
      }
    }
    return this
  }

  /** Takes all commands of that name, in order. */
  take<Name extends Do>(name: Name): CommandOf<Name>[] {
    const taken = this.#commands.filter((each): each is CommandOf<Name> => each.do === name)
    const rest = this.#commands.filter((each) => each.do !== name)
    this.#commands.splice(0, this.#commands.length, ...rest)
    return taken
  }

  /** Takes the one command of that name; throws where there is none or there are several. */
  takeOne<Name extends Do>(name: Name): CommandOf<Name> {
    const taken = this.take(name)
    const [first] = taken
    if (!first || taken.length > 1) throw new Error(`${taken.length} commands '${name}', not one`)
    return first
  }

  /** Forgets what was commanded so far. */
  clear(): this {
    this.#commands.length = 0
    return this
  }

  /** The names of what was commanded, without what goes to the observer, in order. */
  names(): string[] {
    return this.#commands.filter(({ to }) => to !== 'observe').map((each) => each.do)
  }

  /** Text of the health problem that stands under a key, by what was commanded since the last take. */
  health(key: string): string | undefined {
    return this.take('health')
      .filter((each) => each.key === key)
      .at(-1)?.text
  }

  report(id: string, state: DeviceState): this {
    return this.post({ type: 'StateReported', entry: device(id, state) })
  }

  /** Answers the first refresh of that kind that has no answer yet. */
  answerRefresh(kind: Kind, failure?: Failure): this {
    const token = this.#refreshes[kind].shift()
    if (token === undefined) throw new Error(`no refresh of ${kind} to answer`)
    return this.post({ type: 'RefreshAnswered', kind, token, ...(failure && { failure }) })
  }

  /** Answers each refresh with that dump, and returns the fence, until both kinds are complete. */
  fenced(...dump: StateEntry[]): this {
    for (let round = 0; round < 4; round += 1) {
      for (const { kind, token } of this.take('refresh')) {
        for (const entry of dump)
          if (entry.kind === kind) this.post({ type: 'StateReported', entry })
        // Asterisk answers in order: what was asked before, too.
        while ((this.#refreshes[kind][0] ?? Infinity) <= token) this.answerRefresh(kind)
      }
      for (const { kind, nonce } of this.take('fence')) {
        this.post({ type: 'FenceReturned', kind, nonce })
      }
    }
    return this
  }

  found(...dump: StateEntry[]): this {
    return this.post({ type: 'AsteriskFound' }).fenced(...dump)
  }

  /** The stream comes up and the own nodes, the members and the announcement are answered. */
  online(...members: MemberItem[]): this {
    this.post({ type: 'StreamUp', jid: fullJidOf(1) })
    this.post({ type: 'OwnNodesMade', windowItems: 256 })
    this.post({ type: 'MembersRead', items: members })
    if (this.take('announce').length > 0) this.post({ type: 'Announced' })
    for (const { kind } of this.take('readWindow')) {
      this.post({ type: 'WindowRead', eid: eidOf(1), kind, entries: [], broken: [] })
    }
    return this
  }

  /** Asterisk and the cluster answer; members are read. */
  ready(dump: readonly StateEntry[] = [], ...members: MemberItem[]): this {
    return this.found(...dump).online(...members)
  }

  /** A peer is met, asked, pulled, and in sync with these entries as of that sequence number. */
  joined(number: number, entries: readonly StateEntry[] = [], sequence = 1): this {
    this.post({ type: 'MemberItemReceived', item: memberItem(number) })
    this.post(subscribedTo(number))
    this.answerAsk(number, { sequence })
    return this.answerPull(number, entries, { sequence })
  }

  /** The server says that the peer's stream has come up, or ended. */
  presence(number: number, isAvailable: boolean): this {
    return this.post({ type: 'PresenceReceived', from: fullJidOf(number), isAvailable })
  }

  answerAsk(number: number, changed: Partial<Status> = {}): this {
    const { token } = this.takeOne('ask')
    const from = fullJidOf(number)
    return this.post({ type: 'StatusReceived', token, from, status: statusOf(number, changed) })
  }

  answerPull(number: number, entries: readonly StateEntry[], changed: Partial<Page> = {}): this {
    const { token } = this.takeOne('pull')
    const sorted = entries.toSorted((one, other) => (keyOfEntry(one) < keyOfEntry(other) ? -1 : 1))
    const page = { ...statusOf(number, changed), entries: sorted, isLast: true, ...changed }
    return this.post({ type: 'PageReceived', token, from: fullJidOf(number), page })
  }

  failAsk(condition = 'service-unavailable'): this {
    const { token } = this.takeOne('ask')
    return this.post({ type: 'AskFailed', token, failure: failed(condition) })
  }

  batch(number: number, sequence: number, ...entries: FeedEntry[]): this {
    return this.receive({ ...emptyBatch(number, sequence), entries }, jidOf(number))
  }

  receive(batch: Batch, publisher: string): this {
    return this.post({ type: 'BatchReceived', service, publisher, batch })
  }

  /** Asterisk acknowledges injections until none is left; what was injected, in order. */
  answerInjections(): CommandOf<'inject'>[] {
    const all: CommandOf<'inject'>[] = []
    for (let sent = this.take('inject'); sent.length > 0; sent = this.take('inject')) {
      all.push(...sent)
      for (const { lane } of sent) this.post({ type: 'InjectionAnswered', lane })
    }
    return all
  }

  /** What was injected, as `eid id state`, acknowledged. */
  injected(): string[] {
    return this.answerInjections().map(({ eid, entry }) => `${eid} ${wordOf(entry)}`)
  }

  /** Publishes are acknowledged until none is left; the batches, in order. */
  answerPublishes(): Batch[] {
    const all: Batch[] = []
    for (let sent = this.take('publishBatch'); sent.length > 0; sent = this.take('publishBatch')) {
      for (const { batch } of sent) {
        all.push(batch)
        this.post({ type: 'BatchPublished', sequence: batch.sequence })
      }
    }
    return all
  }

  #told(commands: readonly Command[]): this {
    this.#commands.push(...commands)
    for (const each of commands)
      if (each.do === 'refresh') this.#refreshes[each.kind].push(each.token)
    return this.#setsReaders ? this.setReaders() : this
  }

  fenceOf(kind: Kind): number {
    const fence = this.take('fence').find((each) => each.kind === kind)
    if (!fence) throw new Error(`no fence of ${kind}`)
    return fence.nonce
  }
}

/** Pages come in the order of these (rule 14). */
function keyOfEntry({ kind, id }: StateEntry): string {
  return keyOf(kind, id)
}

export function statusOf(number: number, changed: Partial<Status> = {}): Status {
  const phase: Phase = 'ready'
  return { eid: eidOf(number), epoch: epochOf(number), sequence: 1, phase, ...changed }
}

export function emptyBatch(number: number, sequence: number): Batch {
  return { eid: eidOf(number), epoch: epochOf(number), sequence, isBye: false, entries: [] }
}

/** `PJSIP/1 INUSE`, `1000@default 2/0`, `gone PJSIP/1`. */
export function wordOf(entry: FeedEntry): string {
  if (entry.kind === 'gone') return `gone ${entry.id}`
  if (entry.kind === 'device_state') return `${entry.id} ${entry.state}`
  return `${entry.id} ${entry.newMessages}/${entry.oldMessages}`
}

export function failed(condition: string, isTemporary = true): Failure {
  return { condition, reason: `the server says ${condition}`, isTemporary }
}
