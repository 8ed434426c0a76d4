/**
 * The own retained nodes, written behind: what any XMPP client can inspect, one item per device or mailbox (rule 26).
 * Bridges do not depend on it for device states, so it yields: one write at a time, then a rest.
 */
import type { Context } from './context.js'
import { health } from './context.js'
import type { Failure } from './events.js'
import type { Key, Kind, StateEntry } from './state.js'
import { idOfKey, isSameState, keyOf, kindOfKey, kinds } from './state.js'

const retryMs = 1_000
const maxRestMs = 5_000
/** A change is on its way to the peers first: on a server with one thread they would wait for this write. */
const behindMs = 100
const leastRestMs = 20
/**
 * While states pass between the members, and in a large cluster, where those of others may pass at any time, all windows
 * together take some fifth of the server's time, not most of it.
 */
const yieldingFactor = 4
const busyMs = 1_000

export class Window {
  /** Message counts first: a joiner reads those of an absent member there (rule 22). */
  readonly #dirty = { message_waiting: new Set<Key>(), device_state: new Set<Key>() }
  #isOpen = false
  #writing: Key | undefined
  #writingSinceMs = 0
  #itemCap = Infinity
  #busyUntilMs = -Infinity

  constructor(
    private readonly context: Context,
    private readonly table: ReadonlyMap<Key, StateEntry>,
    /** How many members share the server. */
    private readonly memberCount: () => number,
    private readonly onNodeLost: () => void,
  ) {}

  /** How many items wait to be written. */
  get pendingCount(): number {
    return this.#dirty.message_waiting.size + this.#dirty.device_state.size
  }

  /** States pass between the members: on a server with one thread they wait for whatever is written here. */
  giveWay(): void {
    this.#busyUntilMs = this.context.nowMs + busyMs
  }

  change(kind: Kind, id: string): void {
    this.giveWay()
    this.#dirty[kind].add(keyOf(kind, id))
    const isAtRest = this.#writing === undefined && !this.context.agenda.has('window-rest')
    if (this.#isOpen && isAtRest) this.#rest(behindMs)
  }

  /** The nodes exist and keep at most `itemCap` items each; what they hold is compared with the table. */
  open(itemCap: number): void {
    this.#itemCap = itemCap
    if (this.#isOpen) return
    this.#isOpen = true
    this.#audit()
    this.#pump()
  }

  close(): void {
    this.#isOpen = false
    if (this.#writing !== undefined) this.#mark(this.#writing)
    this.#writing = undefined
    for (const timer of ['window-rest', 'window-audit']) this.context.agenda.cancel(timer)
  }

  /** Compares what the own node of that kind holds with the table. */
  read(kind: Kind, entries: readonly StateEntry[], broken: readonly string[]): void {
    const found = new Set<Key>()
    for (const entry of entries) {
      const key = keyOf(kind, entry.id)
      found.add(key)
      const wanted = this.table.get(key)
      if (!wanted || !isSameState(wanted, entry)) this.#mark(key)
    }
    for (const id of broken) this.#dirty[kind].add(keyOf(kind, id))
    const wanted = [...this.table.values()].filter((entry) => entry.kind === kind)
    // Beyond the cap the server evicts an item for each that is written: only changes are worth it.
    if (wanted.length <= this.#itemCap) {
      for (const { id } of wanted) {
        const key = keyOf(kind, id)
        if (!found.has(key)) this.#mark(key)
      }
    }
    this.#pump()
  }

  /** The own node could not be read: it is tried again soon. */
  unread(): void {
    if (this.#isOpen) this.#auditAfter(retryMs)
  }

  written(): void {
    const tookMs = this.context.nowMs - this.#writingSinceMs
    this.#writing = undefined
    health(this.context, 'window', 'warning')
    const restMs = Math.max(tookMs * (1 + this.memberCount()) * this.#factor, leastRestMs)
    this.#rest(Math.min(restMs, maxRestMs))
  }

  get #factor(): number {
    const isBusy = this.context.nowMs < this.#busyUntilMs
    return isBusy ? yieldingFactor : Math.min(Math.max(this.memberCount() / 2, 1), yieldingFactor)
  }

  failed(failure: Failure): void {
    const key = this.#writing
    this.#writing = undefined
    if (key === undefined) return
    if (failure.condition === 'disconnected') {
      this.#mark(key)
      return
    }
    const isRetraction = !this.table.has(key)
    if (failure.condition === 'item-not-found' && isRetraction) {
      this.#rest(0)
      return
    }
    health(
      this.context,
      'window',
      'warning',
      `failed to write to the own retained node: ${failure.reason}`,
    )
    if (failure.condition === 'item-not-found') this.onNodeLost()
    if (failure.isTemporary || failure.condition === 'item-not-found') this.#mark(key)
    this.#rest(retryMs)
  }

  #audit(): void {
    const { jid: member, service, eid } = this.context.settings
    for (const kind of kinds) {
      this.context.emit({ to: 'cluster', do: 'readWindow', member, service, eid, kind })
    }
    this.#auditAfter(this.context.settings.liveness.auditMs)
  }

  #auditAfter(delayMs: number): void {
    this.context.agenda.set('window-audit', this.context.nowMs + delayMs, () => this.#audit())
  }

  #mark(key: Key): void {
    this.#dirty[kindOfKey(key)].add(key)
  }

  #next(): Key | undefined {
    for (const keys of Object.values(this.#dirty)) {
      for (const key of keys) {
        keys.delete(key)
        return key
      }
    }
    return undefined
  }

  #rest(restMs: number): void {
    this.context.agenda.set('window-rest', this.context.nowMs + restMs, () => this.#pump())
  }

  #pump(): void {
    if (!this.#isOpen || this.#writing !== undefined || this.context.agenda.has('window-rest')) {
      return
    }
    const key = this.#next()
    if (key === undefined) return
    this.#writing = key
    this.#writingSinceMs = this.context.nowMs
    const entry = this.table.get(key)
    if (entry) {
      this.context.emit({ to: 'cluster', do: 'writeWindow', entry })
    } else {
      const [kind, id] = [kindOfKey(key), idOfKey(key)]
      this.context.emit({ to: 'cluster', do: 'retractWindow', kind, id })
    }
  }
}
