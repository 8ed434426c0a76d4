/** Non-INVITE transactions. Source: RFC 3261 sections 17.1.2 and 17.2.2. */
import type { Clock, Timer } from './clock.js'
import { topBranch, type SipRequest, type SipResponse } from './message.js'

/** RFC 3261 section 17.1.1.1: the round trip estimate, the longest retransmission interval, 64 × T1. */
export const t1Ms = 500
export const t2Ms = 4_000
export const transactionTimeoutMs = 64 * t1Ms

/**
 * How a client transaction ended: its final response, silence until timer F, or given up with a reason. `disconnected`: the
 * reliable way that it went by has ended, which tells nothing of the other side.
 */
export type Outcome =
  | { readonly type: 'response'; readonly response: SipResponse }
  | { readonly type: 'timeout' }
  | { readonly type: 'disconnected' | 'abandoned'; readonly reason: string }

/** What a request goes out by: a reliable way is not given it again (timer E). */
export interface Way {
  readonly isReliable: boolean
  readonly send: (message: Buffer) => void
}

interface ClientTransaction {
  readonly method: string
  readonly message: Buffer
  readonly way: Way
  readonly onEnd: (outcome: Outcome) => void
  readonly endsAtMs: number
  intervalMs: number
  timer: Timer
}

/**
 * All client transactions under way. One timer each serves E and F. Timer K needs no state: what a server sends again
 * after its final response matches no transaction here and is dropped.
 */
export class ClientTransactions {
  private readonly pending = new Map<string, ClientTransaction>()

  constructor(private readonly clock: Clock) {}

  /** Sends the request and calls `onEnd` exactly once, unless `cancel` comes first. */
  begin(
    request: { readonly branch: string; readonly method: string; readonly message: Buffer },
    way: Way,
    onEnd: (outcome: Outcome) => void,
  ): void {
    const { branch, method, message } = request
    const intervalMs = way.isReliable ? transactionTimeoutMs : t1Ms
    const endsAtMs = this.clock.now() + transactionTimeoutMs
    const timer = this.clock.after(intervalMs, () => this.retransmit(branch))
    this.pending.set(branch, { method, message, way, onEnd, endsAtMs, intervalMs, timer })
    way.send(message)
  }

  /** Takes a response to its transaction; `false` where it belongs to none. */
  receive(response: SipResponse): boolean {
    const branch = topBranch(response.headers)
    const transaction = branch === undefined ? undefined : this.pending.get(branch)
    if (branch === undefined || transaction?.method !== response.sequenceMethod) return false
    if (response.status < 200) {
      transaction.intervalMs = t2Ms
      return true
    }
    this.cancel(branch)
    transaction.onEnd({ type: 'response', response })
    return true
  }

  /** Forgets a transaction without a word. */
  cancel(branch: string): void {
    this.pending.get(branch)?.timer.cancel()
    this.pending.delete(branch)
  }

  /** Ends every transaction under way: the other side is known to be gone. */
  abandonAll(reason: string): void {
    this.endAll({ type: 'abandoned', reason }, () => true)
  }

  /** Ends those that went by this way: it is over. */
  disconnected(by: Way, reason: string): void {
    this.endAll({ type: 'disconnected', reason }, ({ way }) => way === by)
  }

  private endAll(outcome: Outcome, isMeant: (transaction: ClientTransaction) => boolean): void {
    for (const [branch, transaction] of [...this.pending]) {
      // The end of one may have ended others.
      if (!this.pending.has(branch) || !isMeant(transaction)) continue
      this.cancel(branch)
      transaction.onEnd(outcome)
    }
  }

  private retransmit(branch: string): void {
    const transaction = this.pending.get(branch)
    if (!transaction) return
    const { clock } = this
    const leftMs = transaction.endsAtMs - clock.now()
    if (leftMs <= 0) {
      this.cancel(branch)
      transaction.onEnd({ type: 'timeout' })
      return
    }
    transaction.intervalMs = Math.min(transaction.intervalMs * 2, t2Ms)
    const waitMs = Math.min(transaction.intervalMs, leftMs)
    transaction.timer = clock.after(waitMs, () => this.retransmit(branch))
    transaction.way.send(transaction.message)
  }
}

interface Answered {
  readonly datagram: Buffer
  readonly expiresAtMs: number
}

/**
 * The answers given, so that a retransmission is answered alike (timer J). Asterisk has one PUBLISH under way per
 * publisher, so it can only repeat among the latest: the oldest answers go when there are more than `capacity`.
 */
export class ServerTransactions {
  private readonly answers = new Map<string, Answered>()

  constructor(
    private readonly clock: Clock,
    private readonly capacity = 1_024,
  ) {}

  get size(): number {
    return this.answers.size
  }

  /** The answer that the request of that {@link serverKey} got before. */
  answerTo(key: string): Buffer | undefined {
    const answered = this.answers.get(key)
    return answered && answered.expiresAtMs > this.clock.now() ? answered.datagram : undefined
  }

  remember(key: string, datagram: Buffer): void {
    const nowMs = this.clock.now()
    this.answers.delete(key)
    this.answers.set(key, { datagram, expiresAtMs: nowMs + transactionTimeoutMs })
    // Map keeps insertion order: the first are the oldest, so no timer is needed to drop what timer J has ended.
    for (const [oldest, { expiresAtMs }] of this.answers) {
      if (expiresAtMs > nowMs && this.answers.size <= this.capacity) break
      this.answers.delete(oldest)
    }
  }
}

/** The whole topmost Via with Call-ID and CSeq: also right for peers without RFC 3261 branches (section 17.2.3). */
export function serverKey({ headers }: SipRequest): string {
  return `${headers.get('via') ?? ''}\n${headers.get('call-id') ?? ''}\n${headers.get('cseq') ?? ''}`
}
