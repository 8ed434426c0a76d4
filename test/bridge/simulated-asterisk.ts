/**
 * An Asterisk as its bridge sees it: own states and a spool, what was injected by EID, and one first-in first-out queue
 * of publishes a kind, through which live changes, dumps and fences go (facts-asterisk).
 */
import type { BridgeEvent, Failure } from '../../src/bridge/events.js'
import type { AsteriskCommand } from '../../src/bridge/commands.js'
import type {
  DeviceEntry,
  DeviceState,
  EntityId,
  Kind,
  StateEntry,
} from '../../src/bridge/state.js'
import { withdrawal } from '../../src/bridge/injection.js'
import { isSameState, kinds } from '../../src/bridge/state.js'
import { sumStates } from '../../src/bridge/sum.js'
import type { FakeTime } from './fake-time.js'
import { device, mailbox } from './settings.js'

/** How likely Asterisk refuses what its bridge sends. */
export interface Refusals {
  readonly chance: number
  /** Of the refusals, those that name no reason to try again. */
  readonly permanent: number
}

export const noRefusals: Refusals = { chance: 0, permanent: 0 }

/** Nobody's cache holds it (rule 4): no dump names it, and whoever has not heard it does not know of it. */
export const uncachable = 'Uncached:1'

const lost: Failure = { condition: 'asterisk-lost', reason: 'killed', isTemporary: true }

type Published =
  | { readonly type: 'state'; readonly entry: StateEntry }
  | { readonly type: 'fence'; readonly nonce: number }

type Answer = Extract<BridgeEvent, { type: 'RefreshAnswered' | 'InjectionAnswered' }>

export interface AsteriskOutlets {
  post(event: BridgeEvent): void
  /** Does a bridge answer its publishes? */
  isHeard(): boolean
}

export class SimulatedAsterisk {
  isUp = true
  refusals = noRefusals
  /** Own devices: the truth. */
  readonly devices = new Map<string, DeviceState>()
  /** Own spool, new messages a mailbox: the truth; it outlives a restart. */
  readonly spool = new Map<string, number>()
  /** What was injected: by EID, then device. */
  readonly injected = new Map<EntityId, Map<string, DeviceState>>()
  /** Counts as a phone sees them: one a mailbox, the last writer's. */
  readonly counts = new Map<string, number>()
  /** Names of which it was given more than their withdrawal since it started, by EID: it never frees them. */
  readonly names = new Map<EntityId, Set<string>>()
  #hasDumped = false
  /** So many publishes it has taken since it started. */
  #taken = 0
  readonly #queues: Record<Kind, Published[]> = { device_state: [], message_waiting: [] }
  readonly #isSending: Record<Kind, boolean> = { device_state: false, message_waiting: false }
  readonly #inFlight = new Map<string, Answer>()
  /** Counts its lives: what was under way in an earlier one is lost. */
  #life = 0
  /** Counts the bridges that were beside it. */
  #companion = 0

  constructor(
    private readonly time: FakeTime,
    private readonly random: () => number,
    private readonly outlets: AsteriskOutlets,
  ) {}

  setDevice(id: string, state: DeviceState): void {
    if (this.devices.get(id) === state) return
    this.devices.set(id, state)
    if (this.isUp) this.#publish({ type: 'state', entry: deviceOf(id, state) })
  }

  /** A device that is not in the cache is heard of when it is said, not before. */
  sayUncachable(): void {
    const state = this.devices.get(uncachable)
    if (this.isUp && state) this.#publish({ type: 'state', entry: deviceOf(uncachable, state) })
  }

  /** So many voicemails lie in the own spool now. */
  setSpool(id: string, count: number): void {
    if ((this.spool.get(id) ?? 0) === count) return
    this.spool.set(id, count)
    if (this.isUp) this.#count(id, count)
  }

  /** A phone here subscribes to a mailbox that lives elsewhere, and the own empty spool is polled (rule 5). */
  pollEmpty(id: string): void {
    if (this.isUp && !this.spool.has(id) && (this.counts.get(id) ?? 0) !== 0) this.#count(id, 0)
  }

