/** Answers the inspection API from what stands in the bridge: gives its times a date, and keeps nothing. */
import type { Bridge } from '../bridge/bridge.js'
import {
  type Explanation,
  type InjectionSeen,
  type Named,
  type Part,
  type StateSeen,
  type StatesQuery,
  wordOf,
} from '../bridge/inspection-views.js'
import { setImmediate as turn } from 'node:timers/promises'
import { type MemberOverview, type Overview, unreadiness } from '../bridge/overview.js'
import { type Kind, type MailboxEntry, kinds } from '../bridge/state.js'
import type {
  ChannelView,
  DevicePart,
  ExplainAnswer,
  InjectionView,
  IsoTime,
  MailboxPart,
  MemberView,
  OverviewAnswer,
  RefusedAnswer,
  Remark,
  SelfView,
  StatesAnswer,
  StateView,
} from './api.js'
import type { Health } from './health.js'
import { alikeTo } from './pattern.js'
import type { RefusalLog } from './refusal-log.js'

/** What is configured of one kind. */
export type ShareView = Pick<ChannelView, 'publish' | 'subscribe' | 'include' | 'exclude'>

export interface InspectorParts {
  /** `undefined` while the EID of Asterisk is not known. */
  readonly bridge: () => Pick<Bridge, 'overview' | 'inspection'> | undefined
  readonly self: Pick<SelfView, 'jid' | 'name' | 'version'>
  readonly share: () => Readonly<Record<Kind, ShareView>>
  readonly health: Health
  readonly refusals: RefusalLog
  /** The clock on the wall and the monotonic one, both in ms. */
  readonly clock?: { readonly wallMs: () => number; readonly monotonicMs: () => number }
}

/** Why nothing is ready where there is no bridge yet. */
const eidUnknown = 'the EID of Asterisk is not known yet: see /health'

/** So many names like the one asked for are told, of each kind. */
const maxAlike = 3

/** The two clocks are read one after the other, and drift; more than this, ms, is a clock that was set. */
const clockSetMs = 100

const systemClock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

export class Inspector {
  readonly #parts: InspectorParts
  readonly #clock: NonNullable<InspectorParts['clock']>
  readonly #startedAt: IsoTime
  /** What the clock on the wall said at the monotonic zero, ms. */
  #zeroMs = -Infinity

  constructor(parts: InspectorParts) {
    this.#parts = parts
    this.#clock = parts.clock ?? systemClock
    this.#startedAt = this.#now()
  }

  /** Why the member is not ready; none where it is. */
  readiness(): readonly string[] {
    const bridge = this.#parts.bridge()
    return bridge ? unreadiness(bridge.overview()) : [eidUnknown]
  }

