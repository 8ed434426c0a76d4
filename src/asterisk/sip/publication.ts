/** One publication at Asterisk, as its event publication agent. Source: RFC 3903 section 4. */
import { randomBytes } from 'node:crypto'
import type { Failure } from '../../bridge/events.js'
import type { Clock, Timer } from './clock.js'
import { DigestClient, type Challenge, type Credentials } from './digest.js'
import type { HeaderField, SipResponse } from './message.js'
import { t1Ms, t2Ms, type Outcome } from './transaction.js'

/** A request as the agent sends it; it adds Via, From, To, Max-Forwards and User-Agent. */
export interface OutgoingRequest {
  readonly method: string
  readonly callId: string
  readonly fromTag: string
  readonly sequence: number
  readonly fields: readonly HeaderField[]
  readonly body?: string | undefined
}

export interface PublicationPorts {
  readonly clock: Clock
  /** The request URI, which digest covers. */
  readonly uri: string
  readonly credentials: Credentials
  /** Can a challenge be Asterisk's? No other is answered. */
  readonly isAnswerable?: (challenge: Challenge) => boolean
  /** Is what Asterisk refuses for now to be sent again, as who publishes has nothing newer to send? */
  readonly isPatient?: boolean
  readonly send: (request: OutgoingRequest, onEnd: (outcome: Outcome) => void) => void
}

/** Called once with how it ended: nothing where Asterisk answered 200. */
export type OnPublished = (failure?: Failure) => void

interface Job {
  /** `publish` carries a body; `refresh` and `remove` need an entity tag. */
  readonly kind: 'publish' | 'refresh' | 'remove'
  readonly body?: string
  readonly onEnd: OnPublished
  /** Requests sent for it so far. */
  attempts: number
  /** Did this job already answer a challenge of its own? */
  hasAnswered: boolean
  /** How often it was waited for better times. */
  pauses: number
}

const newJob = { attempts: 0, hasAnswered: false, pauses: 0 } as const

/** Asked for and, without another word from Asterisk, granted. */
export const defaultExpiresSeconds = 3_600

/** What was granted for longer is refreshed daily all the same: a Node timer takes no more than 24 days. */
const longestRefreshSeconds = 86_400

/** A job takes at most: stale nonce, challenge, 412, 423 and a connection that ended, each once, and some to spare. */
const maxAttempts = 6

/**
 * What Asterisk refuses for now is sent again as by timer E, and about as long as until timer F. Where it is overloaded it
 * drops datagrams, and they are sent again like that; by a connection it answers 503.
 */
const mostPauses = 10

/**
 * A publication: an entity tag at Asterisk, one Call-ID, rising CSeq, one request at a time, the rest in order behind.
 * The first body creates it. It is refreshed before it expires, and created anew where Asterisk forgot it (412).
 */
export class Publication {
  private readonly callId = randomBytes(12).toString('hex')
  private readonly fromTag = randomBytes(6).toString('hex')
  private readonly digest: DigestClient
  private readonly queue: Job[] = []
  private current: Job | undefined
  private sequence = 0
  private entityTag: string | undefined
  private askedExpires = defaultExpiresSeconds
  private refreshAtMs = Infinity
  private refreshTimer: Timer | undefined
  /** Runs while the current job waits to be sent again. */
  private pause: { readonly timer: Timer; readonly failure: Failure } | undefined

  constructor(
    private readonly event: string,
    private readonly ports: PublicationPorts,
  ) {
    this.digest = new DigestClient(ports.credentials, ports.isAnswerable)
  }

  /**
   * How many publishes Asterisk had taken before the last one that it took here, since it started: it numbers its entity tags so.
   * Source: Asterisk `res/res_pjsip_pubsub.c`, `esc_etag_counter`.
   */
  get taken(): number | undefined {
    return /^\d{1,10}$/.test(this.entityTag ?? '') ? Number(this.entityTag) : undefined
  }

  /** Sends the body when those before it are answered. */
  publish(body: string, onEnd: OnPublished): void {
    this.enqueue({ ...newJob, kind: 'publish', body, onEnd })
  }

