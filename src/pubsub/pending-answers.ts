import type { Element } from '@xmpp/xml'
import { Disconnected, StanzaError } from '../xmpp/errors.js'

interface Pending {
  readonly resolve: (payload: Element) => void
  readonly reject: (error: Error) => void
}

/** More peers than this do not ask at the same time; the domain itself serves two at a time (rule 15). */
const mostPending = 200

/** Requests of peers that the domain has still to answer, by number. */
export class PendingAnswers {
  private readonly pending = new Map<number, Pending>()
  private last = 0

  /** Takes a request in: its number is given to `ask`, the promise is its answer. */
  open(ask: (request: number) => void): Promise<Element> {
    if (this.pending.size >= mostPending) {
      return Promise.reject(new StanzaError('resource-constraint', 'wait'))
    }
    this.last += 1
    const request = this.last
    return new Promise((resolve, reject) => {
      this.pending.set(request, { resolve, reject })
      ask(request)
    })
  }

  answer(request: number, payload: Element): void {
    this.take(request)?.resolve(payload)
  }

  refuse(request: number, condition: 'forbidden' | 'resource-constraint'): void {
    // RFC 6120 §8.3.2: `wait` lets the other try again later.
    this.take(request)?.reject(
      new StanzaError(condition, condition === 'forbidden' ? 'auth' : 'wait'),
    )
  }

  /** That request stays without an answer; RFC 6120 §8.2.3 wants one, which a flood of requests does not get. */
  disregard(request: number): void {
    this.take(request)
  }

  /** The stream has ended, and with it all ways to answer. */
  clear(): void {
    for (const { reject } of this.pending.values()) reject(new Disconnected('the stream ended'))
    this.pending.clear()
  }

  private take(request: number): Pending | undefined {
    const pending = this.pending.get(request)
    this.pending.delete(request)
    return pending
  }
}
