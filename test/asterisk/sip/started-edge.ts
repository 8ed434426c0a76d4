import type { AsteriskEvent } from '../../../src/bridge/events.js'
import { DigestClient } from '../../../src/asterisk/sip/digest.js'
import { SipEdge, type SipEdgeOptions } from '../../../src/asterisk/sip/edge.js'
import type { SipMessage, SipResponse } from '../../../src/asterisk/sip/message.js'
import {
  FakeClock,
  FakeStream,
  FakeTransport,
  ownEid,
  publishOf,
  type PublishOptions,
} from './support.js'

/** What the two sides show each other. */
export const secrets = {
  toBridge: { realm: 'hintbridge', password: 'of-asterisk' },
  toAsterisk: { realm: 'hintbridge-asterisk', password: 'secret' },
} as const

/** Where Asterisk publishes to. */
export const uri = 'sip:hintbridge@127.0.0.1:5070'

/**
 * Returns what the edge sends for itself, with credentials, as Asterisk does; tests do not see any of that. It can be made mute, or
 * without the password.
 */
export class ProvingAsterisk {
  isMute = false
  /** By the connection alone. */
  isMuteByConnection = false
  private readonly digest = new DigestClient({
    user: 'hintbridge',
    password: secrets.toBridge.password,
  })
  private serial = 0
  private returning: { readonly body: string; readonly event: string } | undefined

  constructor(
    private readonly wire: FakeTransport,
    stream: FakeStream,
  ) {
    for (const way of [wire, stream]) {
      way.intercept = (message) => this.takes(message, way)
    }
  }

  private takes(message: SipMessage, way: FakeTransport | FakeStream): boolean {
    if (message.type === 'response') return this.takesAnswer(message)
    const body = message.body.toString()
    const isProof = /hintbridge:fence-proof|hintbridge@fence.*"new":[12]\d{9}\b/.test(body)
    const isItsEnd = message.headers.get('sip-if-match')?.startsWith('proof-') === true
    if (message.method !== 'PUBLISH' || !(isProof || isItsEnd)) return false
    if (this.isMute || (this.isMuteByConnection && way !== this.wire)) return true
    if (!isProof) {
      way.answer(message, 200)
      return true
    }
    way.answer(message, 200, `SIP-ETag: proof-${++this.serial}`)
    this.publish(body, message.headers.get('event') ?? '')
    return true
  }

  private publish(body: string, event: string, authorization?: string): void {
    this.returning = { body, event }
    const fields = authorization === undefined ? [] : [`Authorization: ${authorization}`]
    const callId = `proof-${++this.serial}`
    this.wire.deliver(publishOf({ body, event, callId, fields }))
  }

  private takesAnswer({ status, headers }: SipResponse): boolean {
    if (headers.get('call-id')?.startsWith('proof-') !== true) return false
    const { returning } = this
    if (status === 401 && returning && this.digest.take(headers.all('www-authenticate'))) {
      this.publish(returning.body, returning.event, this.digest.authorize('PUBLISH', uri))
    }
    return true
  }
}

/** An edge and its Asterisk on a fake wire and connection; `hello` makes Asterisk answer, `publish` publishes with credentials. */
export async function startEdge(
  options: Partial<SipEdgeOptions> = { entityId: ownEid },
  { isUdpOnly = false } = {},
) {
  const clock = new FakeClock()
  const wire = new FakeTransport()
  const stream = new FakeStream()
  const events: AsteriskEvent[] = []
  const learnt: string[] = []
  const counts: string[] = []
  const logged: string[] = []
  const moved: string[] = []
  const problems = new Map<string, string>()
  const say = (_: object, message: string) => void logged.push(message)
  const edge = new SipEdge({
    asterisk: { host: '127.0.0.1', port: 5060 },
    listen: { host: '127.0.0.1', port: 5070 },
    resource: 'hintbridge',
    secrets,
    onEntityIdLearnt: (eid) => learnt.push(eid),
    onEntityIdMoved: (eid) => moved.push(eid),
    health: (key, text) => (text === undefined ? problems.delete(key) : problems.set(key, text)),
    post: (event) => events.push(event),
    log: { debug: say, info: say, warn: say, error: say },
    count: (counter, labels) => counts.push(`${counter} ${Object.values(labels ?? {}).join(' ')}`),
    clock,
    transport: wire,
    ...(!isUdpOnly && { stream }),
    ...options,
  })
  await edge.start()
  const digest = new DigestClient({ user: 'hintbridge', password: secrets.toBridge.password })
  const asterisk = new ProvingAsterisk(wire, stream)
  const answerTo = (text: string) => {
    wire.deliver(text)
    return wire.takeResponse()
  }
  const publish = (parts: PublishOptions) => {
    const authorized = () => {
      const authorization = digest.authorize('PUBLISH', parts.uri ?? uri) ?? 'none'
      return publishOf({
        ...parts,
        fields: [`Authorization: ${authorization}`, ...(parts.fields ?? [])],
      })
    }
    const response = answerTo(authorized())
    if (response.status !== 401) return response
    digest.take(response.headers.all('www-authenticate'))
    return answerTo(authorized())
  }
  const hello = () => {
    const [ping] = wire.takeRequests('OPTIONS')
    if (!ping) throw new Error('no OPTIONS was sent')
    wire.answer(ping, 401)
    events.length = 0
  }
  /** What a body does to the domain, once Asterisk is known. */
  const taken = (body: string, event = 'asterisk-devicestate') => {
    const { status } = publish({ body, event })
    return { status, events: events.splice(0) }
  }
  return {
    clock,
    wire,
    stream,
    events,
    learnt,
    moved,
    problems,
    counts,
    logged,
    edge,
    asterisk,
    answerTo,
    publish,
    hello,
    taken,
  }
}
