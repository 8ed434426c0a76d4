/** What is known of states, origin by origin, for whoever asks: computed when asked, and nothing is kept for it. */
import type { Context } from './context.js'
import type { DepartedMember } from './departed.js'
import type { Injection, InjectionTrace } from './injection.js'
import { explain } from './inspection-explain.js'
import { sortedSlice } from './inspection-page.js'
import type {
  Explanation,
  Named,
  Part,
  Standing,
  StateSeen,
  StatesQuery,
  StatesSeen,
} from './inspection-views.js'
import type { LocalStates } from './local-states.js'
import type { NameBudget } from './name-budget.js'
import type { Peer } from './peer.js'
import type { Dated } from './replica.js'
import { type EntityId, type Key, type Kind, type StateEntry, isSameState, keyOf } from './state.js'
import { strengthOf, sumStates } from './sum.js'

export interface Inspected {
  readonly local: LocalStates
  readonly injection: Injection
  readonly budget: NameBudget
  peers(): Iterable<Peer>
  departed(): readonly DepartedMember[]
  isAsteriskFound(): boolean
  isStreamUp(): boolean
}

/** So many entries are gone through before a rest: about half a millisecond. */
const entriesARest = 1_000
/** More ranks than there are device states. */
const ranks = 16

export class Inspection {
  constructor(
    private readonly context: Context,
    private readonly inspected: Inspected,
  ) {}

  /**
   * One page of the states of a kind. It rests after each thousand or so, for whoever runs it to let the states pass meanwhile;
   * what changes then may be on the page or not, but what is on it is as of the end.
   */
  *states({ kind, matches, offset, limit, order }: StatesQuery): Generator<undefined, StatesSeen> {
    const ranked = new Map<string, number>()
    yield* this.#rank(kind, ranked)
    const groups = Array.from({ length: ranks }, (): string[] => [])
    let matched = 0
    let seen = 0
    for (const [id, rank] of ranked) {
      if ((seen += 1) % entriesARest === 0) yield
      if (!matches(id)) continue
      matched += 1
      groups[order === 'busy' ? rank : 0]?.push(id)
    }
    yield
    const peers = this.#peers()
    const states = pageOf(groups.reverse(), offset, limit).flatMap(
      (id) => this.#look(kind, id, peers) ?? [],
    )
    return { total: ranked.size, matched, states }
  }

  /** `undefined` where no member tells of it. */
  look(kind: Kind, id: string): StateSeen | undefined {
    return this.#look(kind, id, this.#peers())
  }

  /** `alike`: what is known under names like this one, where this one is not. */
  explain(kind: Kind, id: string, alike: readonly Named[] = []): Explanation {
    const { inspected, context } = this
    const peers = this.#peers()
    const seen = this.#look(kind, id, peers)
    const unshared = kind === 'device_state' ? inspected.local.unshared(id) : undefined
    return explain({
      seen: seen ?? { kind, id, sum: nothing(kind, id), changedMs: context.nowMs, parts: [] },
      isKnown: seen !== undefined,
      alike,
      peers,
      departed: inspected.departed(),
      nowMs: context.nowMs,
      ...(unshared && { unshared }),
      traces: inspected.injection.traces(kind, id),
      settings: context.settings,
      isAsteriskFound: inspected.isAsteriskFound(),
      isStreamUp: inspected.isStreamUp(),
    })
  }

