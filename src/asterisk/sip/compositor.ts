/** What Asterisk publishes to us, as its event state compositor. Source: RFC 3903 section 6. */
import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.js'
import type { Answer, SipRequest } from './message.js'
import { defaultExpiresSeconds } from './publication.js'

/** Asterisk's bodies have some 150 octets, 2 KiB at the very most. */
export const maxBodyOctets = 8_192
const maxExpiresSeconds = 86_400
const maxEntityTags = 64

/** Refused, and why: the label of the counter. */
export interface Refusal extends Answer {
  readonly refused: string
}

interface Kept {
  readonly event: string
  readonly callId: string
  readonly expiresAtMs: number
  /** When its publisher last showed credentials. */
  readonly provenAtMs: number
}

/**
 * How long an entity tag stands for the credentials of whoever it was given to. Not for long: an answer that was on its way when
 * Asterisk ended may have come to whoever took its port.
 */
export const proofLifetimeMs = 10_000

export interface CompositorPorts {
  readonly clock: Clock
  /** The event packages taken. */
  readonly events: readonly string[]
  /** Judges and takes one body. */
  readonly receive: (event: string, body: string) => Answer | Refusal
  /** For fresh entity tags; 96 random bits by default. */
  readonly makeEntityTag?: () => string
}

/** Entity tags of the publications that Asterisk has here. Their bodies are events and are not kept. */
export class Compositor {
  private readonly publications = new Map<string, Kept>()
  private readonly makeEntityTag: () => string

  constructor(private readonly ports: CompositorPorts) {
    this.makeEntityTag = ports.makeEntityTag ?? entityTagMaker()
  }

  /**
   * Does the request name the entity tag that its publisher got after it had shown credentials, seconds ago at most?
   * Asterisk never shows them unasked: a challenge to each PUBLISH would double its cost. The tag is random, serves once,
   * and nobody but the publisher has seen it.
   */
  isProven(request: SipRequest): boolean {
    return this.provenAt(request) !== undefined
  }

  private provenAt({ headers }: SipRequest): number | undefined {
    const kept = this.publications.get(headers.get('sip-if-match') ?? '')
    if (!kept || kept.callId !== headers.get('call-id')) return undefined
    const isYoung = this.ports.clock.now() - kept.provenAtMs < proofLifetimeMs
    return isYoung ? kept.provenAtMs : undefined
  }

  /** Whoever is there next has to show credentials, and begins anew. */
  forget(): void {
    this.publications.clear()
  }

  /** Answers a PUBLISH whose sender has been authenticated, or is proven. */
  publish(request: SipRequest): Answer | Refusal {
    const { headers } = request
    const event = headers.get('event')?.split(';', 1)[0]?.trim() ?? ''
    if (!this.ports.events.includes(event)) {
      return refusal(489, 'event', ['Allow-Events', this.ports.events.join(', ')])
    }
    const expires = headers.get('expires') ?? String(defaultExpiresSeconds)
    if (!/^\d{1,10}$/.test(expires)) return refusal(400, 'expires')
    const entityTag = headers.get('sip-if-match')
    if (entityTag !== undefined && !this.isKept(entityTag, event)) return { status: 412 }
    const verdict = this.receiveBody(request, event, entityTag === undefined)
    if ('refused' in verdict || verdict.status >= 300) return verdict
    const nowMs = this.ports.clock.now()
    const provenAtMs = this.provenAt(request) ?? nowMs
    if (entityTag !== undefined) this.publications.delete(entityTag)
    const callId = headers.get('call-id') ?? ''
    const expiresSeconds = Math.min(Number(expires), maxExpiresSeconds)
    const expiresAtMs = nowMs + expiresSeconds * 1_000
    const fields = this.keep({ event, callId, expiresAtMs, provenAtMs }, expiresSeconds)
    return { status: verdict.status, fields, onSent: verdict.onSent }
  }

  private isKept(entityTag: string, event: string): boolean {
    const kept = this.publications.get(entityTag)
    return kept?.event === event && kept.expiresAtMs > this.ports.clock.now()
  }

  private receiveBody(request: SipRequest, event: string, isInitial: boolean): Answer | Refusal {
    const { headers, body } = request
    if (body.length === 0) return isInitial ? refusal(400, 'body') : { status: 200 }
    if (body.length > maxBodyOctets) return refusal(413, 'oversize')
    const contentType = headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
    if (contentType !== 'application/json' || headers.get('content-encoding') !== undefined) {
      return refusal(415, 'content-type', ['Accept', 'application/json'])
    }
    if (!isUtf8(body)) return refusal(400, 'body')
    return this.ports.receive(event, body.toString())
  }

  /** Every answer carries a fresh entity tag; any expiry is granted, so that 423 is never needed (rule 6). */
  private keep(kept: Kept, expiresSeconds: number): NonNullable<Answer['fields']> {
    const entityTag = this.makeEntityTag()
    if (expiresSeconds > 0) this.publications.set(entityTag, kept)
    if (this.publications.size > maxEntityTags) {
      const [oldest] = this.publications.keys()
      if (oldest !== undefined) this.publications.delete(oldest)
    }
    return [
      ['SIP-ETag', entityTag],
      ['Expires', String(expiresSeconds)],
    ]
  }
}

const entityTagOctets = 12
const tagsAtATime = 256

/** Random octets are drawn for many entity tags at once: a call for each took longer than the rest of a PUBLISH. */
function entityTagMaker(): () => string {
  let octets = Buffer.alloc(0)
  let at = 0
  return () => {
    if (at === octets.length) {
      octets = randomBytes(entityTagOctets * tagsAtATime)
      at = 0
    }
    at += entityTagOctets
    return octets.toString('hex', at - entityTagOctets, at)
  }
}

/** An answer that refuses a PUBLISH, with the reason under which it is counted. */
export function refusal(
  status: number,
  refused: string,
  ...fields: NonNullable<Answer['fields']>
): Refusal {
  return { status, refused, fields }
}
