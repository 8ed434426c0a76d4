/** What Asterisk asks of us: OPTIONS, and PUBLISH checked and turned into the domain's events (rules 4 and 6). */
import type { Refused } from '../../bridge/commands.js'
import type { AsteriskEvent } from '../../bridge/events.js'
import { kinds, type Kind } from '../../bridge/state.js'
import {
  BodyError,
  decodeBody,
  eventPackages,
  fenceNonce,
  proofNonce,
  type AsteriskBody,
} from './body.js'
import type { Clock } from './clock.js'
import { Compositor, refusal, type Refusal } from './compositor.js'
import { DigestServer } from './digest.js'
import type { ForeignEntityId } from './foreign-entity-id.js'
import type { Identity } from './identity.js'
import type { Answer, SipRequest } from './message.js'
import type { OwnUri } from './own-uri.js'

/** The part of a pino logger that the edge uses. */
export interface EdgeLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Adds to a counter of the metrics. */
export type Count = (
  counter: string,
  labels?: Readonly<Record<string, string>>,
  by?: number,
) => void

export interface InboundPorts {
  readonly clock: Clock
  readonly resource: string
  /** What Asterisk is to show, in which realm. */
  readonly secret: { readonly realm: string; readonly password: string }
  readonly ownUri: OwnUri
  readonly identity: Identity
  readonly foreign: Pick<ForeignEntityId, 'heardForeign' | 'heardOwn'>
  /** Asterisk has said something under its own EID, with its credentials; before that is posted. */
  readonly onProven: (kind: Kind) => void
  /** What the edge sent for itself came back. */
  readonly onProofReturned: (nonce: number) => void
  readonly post: (event: AsteriskEvent) => void
  readonly log: EdgeLog
  readonly count: Count
  /** Told of each PUBLISH that is refused. */
  readonly refused?: (refused: Refused) => void
}

const methods = 'OPTIONS, PUBLISH'
/** What follows the last one within this time is part of a burst, ms. */
const burstMs = 5
const packages: ReadonlyMap<string, Kind> = new Map(
  kinds.map((kind) => [eventPackages[kind], kind]),
)

/** Answers Asterisk's requests; its `answer` goes to the agent. */
export class Inbound {
  private readonly digest: DigestServer
  private readonly compositor: Compositor
  /** The bridge's endpoint is a device of Asterisk too, and none to share. */
  private readonly ownDevice: string
  private toldMs = -Infinity

  constructor(private readonly ports: InboundPorts) {
    const { clock, resource, secret } = ports
    this.ownDevice = `PJSIP/${resource}`
    this.digest = new DigestServer({ ...secret, user: resource, clock })
    this.compositor = new Compositor({
      clock,
      events: [...packages.keys()],
      receive: (event, body) => this.receive(event, body),
    })
  }

  /** Was that nonce given to Asterisk? Nobody who challenges the bridge can have it but from there. */
  hasGiven(nonce: string): boolean {
    return this.digest.hasGiven(nonce)
  }

  /** Nothing that was shown before stands for credentials any more: another may have Asterisk's port by now. */
  forget(): void {
    this.digest.forget()
    this.compositor.forget()
  }

  /** Answers one request that is no retransmission. */
  answer(request: SipRequest): Answer {
    const required = request.headers.get('require')
    if (required !== undefined) return { status: 420, fields: [['Unsupported', required]] }
    if (request.method === 'OPTIONS') return { status: 200, fields: capabilities }
    if (request.method === 'CANCEL') return { status: 481 }
    if (request.method !== 'PUBLISH') return { status: 405, fields: [['Allow', methods]] }
    const answer = this.publish(request)
    if ('refused' in answer) {
      this.ports.count('refused_publishes', { reason: answer.refused })
      const remedy = remedies[answer.refused]
      this.ports.refused?.({
        what: 'PUBLISH',
        from: 'Asterisk',
        reason: `${answer.status} ${answer.refused}${remedy === undefined ? '' : `: ${remedy}`}`,
      })
      this.ports.log.warn(
        { status: answer.status, reason: answer.refused, ...(remedy !== undefined && { remedy }) },
        'refused a PUBLISH of Asterisk',
      )
    }
    return answer
  }

  private publish(request: SipRequest): Answer | Refusal {
    // First, for what another resource is asked is nothing to give a nonce for.
    if (!this.ports.ownUri.names(request.uri)) return refusal(404, 'uri')
    return (
      (this.compositor.isProven(request) ? undefined : this.checkCredentials(request)) ??
      this.compositor.publish(request)
    )
  }

  private checkCredentials({ method, uri, headers }: SipRequest): Answer | Refusal | undefined {
    const callId = headers.get('call-id') ?? ''
    const verdict = this.digest.judge({ method, uri, callId }, headers.all('authorization'))
    if (verdict.type === 'accepted') return undefined
    if (verdict.type === 'refused') return refusal(403, 'credentials')
    const fields = verdict.values.map((value) => ['WWW-Authenticate', value] as const)
    return verdict.isWrong ? refusal(401, 'credentials', ...fields) : { status: 401, fields }
  }

  private receive(event: string, text: string): Answer | Refusal {
    const kind = packages.get(event)
    if (!kind) return refusal(489, 'event')
    let body: AsteriskBody
    try {
      body = decodeBody(kind, text)
    } catch (error) {
      if (error instanceof BodyError) return refusal(400, error.reason)
      throw error
    }
    if (!this.ports.identity.isOwn(body.eid)) {
      this.ports.foreign.heardForeign(body.eid)
      return refusal(403, 'foreign-eid')
    }
    this.ports.foreign.heardOwn()
    this.ports.onProven(kind)
    const told = this.eventOf(kind, body)
    return told ? this.tell(told) : { status: 200 }
  }

  /**
   * At rest what Asterisk says goes on its way before Asterisk is answered; in a burst Asterisk, which says the next thing
   * only then, is answered first.
   */
  private tell(event: AsteriskEvent): Answer {
    const { clock, post } = this.ports
    const nowMs = clock.now()
    const isBurst = nowMs - this.toldMs < burstMs
    this.toldMs = nowMs
    if (isBurst) return { status: 200, onSent: () => post(event) }
    post(event)
    return { status: 200 }
  }

  private eventOf(kind: Kind, { entry }: AsteriskBody): AsteriskEvent | undefined {
    if (!entry) return { type: 'RefreshRequested', kind }
    const proof = proofNonce(entry)
    if (proof !== undefined) {
      this.ports.onProofReturned(proof)
      return undefined
    }
    const nonce = fenceNonce(entry)
    if (nonce !== undefined) {
      return Number.isNaN(nonce) ? undefined : { type: 'FenceReturned', kind, nonce }
    }
    if (entry.kind === 'device_state' && entry.id === this.ownDevice) return undefined
    return { type: 'StateReported', entry }
  }
}

/** What the administrator can do about a refusal. */
const remedies: Readonly<Record<string, string>> = {
  credentials:
    "give asterisk.sip and the outbound_auth of pjsip_hintbridge.conf the same password: 'hintbridge init --renew-sip' does",
  uri: 'give server_uri of pjsip_hintbridge.conf the name asterisk.sip.resource and the address asterisk.sip.listen',
  'foreign-eid': 'give asterisk.eid and entityid of asterisk.conf the same EID, or leave both out',
}

const capabilities: NonNullable<Answer['fields']> = [
  ['Allow', methods],
  ['Accept', 'application/json'],
  ['Allow-Events', [...packages.keys()].join(', ')],
]