  /** By id, how busy the busiest of its members says that it is. */
  *#rank(kind: Kind, ranked: Map<string, number>): Generator<undefined, void> {
    const note = (entry: StateEntry): void => {
      if (entry.kind !== kind) return
      const rank =
        entry.kind === 'device_state' ? strengthOf(entry.state) : Number(entry.newMessages > 0)
      const known = ranked.get(entry.id)
      if (known === undefined || known < rank) ranked.set(entry.id, rank)
    }
    yield* restfully(this.inspected.local.told.values(), note)
    for (const { replica } of [...this.inspected.peers()]) yield* restfully(replica.entries(), note)
  }

  #peers(): Peer[] {
    return [...this.inspected.peers()].sort((one, other) =>
      nameOf(one) < nameOf(other) ? -1 : nameOf(one) > nameOf(other) ? 1 : 0,
    )
  }

  #look(kind: Kind, id: string, peers: readonly Peer[]): StateSeen | undefined {
    const key = keyOf(kind, id)
    const parts: Part[] = [...this.#ownPart(key)]
    for (const peer of peers) {
      const dated = peer.replica.dated(key)
      if (dated) parts.push(this.#partOf(peer, dated))
    }
    if (parts.length === 0) return undefined
    const changedMs = Math.max(...parts.map((part) => part.changedMs))
    return { kind, id, sum: sumOf(kind, id, parts), changedMs, parts }
  }

  #ownPart(key: Key): Part[] {
    const dated = this.inspected.local.dated(key)
    if (!dated) return []
    const { eid, jid, name } = this.context.settings
    const standing = this.#isOvertaken(eid, dated.entry) ? overtaken : { standing: 'own' as const }
    return [{ eid, jid, name, isOwn: true, ...pick(dated), ...standing }]
  }

  #partOf(peer: Peer, dated: Dated): Part {
    const { eid, jid, item } = peer
    const standing = this.#standing(peer, dated.entry)
    return { eid, jid, name: item.name, isOwn: false, ...pick(dated), ...standing }
  }

  #standing(peer: Peer, entry: StateEntry): Pick<Part, 'standing' | 'note' | 'limit'> {
    const { kind, id } = entry
    const share = this.context.settings.share[kind]
    if (!share.subscribe) return held(`share.${kind}.subscribe is off here`)
    if (!share.isShared(id)) return held(`the filters of share.${kind} keep it out here`)
    if (peer.isStale && kind === 'device_state') return held('its member is out of sync')
    const limit = this.inspected.budget.objection(peer.jid, kind, id)
    if (limit !== undefined) {
      return { ...held(`its member has given as many names as ${limit} allows here`), limit }
    }
    if (this.#isOvertaken(peer.eid, entry)) return overtaken
    const trace = this.inspected.injection.trace(peer.eid, kind, id)
    if (!trace?.wanted) return held('this member is leaving')
    return standingOf(trace, entry, this.inspected.isAsteriskFound())
  }

  /** Does another member's count stand? Asterisk keeps one a mailbox. */
  #isOvertaken(eid: EntityId, { kind, id }: StateEntry): boolean {
    if (kind === 'device_state') return false
    const last = this.inspected.injection.lastClaimant(id)
    return last !== undefined && last !== eid
  }
}

/** Does that with each, and rests now and then. */
function* restfully<Entry>(
  entries: Iterable<Entry>,
  act: (entry: Entry) => void,
): Generator<undefined, void> {
  let count = 0
  for (const entry of entries) {
    act(entry)
    if ((count += 1) % entriesARest === 0) yield
  }
}

function standingOf(
  { held: taken, last, isRefused }: InjectionTrace,
  entry: StateEntry,
  isAsteriskFound: boolean,
): { standing: Standing; note?: string } {
  if (taken && isSameState(taken, entry)) return { standing: 'injected' }
  const note = last?.failure?.reason
  if (isRefused) return { standing: 'refused', ...(note !== undefined && { note }) }
  if (!isAsteriskFound) return { standing: 'pending', note: 'Asterisk does not answer' }
  return { standing: 'pending', ...(note !== undefined && { note }) }
}

const overtaken = held('the count of another member stands')

function held(note: string): { standing: Standing; note: string } {
  return { standing: 'held', note }
}

function pick({ entry, changedMs }: Dated): Pick<Part, 'entry' | 'changedMs'> {
  return { entry, changedMs }
}

function nameOf({ item, jid }: Peer): string {
  return `${item.name}\0${jid}`
}

/** What Asterisk shows for what nobody tells of. */
function nothing(kind: Kind, id: string): StateEntry {
  return kind === 'device_state'
    ? { kind, id, state: 'INVALID', cachable: true }
    : { kind, id, newMessages: 0, oldMessages: 0 }
}

/** What Asterisk comes to: cachable states are added up; of counts, and of states that are not cachable, the last counts. */
function sumOf(kind: Kind, id: string, parts: readonly Part[]): StateEntry {
  const given = parts.filter(({ standing }) => standing !== 'held')
  const states = given.flatMap(({ entry }) =>
    entry.kind === 'device_state' && entry.cachable ? [entry.state] : [],
  )
  if (states.length > 0 && kind === 'device_state') {
    return { kind, id, state: sumStates(states), cachable: true }
  }
  const last = given.reduce<Part | undefined>(
    (latest, part) => (latest && latest.changedMs > part.changedMs ? latest : part),
    undefined,
  )
  return last?.entry ?? nothing(kind, id)
}

/** The names from `offset` on, group by group, each in order. */
function pageOf(groups: readonly string[][], offset: number, limit: number): string[] {
  const page: string[] = []
  let skipped = 0
  for (const group of groups) {
    const from = Math.max(offset - skipped, 0)
    page.push(...sortedSlice(group, from, from + limit - page.length))
    skipped += group.length
    if (page.length >= limit) break
  }
  return page
}
