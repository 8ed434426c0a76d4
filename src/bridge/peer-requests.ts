/** What trusted members ask of this one: its status, and its table page by page. */
import { type Context, bareJid, count, refused } from './context.js'
import type { PageQuery, Status } from './messages.js'
import type { SnapshotServer } from './snapshot-server.js'
import { Tally } from './tally.js'

export interface PeerRequestsOutlets {
  status(): Status
  /** This member left its EID to another. */
  hasYielded(): boolean
  /** Octets a second that the server takes of this member. */
  paceOctets(): number
  /** Another account, with the own EID as its resource, has asked. */
  onNamesake(from: string): void
  /** A page is asked for. */
  onPage(): void
}

export class PeerRequests {
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
    if (!this.snapshot.admit(from, this.context.nowMs, this.outlets.paceOctets())) {
      this.context.emit({ to: 'cluster', do: 'refuse', request, condition: 'resource-constraint' })
      return
    }
    const page = { ...status, ...this.snapshot.page(from, query) }
    if (page.isLast) this.snapshot.dismiss(from)
    this.context.emit({ to: 'cluster', do: 'answerPage', request, page })
  }

  /** To those that took it in, a member that left its EID to another is leaving. */
  get #status(): Status {
    const status = this.outlets.status()
    return this.outlets.hasYielded() ? { ...status, phase: 'leaving' } : status
  }

  /** Only members may ask. */
  #admits(request: number, from: string): boolean {
    if (this.context.settings.isTrusted(bareJid(from))) return true
    count(this.context, 'refused_requests', { reason: 'trust does not name the JID' })
    refused(this.context, { what: 'request', from, reason: 'trust does not name the JID' })
    this.#strangers.note({ from })
    this.context.emit({ to: 'cluster', do: 'refuse', request, condition: 'forbidden' })
    return false
  }
}