  overview(): OverviewAnswer {
    const { bridge, health } = this.#parts
    const overview = bridge()?.overview()
    const reasons = overview ? unreadiness(overview) : [eidUnknown]
    return {
      at: this.#now(),
      self: this.#self(overview),
      members: overview ? this.#members(overview) : [],
      channels: kinds.map((kind) => this.#channel(kind, overview)),
      problems: health.problems().map(({ since, ...problem }) => ({
        ...problem,
        since: since.toISOString(),
      })),
      readiness: { ready: reasons.length === 0, reasons },
    }
  }

  /** Lets events pass now and then while it goes through many states. */
  async states(query: StatesQuery): Promise<StatesAnswer> {
    const search = this.#parts.bridge()?.inspection.states(query)
    if (!search) return { total: 0, matched: 0, states: [] }
    let step = search.next()
    for (; step.done !== true; step = search.next()) await turn()
    const found = step.value
    return { ...found, states: found.states.map((seen) => this.#state(seen)) }
  }

  /** `undefined` while there is no bridge. */
  async explain(kind: Kind, id: string): Promise<ExplainAnswer | undefined> {
    const isKnown = this.#parts.bridge()?.inspection.look(kind, id) !== undefined
    const alike = isKnown ? [] : await this.#alike(id)
    const explanation = this.#parts.bridge()?.inspection.explain(kind, id, alike)
    if (!explanation) return undefined
    const answer = this.#explanation(explanation)
    if (answer.isKnown) return answer
    const remarks = [...answer.remarks, ...this.#remarksOnMembers()]
    return { ...answer, ...(alike.length > 0 && { alike }), remarks }
  }

  /** `INUSE`, or `2/0`: what the own Asterisk comes to. */
  sum(kind: Kind, id: string): string {
    const seen = this.#parts.bridge()?.inspection.look(kind, id)
    if (seen) return wordOf(seen.sum)
    return kind === 'device_state' ? 'INVALID' : '0/0'
  }

  refused(): RefusedAnswer {
    const refused = this.#parts.refusals.list()
    return { refused: refused.map(({ at, ...entry }) => ({ at: at.toISOString(), ...entry })) }
  }

  /** What is known under a name like that. */
  async #alike(id: string): Promise<Named[]> {
    const page = { matches: alikeTo(id), offset: 0, limit: maxAlike, order: 'name' } as const
    const found: Named[] = []
    for (const kind of kinds) {
      const { states } = await this.states({ kind, ...page })
      found.push(...states.map((state) => ({ kind, id: state.id })))
    }
    return found
  }

  /** Who might tell of it and is not believed, or not followed; the bridge itself remarks on those that it refuses. */
  #remarksOnMembers(): Remark[] {
    const members = this.#parts.bridge()?.overview().members ?? []
    const followed = members.filter(({ refusal }) => refusal === undefined)
    const keys = new Set(['members', ...followed.map(({ jid }) => `member:${jid}`)])
    return this.#parts.health
      .problems()
      .filter(({ key }) => keys.has(key))
      .map(({ text }) => ({ severity: 'warning', text }))
  }

  #now(): IsoTime {
    return new Date(this.#clock.wallMs()).toISOString()
  }

  /** The date of a monotonic time: the same each time, unless somebody sets the clock. */
  #date(monotonicMs: number): IsoTime {
    const zeroMs = this.#clock.wallMs() - this.#clock.monotonicMs()
    if (Math.abs(zeroMs - this.#zeroMs) > clockSetMs) this.#zeroMs = zeroMs
    return new Date(this.#zeroMs + monotonicMs).toISOString()
  }

  #self(overview: Overview | undefined): SelfView {
    const { self } = this.#parts
    const ownStates = overview?.ownStates ?? 0
    const ownMailboxes = overview?.ownMailboxes ?? 0
    return {
      ...self,
      ...(overview && { eid: overview.eid, epoch: overview.epoch }),
      ...(overview?.pbxVersion !== undefined && { asterisk: overview.pbxVersion }),
      phase: overview?.phase ?? 'waiting',
      sequence: overview?.sequence ?? 0,
      startedAt: this.#startedAt,
      isAsteriskFound: overview?.isAsteriskFound ?? false,
      isFenced: overview?.isFenced ?? false,
      isStreamUp: overview?.jid !== undefined,
      hasOwnNodes: overview?.hasOwnNodes ?? false,
      ownStates,
      ownDevices: ownStates - ownMailboxes,
      ownMailboxes,
      injected: overview?.injected ?? 0,
      injectionPending: overview?.injectionPending ?? 0,
      injectionLagMs: overview?.injectionLagMs ?? 0,
      feedPending: overview?.feedPending ?? 0,
      feedLagMs: overview?.feedLagMs ?? 0,
      windowPending: overview?.windowPending ?? 0,
    }
  }

  #members({ members, departed }: Overview): MemberView[] {
    const gone = departed.map(({ jid, eid, name, version, reason, lastHeardMs }): MemberView => {
      const nothing = { sequence: 0, states: 0, devices: 0, mailboxes: 0 }
      const flags = { isBelieved: false, isSynced: false, isStale: false }
      const lastHeardAt = this.#date(lastHeardMs)
      return { jid, eid, name, version, life: 'gone', reason, ...nothing, ...flags, lastHeardAt }
    })
    return [...members.map((member) => this.#member(member)), ...gone]
  }

  #member({ aliveSinceMs, lastHeardMs, ...member }: MemberOverview): MemberView {
    return {
      ...member,
      devices: member.states - member.mailboxes,
      ...(aliveSinceMs !== undefined && { aliveSince: this.#date(aliveSinceMs) }),
      // Of one that was never heard it is when it was first seen.
      ...(member.life !== 'unknown' && { lastHeardAt: this.#date(lastHeardMs) }),
    }
  }

  #channel(kind: Kind, overview: Overview | undefined): ChannelView {
    const { publish, subscribe, include, exclude } = this.#parts.share()[kind]
    const pick = (all: number, mailboxes: number): number =>
      kind === 'message_waiting' ? mailboxes : all - mailboxes
    const members = overview?.members ?? []
    return {
      kind,
      publish,
      subscribe,
      include,
      exclude,
      own: overview ? pick(overview.ownStates, overview.ownMailboxes) : 0,
      injected: overview ? pick(overview.injected, overview.injectedMailboxes) : 0,
      perMember: members.map(({ jid, name, states, mailboxes }) => ({
        jid,
        name,
        states: pick(states, mailboxes),
      })),
    }
  }

  #state({ kind, id, sum, changedMs, parts }: StateSeen): StateView {
    const changedAt = this.#date(changedMs)
    if (kind === 'device_state') {
      const state = sum.kind === 'device_state' ? sum.state : 'INVALID'
      const found = parts.flatMap((part) => this.#devicePart(part) ?? [])
      return { kind, id, sum: state, changedAt, parts: found }
    }
    const counts = sum.kind === 'message_waiting' ? countsOf(sum) : noMessages
    const found = parts.flatMap((part) => this.#mailboxPart(part) ?? [])
    return { kind, id, sum: counts, changedAt, parts: found }
  }

  #devicePart({ entry, changedMs, ...part }: Part): DevicePart | undefined {
    if (entry.kind !== 'device_state') return undefined
    const { state, cachable } = entry
    return { ...part, state, cachable, changedAt: this.#date(changedMs) }
  }

  #mailboxPart({ entry, changedMs, ...part }: Part): MailboxPart | undefined {
    if (entry.kind !== 'message_waiting') return undefined
    return { ...part, ...countsOf(entry), changedAt: this.#date(changedMs) }
  }

  #explanation({ seen, injections, ...explanation }: Explanation): ExplainAnswer {
    return {
      ...this.#state(seen),
      ...explanation,
      injections: injections.map((injection) => this.#injection(injection)),
    }
  }

  #injection({ eid, entry, sentMs, acknowledgedMs, failure }: InjectionSeen): InjectionView {
    const status = acknowledgedMs === undefined ? failure?.condition : '200'
    return {
      eid,
      ...(entry && { state: wordOf(entry) }),
      ...(sentMs !== undefined && { sentAt: this.#date(sentMs) }),
      ...(acknowledgedMs !== undefined && { acknowledgedAt: this.#date(acknowledgedMs) }),
      ...(status !== undefined && { status }),
      ...(failure && { failure: failure.reason }),
    }
  }
}

const noMessages = { newMessages: 0, oldMessages: 0 }

function countsOf({ newMessages, oldMessages }: MailboxEntry): typeof noMessages {
  return { newMessages, oldMessages }
}
