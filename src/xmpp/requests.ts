import { randomBytes } from 'node:crypto'
import type { Element } from '@xmpp/xml'
import { Disconnected, RequestTimeout, StanzaError } from './errors.js'
import { bareJid, domainOf, isSameJid } from './jid.js'

/** A timer that comes later than this shows that the process stood still: the answer may wait in the socket, ms. */
const stallMs = 1_000

interface Pending {
  readonly to: string
  readonly timeoutMs: number
  /** When its timer should run, by `performance.now()`; `Infinity` once it has been put off. */
  dueMs: number
  timer: NodeJS.Timeout
  readonly resolve: (answer: Element) => void
  readonly reject: (error: Error) => void
}

/** The IQs of one stream that wait for their answers (RFC 6120 §8.2.3). */
export class PendingRequests {
  private readonly pending = new Map<string, Pending>()
  private readonly prefix = randomBytes(9).toString('base64url')
  private count = 0

  /** An id that nobody else can guess. */
  nextId(): string {
    this.count += 1
    return `${this.prefix}-${this.count}`
  }

  /** Waits for the answer from `to`; the time runs from this call, whenever the request is written. */
  await(id: string, to: string, timeoutMs: number): Promise<Element> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.expire(id), timeoutMs)
      const dueMs = performance.now() + timeoutMs
      this.pending.set(id, { to, timeoutMs, dueMs, timer, resolve, reject })
    })
  }

  /** Takes an IQ result or error; `ownJid` is the full JID of the stream. Answers of others than were asked are dropped. */
  settle(answer: Element, ownJid: string): void {
    const id = answer.attrs['id'] ?? ''
    const request = this.pending.get(id)
    if (request === undefined || !isAnswerer(answer.attrs['from'], request.to, ownJid)) return
    this.take(id)
    if (answer.attrs['type'] === 'result') request.resolve(answer)
    else request.reject(StanzaError.fromStanza(answer))
  }

  /** Is an answer of that id waited for? */
  isPending(id: string): boolean {
    return this.pending.has(id)
  }

  /** Fails one request, as it could not be written or its answer not be read. */
  fail(id: string, error: Error): void {
    this.take(id)?.reject(error)
  }

  /** Fails all of them, as the stream has ended. */
  rejectAll(reason: string): void {
    for (const id of [...this.pending.keys()]) this.fail(id, new Disconnected(reason))
  }

  /** After a stall timers run before the sockets are read: what came meanwhile is read first, once. */
  private expire(id: string): void {
    const request = this.pending.get(id)
    if (request === undefined) return
    if (performance.now() - request.dueMs > stallMs) {
      request.dueMs = Infinity
      request.timer = setTimeout(() => this.expire(id), stallMs)
      return
    }
    this.fail(id, new RequestTimeout(request.to, request.timeoutMs))
  }

  private take(id: string): Pending | undefined {
    const request = this.pending.get(id)
    if (request === undefined) return undefined
    clearTimeout(request.timer)
    this.pending.delete(id)
    return request
  }
}

/** RFC 6120 §8.1.2.1: without `from` it is the own account's server that answers, for the account or for itself. */
function isAnswerer(from: string | undefined, to: string, ownJid: string): boolean {
  if (from !== undefined) return isSameJid(from, to)
  return isSameJid(to, bareJid(ownJid)) || isSameJid(to, domainOf(ownJid))
}