  /** Un-publishes, if Asterisk holds it; ends at once where it does not. */
  remove(onEnd: OnPublished): void {
    this.enqueue({ ...newJob, kind: 'remove', onEnd })
    // It is wanted now, and what waited for a better time not any more.
    if (this.pause) this.endPause(this.pause.failure)
  }

  /** Forgets what Asterisk held, without a word to it: it is gone. What is queued fails with the agent's transaction. */
  reset(failure: Failure): void {
    this.forget()
    this.digest.forget()
    const waiting = this.queue.splice(0)
    this.endPause(failure)
    for (const job of waiting) job.onEnd(failure)
  }

  private enqueue(job: Job): void {
    if (this.current) this.queue.push(job)
    else this.begin(job)
  }

  private begin(job: Job): void {
    this.current = job
    if (job.kind !== 'publish' && this.entityTag === undefined) this.end(job)
    else this.send(job)
  }

  private end(job: Job, failure?: Failure): void {
    this.current = undefined
    // Before the callback: what that publishes comes after what was waiting.
    const next = this.queue.shift()
    if (next) this.begin(next)
    job.onEnd(failure)
  }

  private send(job: Job): void {
    const { uri } = this.ports
    job.attempts++
    const expires = job.kind === 'remove' ? 0 : this.askedExpires
    const fields: HeaderField[] = [
      ['Event', this.event],
      ['Expires', String(expires)],
    ]
    if (this.entityTag !== undefined) fields.push(['SIP-If-Match', this.entityTag])
    const authorization = this.digest.authorize('PUBLISH', uri)
    if (authorization !== undefined) fields.push(['Authorization', authorization])
    if (job.body !== undefined) fields.push(['Content-Type', 'application/json'])
    const { callId, fromTag } = this
    this.sequence++
    const { body } = job
    const request = { method: 'PUBLISH', callId, fromTag, sequence: this.sequence, fields, body }
    this.ports.send(request, (outcome) => this.settle(job, outcome))
  }

  private settle(job: Job, outcome: Outcome): void {
    if (outcome.type === 'timeout') {
      this.end(job, temporary('timeout', 'Asterisk did not answer a PUBLISH within 32 s'))
    } else if (outcome.type === 'disconnected' && job.attempts < maxAttempts) {
      // It may not have come: it is sent again, as a datagram would be, and by now goes as one.
      this.send(job)
    } else if (outcome.type !== 'response') {
      if (job.kind === 'remove') this.forget()
      this.end(job, temporary('asterisk-lost', outcome.reason))
    } else if (outcome.response.status < 300) {
      this.accept(job, outcome.response)
      this.end(job)
    } else {
      this.mend(job, outcome.response)
    }
  }

  private accept(job: Job, { headers }: SipResponse): void {
    if (job.kind === 'remove') {
      this.forget()
      return
    }
    const expires = headers.get('expires') ?? ''
    const granted = /^\d{1,9}$/.test(expires) ? Number(expires) : this.askedExpires
    if (granted === 0) {
      // It was not kept: the next body creates it again, and there is nothing to refresh.
      this.forget()
      return
    }
    const expiresSeconds = Math.min(granted, longestRefreshSeconds)
    this.entityTag = headers.get('sip-etag')
    // Half of a short life, else a minute early: time for a retransmission or two.
    const leadSeconds = Math.min(60, expiresSeconds / 2)
    this.refreshAtMs = this.ports.clock.now() + (expiresSeconds - leadSeconds) * 1_000
    if (!this.refreshTimer) this.awaitRefresh()
  }

  /** One timer a publication: it looks at the deadline when it fires, rather than being set anew by each answer. */
  private awaitRefresh(): void {
    const { clock } = this.ports
    this.refreshTimer = clock.after(Math.max(this.refreshAtMs - clock.now(), 0), () => {
      this.refreshTimer = undefined
      if (this.entityTag === undefined) return
      if (clock.now() < this.refreshAtMs) this.awaitRefresh()
      else this.enqueue({ ...newJob, kind: 'refresh', onEnd: ignore })
    })
  }

  private forget(): void {
    this.entityTag = undefined
    this.refreshTimer?.cancel()
    this.refreshTimer = undefined
  }

