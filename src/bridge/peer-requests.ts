/** What trusted members ask of this one: its status, and its table page by page; of each only so often. */
import { type Context, bareJid, count, refused } from './context.js'
import type { PageQuery, Status } from './messages.js'
import { Patience } from './patience.js'
import type { SnapshotServer } from './snapshot-server.js'
import { Tally } from './tally.js'

export interface PeerRequestsOutlets {
  status(): Status
  /** This member left its EID to another. */
  hasYielded(): boolean
  /** Octets a second that the server takes of this member. */
  paceOctets(): number
  /** A trusted account asks. */
  onTrusted(from: string): void
  /** Another account, with the own EID as its resource, has asked. */
  onNamesake(from: string): void
  /** A page is asked for. */
  onPage(): void
}

/** Questions and presences of one member: a pull of 100,000 states asks for 200 pages and more. */
const allowance = { perSecond: 50, atOnce: 400 }

export class PeerRequests {
  readonly #patience = new Patience(allowance)
  readonly #strangers: Tally

  constructor(
    private readonly context: Context,
    private readonly snapshot: SnapshotServer,
    private readonly outlets: PeerRequestsOutlets,
  ) {
    this.#strangers = new Tally(context, 'request of a stranger refused')
  }

  serveStatus(request: number, from: string): void {
    if (!this.#admits(request, from)) return
    const { jid, eid } = this.context.settings
    if (from.endsWith(`/${eid}`) && bareJid(from) !== jid) this.outlets.onNamesake(from)
    this.context.emit({ to: 'cluster', do: 'answerStatus', request, status: this.#status })
  }

  servePage(request: number, from: string, query: PageQuery): void {
    if (!this.#admits(request, from)) return
    this.outlets.onPage()
    const status = this.#status
    if (status.phase !== 'ready') {
      const page = { ...status, entries: [], isLast: true }
      this.context.emit({ to: 'cluster', do: 'answerPage', request, page })
      return
    }
    const { nowMs } = this.context
    const part = this.snapshot.page(bareJid(from), query, nowMs, this.outlets.paceOctets())
    if (!part) {
      this.context.emit({ to: 'cluster', do: 'refuse', request, condition: 'resource-constraint' })
      return
    }
    const page = { ...status, ...part }
    this.context.emit({ to: 'cluster', do: 'answerPage', request, page })
  }

  /** Has that member asked and shown presence no more than it may? This counts as once more. */
  hasPatience(from: string): boolean {
    const { nowMs } = this.context
    const member = bareJid(from)
    if (this.#patience.has(member, nowMs)) {
      this.#patience.spend(member, nowMs, 1)
      return true
    }
    count(this.context, 'refused_requests', { reason: 'it asks too often' })
    refused(this.context, { what: 'request', from, reason: 'it asks too often' })
    return false
  }

  /** To those that took it in, a member that left its EID to another is leaving. */
  get #status(): Status {
    const status = this.outlets.status()
    return this.outlets.hasYielded() ? { ...status, phase: 'leaving' } : status
  }

  /** Only members may ask. */
  #admits(request: number, from: string): boolean {
    if (this.context.settings.isTrusted(bareJid(from))) {
      if (this.hasPatience(from)) {
        this.outlets.onTrusted(from)
        return true
      }
      this.context.emit({ to: 'cluster', do: 'disregard', request })
      return false
    }
    count(this.context, 'refused_requests', { reason: 'trust does not name the JID' })
    refused(this.context, { what: 'request', from, reason: 'trust does not name the JID' })
    this.#strangers.note({ from })
    this.context.emit({ to: 'cluster', do: 'refuse', request, condition: 'forbidden' })
    return false
  }
}