  /** What a hint shows: the own state and the peers' added up. */
  hint(id: string): DeviceState {
    const states = [...this.injected.values()].flatMap((table) => table.get(id) ?? [])
    return sumStates([
      ...states,
      ...(this.devices.has(id) ? [this.devices.get(id) ?? 'INVALID'] : []),
    ])
  }

  /** Another bridge stands beside it: what the last one waited for is not answered. */
  meetBridge(): void {
    this.#companion += 1
    this.#inFlight.clear()
    if (this.isUp)
      this.time.after(
        this.#delay(),
        this.#ifSame(() => this.#found()),
      )
  }

  /** The process dies; unless `isNoticed`, it is back before its bridge can tell. */
  kill(isNoticed: boolean): void {
    if (!this.isUp) return
    this.isUp = false
    this.#life += 1
    this.injected.clear()
    this.counts.clear()
    this.names.clear()
    this.#taken = 0
    this.#hasDumped = false
    for (const kind of kinds) {
      this.#queues[kind] = []
      this.#isSending[kind] = false
    }
    if (!isNoticed) return
    this.outlets.post({ type: 'AsteriskLost', reason: 'killed' })
    const unanswered = [...this.#inFlight.values()]
    this.#inFlight.clear()
    for (const answer of unanswered) this.outlets.post({ ...answer, failure: lost })
  }

  /** The process starts: devices that `isKept` does not name are gone, the spool is read. */
  start(isKept: (device: string) => boolean): void {
    if (this.isUp) return
    this.isUp = true
    for (const id of this.devices.keys()) if (!isKept(id)) this.devices.delete(id)
    this.time.after(
      this.#delay(),
      this.#ifSame(() => {
        this.#found()
        for (const kind of kinds) this.outlets.post({ type: 'RefreshRequested', kind })
      }),
    )
    for (const [id, count] of this.spool) if (count > 0) this.#count(id, count)
  }

  /** `module reload`: it asks for the peers' states, and forgets nothing. */
  reload(): void {
    if (!this.isUp) return
    for (const kind of kinds) this.outlets.post({ type: 'RefreshRequested', kind })
  }

  perform(command: AsteriskCommand): void {
    switch (command.do) {
      case 'refresh': {
        const { kind, token } = command
        this.#answer(`refresh ${kind}`, { type: 'RefreshAnswered', kind, token }, (answer) => {
          const dump = this.#dump(kind)
          const life = this.#life
          // Another thread than that of live changes: it may overtake one (rule 3).
          this.time.after(
            this.#delay(),
            this.#ifCompanion(() => {
              if (life === this.#life) {
                for (const entry of dump) this.#publish({ type: 'state', entry })
              }
              answer()
            }),
          )
        })
        return
      }
      case 'fence':
        this.#afterDelay(() => {
          // Nobody is told: it is overdue then (rule 6).
          if (this.random() < this.refusals.chance) return
          this.#enqueue(command.kind, { type: 'fence', nonce: command.nonce })
        })
        return
      case 'inject': {
        const { lane, eid, entry } = command
        this.#answer(`lane ${lane}`, { type: 'InjectionAnswered', lane }, (answer) => {
          this.#take(eid, entry)
          answer()
        })
        return
      }
    }
  }

  #take(eid: EntityId, entry: StateEntry): void {
    const name = `${entry.kind} ${entry.id}`
    if (!isWithdrawal(eid, entry)) this.names.set(eid, (this.names.get(eid) ?? new Set()).add(name))
    // That it has restarted is not known before that answer, nor that this name is one more.
    else if (!this.#hasDumped) for (const names of this.names.values()) names.delete(name)
    if (entry.kind === 'message_waiting') {
      this.counts.set(entry.id, entry.newMessages)
      return
    }
    const table = this.injected.get(eid) ?? new Map<string, DeviceState>()
    this.injected.set(eid, table.set(entry.id, entry.state))
  }

  /** Performs a request after the way there, and posts the answer; each is answered once while its bridge lives. */
  #answer(name: string, event: Answer, act: (answer: () => void) => void): void {
    const key = `${name} ${this.random()}`
    if (!this.isUp) {
      this.time.after(
        1,
        this.#ifCompanion(() => this.outlets.post({ ...event, failure: lost })),
      )
      return
    }
    this.#inFlight.set(key, event)
    // A bridge that has died meanwhile sends nothing again.
    const sendAgain = (): void => this.time.after(500, () => this.#inFlight.has(key) && send())
    const send = (): void => {
      const life = this.#life
      // A retransmission reaches the process that answers by then.
      if (!this.isUp) {
        if (this.#inFlight.has(key)) sendAgain()
        return
      }
      const failure = this.#refusal()
      // Of what is to be tried again the bridge may just have lost the answer.
      const isPerformed = !failure || (failure.isTemporary && this.random() < 0.5)
      const taken = this.#taken
      if (isPerformed) this.#taken += 1
      const answer = (): void => {
        if (life !== this.#life) {
          if (this.#inFlight.has(key)) sendAgain()
          return
        }
        this.time.after(
          this.#delay(),
          this.#ifCompanion(() => {
            if (!this.#inFlight.delete(key)) return
            const how = failure ? { failure } : { taken }
            if (!failure && event.type === 'RefreshAnswered' && event.kind === 'device_state') {
              this.#hasDumped = true
            }
            this.outlets.post({ ...event, ...how })
          }),
        )
      }
      if (isPerformed) act(answer)
      else answer()
    }
    this.time.after(this.#delay(), this.#ifCompanion(send))
  }

  #refusal(): Failure | undefined {
    const { chance, permanent } = this.refusals
    if (this.random() >= chance) return undefined
    return { condition: '5xx', reason: 'refused', isTemporary: this.random() >= permanent }
  }

  /**
   * Kinder than Asterisk in one thing: that does not name a mailbox over which a peer's count was injected last until its own
   * changes, and a bridge that starts meanwhile has no way to know of it.
   */
  #dump(kind: Kind): StateEntry[] {
    if (kind === 'device_state') {
      const cached = [...this.devices].filter(([id]) => id !== uncachable)
      return cached.map(([id, state]) => deviceOf(id, state))
    }
    return [...this.spool].filter(([, count]) => count > 0).map(([id, count]) => mailbox(id, count))
  }

  #count(id: string, count: number): void {
    this.counts.set(id, count)
    this.#publish({ type: 'state', entry: mailbox(id, count) })
  }

  #publish(published: Published & { type: 'state' }): void {
    this.#enqueue(published.entry.kind, published)
  }

  #enqueue(kind: Kind, published: Published): void {
    if (!this.isUp) return
    this.#queues[kind].push(published)
    this.#drain(kind)
  }

  /** One publish in flight; what nobody answers is dropped or, more often, sent later. */
  #drain(kind: Kind): void {
    const [first] = this.#queues[kind]
    if (!first || this.#isSending[kind]) return
    this.#isSending[kind] = true
    const life = this.#life
    this.time.after(this.#delay(), () => {
      if (life !== this.#life) return
      this.#isSending[kind] = false
      if (this.outlets.isHeard()) {
        this.#queues[kind].shift()
        this.outlets.post(
          first.type === 'fence'
            ? { type: 'FenceReturned', kind, nonce: first.nonce }
            : { type: 'StateReported', entry: first.entry },
        )
        this.#drain(kind)
        return
      }
      if (this.random() < 0.3) this.#queues[kind].shift()
      this.time.after(500, () => {
        if (life === this.#life) this.#drain(kind)
      })
    })
  }

  #found(): void {
    this.outlets.post({ type: 'AsteriskFound' })
  }

  #delay(): number {
    return 0.2 + 2 * this.random()
  }

  #afterDelay(run: () => void): void {
    this.time.after(this.#delay(), this.#ifSame(run))
  }

  /** Does it only in this life and for this bridge. */
  #ifSame(run: () => void): () => void {
    const life = this.#life
    return this.#ifCompanion(() => {
      if (life === this.#life) run()
    })
  }

  #ifCompanion(run: () => void): () => void {
    const companion = this.#companion
    return () => {
      if (companion === this.#companion) run()
    }
  }
}

function isWithdrawal(eid: EntityId, entry: StateEntry): boolean {
  const isCachable = entry.kind === 'message_waiting' || entry.cachable
  return isSameState(entry, withdrawal({ eid, kind: entry.kind, id: entry.id, isCachable }))
}

function deviceOf(id: string, state: DeviceState): DeviceEntry {
  return device(id, state, id !== uncachable)
}