  /** What RFC 3903 section 4 and RFC 3261 section 22 say can be mended is sent again; the rest is a failure. */
  private mend(job: Job, response: SipResponse): void {
    const failure = this.failureOf(response)
    if (job.attempts >= maxAttempts) {
      this.end(job, failure)
    } else if (response.status === 412 && this.entityTag !== undefined) {
      this.forget()
      this.begin(job)
    } else if (response.status === 423 && this.lengthen(response)) {
      this.send(job)
    } else if ((response.status === 401 || response.status === 407) && this.answer(job, response)) {
      this.send(job)
    } else if (failure.isTemporary && this.mayPause(job)) {
      this.pauseFor(job, failure)
    } else {
      // It lapses at Asterisk, and the next body creates it again.
      if (job.kind !== 'publish') this.forget()
      this.end(job, failure)
    }
  }

  /** Nothing waits for better times where another waits behind it. */
  private mayPause({ kind, pauses }: Job): boolean {
    const isWanted = this.ports.isPatient === true && kind === 'publish'
    return isWanted && pauses < mostPauses && this.queue.length === 0
  }

  private pauseFor(job: Job, failure: Failure): void {
    const delayMs = Math.min(t1Ms * 2 ** job.pauses, t2Ms)
    job.pauses++
    job.attempts--
    const timer = this.ports.clock.after(delayMs, () => {
      this.pause = undefined
      this.send(job)
    })
    this.pause = { timer, failure }
  }

  /** The job that waits to be sent again is given up. */
  private endPause(failure: Failure): void {
    this.pause?.timer.cancel()
    const job = this.pause && this.current
    this.pause = undefined
    if (job) this.end(job, failure)
  }

  private failureOf(response: SipResponse): Failure {
    const failure = failureOf(response)
    const realm = this.digest.strangeRealm(challengesOf(response))
    if (realm === undefined) return failure
    const reason = `Asterisk asks for a password of the realm '${realm}', in which the bridge shows none`
    return { condition: strangeRealm, reason, isTemporary: false }
  }

  /** Takes Min-Expires, if that is more than was asked for. */
  private lengthen({ headers }: SipResponse): boolean {
    const text = headers.get('min-expires') ?? ''
    const minimum = /^\d{1,9}$/.test(text) ? Number(text) : 0
    if (minimum <= this.askedExpires) return false
    this.askedExpires = minimum
    return true
  }

  /** Is it worth answering the challenge: is it the first for this job, or is only the nonce stale? */
  private answer(job: Job, response: SipResponse): boolean {
    const challenge = this.digest.take(challengesOf(response))
    if (!challenge || (job.hasAnswered && !challenge.isStale)) return false
    job.hasAnswered = true
    return true
  }
}

/** The challenges of a 401 or 407. */
function challengesOf({ status, headers }: SipResponse): string[] {
  return headers.all(status === 401 ? 'www-authenticate' : 'proxy-authenticate')
}

function ignore(): void {
  // A failed refresh needs no care: the publication lapses, and the next body creates it again.
}

/** The condition of a challenge that cannot be Asterisk's. */
export const strangeRealm = 'realm'

function temporary(condition: string, reason: string): Failure {
  return { condition, reason, isTemporary: true }
}

/** Statuses below 500 that the same request may not meet again: timeouts, loops of our own making, 412. */
const temporaryStatuses: ReadonlySet<number> = new Set([408, 412, 480, 481, 486, 491])

/** The failure that a final response is; 5xx pass, 3xx, other 4xx and 6xx do not (RFC 3261 section 21). */
export function failureOf(response: SipResponse): Failure {
  const { status } = response
  const remedy = remedies[status]
  return {
    condition: String(status),
    reason: `Asterisk answered ${status} ${response.reason}${remedy ? `: ${remedy}` : ''}`,
    isTemporary: temporaryStatuses.has(status) || (status >= 500 && status < 600),
  }
}

const remedies: Readonly<Record<number, string>> = {
  401: 'check that asterisk.sip.password is the one of the endpoint in pjsip_hintbridge.conf',
  403: 'check the acl and inbound-publication of pjsip_hintbridge.conf',
  404: 'no inbound-publication of that name: is pjsip_hintbridge.conf included in pjsip.conf?',
  489: 'load res_pjsip_pubsub.so and res_pjsip_publish_asterisk.so',
}
