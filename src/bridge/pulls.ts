/** Pulls snapshots from the peers, one at a time; the others wait (rules 14 to 16). */
import type { Context } from './context.js'
import type { Failure } from './events.js'
import { type Page, maxEntries } from './messages.js'
import type { Peer } from './peer.js'

const restartMs = 200
const busyMs = 300
/** A page that did not come in time is asked for at this share of its size … */
const lostShare = 4
/** … but not smaller than so many entries, for then it is not the size. */
const leastEntries = 4

export interface PullsOutlets {
  /** Pulls have begun, or there is none any more. */
  onBusy(isBusy: boolean): void
  /** The peer answered; `false` where it must not be believed, left, or is not ready. */
  onPage(peer: Peer, from: string, page: Page): boolean
  onComplete(peer: Peer): void
  /** A page did not come, or could not be taken; not where it has to wait for its turn. */
  onMissed(peer: Peer): void
  /** A page did not come in time: it may be on its way over a slow link, which an answer to a short question tells. */
  onLate(peer: Peer): void
  onUnanswered(peer: Peer, failure: Failure): void
}

export class Pulls {
  readonly #waiting = new Set<Peer>()
  #active: { readonly peer: Peer; token: number } | undefined
  #token = 0
  #isBusy = false
  /** How many entries a page from that peer may have, where the way to it is slow (rule 14). */
  readonly #sizes = new WeakMap<Peer, number>()

  constructor(
    private readonly context: Context,
    private readonly outlets: PullsOutlets,
  ) {}

  /** Pulls that peer's snapshot as soon as it is its turn. */
  request(peer: Peer): void {
    peer.isSynced = false
    this.context.agenda.cancel(timer(peer))
    if (this.#active?.peer === peer) return
    this.#waiting.add(peer)
    this.#next()
  }

  /** A batch is missing: what is being pulled from that peer starts again, or is pulled. */
  restart(peer: Peer): void {
    if (this.#active?.peer === peer) this.#leaveActive()
    this.request(peer)
  }

  #requestLater(peer: Peer, delayMs: number): void {
    peer.isSynced = false
    const atMs = this.context.nowMs + delayMs * (1 + this.context.random())
    this.context.agenda.set(timer(peer), atMs, () => this.request(peer))
  }

  cancel(peer: Peer): void {
    this.#waiting.delete(peer)
    this.context.agenda.cancel(timer(peer))
    if (this.#active?.peer !== peer) return
    this.#leaveActive()
    this.#next()
  }

  pageReceived(token: number, from: string, page: Page): void {
    const peer = this.#take(token)
    if (!peer) return
    if (!this.outlets.onPage(peer, from, page)) {
      // Unless it has been refused, or has left.
      if (this.#active?.peer === peer) {
        this.outlets.onMissed(peer)
        this.#leaveActive()
      }
      this.#next()
      return
    }
    this.#grow(peer, page)
    switch (peer.replica.takePage(page)) {
      case 'more':
        this.#ask(peer)
        return
      case 'done':
        this.#active = undefined
        this.outlets.onComplete(peer)
        break
      case 'restart':
        this.#leaveActive()
        this.outlets.onMissed(peer)
        this.#requestLater(peer, restartMs)
        break
    }
    this.#next()
  }

  failed(token: number, failure: Failure): void {
    const peer = this.#take(token)
    if (!peer) return
    this.#leaveActive()
    switch (failure.condition) {
      case 'timeout':
        this.#shrink(peer)
        this.outlets.onMissed(peer)
        this.outlets.onLate(peer)
        break
      case 'resource-constraint':
        this.#requestLater(peer, busyMs)
        break
      case 'disconnected':
        break
      default:
        this.outlets.onMissed(peer)
        this.outlets.onUnanswered(peer, failure)
    }
    this.#next()
  }

  /** The stream is down: no answer will come. */
  reset(): void {
    this.#waiting.clear()
    this.#leaveActive()
    this.#next()
  }

  #shrink(peer: Peer): void {
    const size = this.#sizes.get(peer) ?? maxEntries
    this.#sizes.set(peer, Math.max(leastEntries, Math.floor(size / lostShare)))
  }

  /** A full page came in time: the next may be larger by half. */
  #grow(peer: Peer, { entries }: Page): void {
    const size = this.#sizes.get(peer)
    if (size === undefined || entries.length < size) return
    this.#sizes.set(peer, Math.min(maxEntries, Math.ceil(size * 1.5)))
  }

  #take(token: number): Peer | undefined {
    return this.#active?.token === token ? this.#active.peer : undefined
  }

  #leaveActive(): void {
    this.#active?.peer.replica.abandonPull()
    this.#active = undefined
  }

  #next(): void {
    if (this.#active) return
    for (const peer of this.#waiting) {
      this.#waiting.delete(peer)
      peer.replica.beginPull()
      this.#ask(peer)
      this.#tellBusy(true)
      return
    }
    this.#tellBusy(false)
  }

  #tellBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return
    this.#isBusy = isBusy
    this.outlets.onBusy(isBusy)
  }

  #ask(peer: Peer): void {
    this.#token += 1
    this.#active = { peer, token: this.#token }
    const max = this.#sizes.get(peer) ?? maxEntries
    const query = { ...peer.replica.nextQuery, max }
    this.context.emit({ to: 'cluster', do: 'pull', jid: peer.item.jid, query, token: this.#token })
  }
}

function timer(peer: Peer): string {
  return `pull:${peer.jid}`
}
