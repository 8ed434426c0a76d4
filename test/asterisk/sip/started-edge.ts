import type { AsteriskEvent } from '../../../src/bridge/events.js'
import { DigestClient } from '../../../src/asterisk/sip/digest.js'
import { SipEdge, type SipEdgeOptions } from '../../../src/asterisk/sip/edge.js'
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
    answerTo,
    publish,
    hello,
    taken,
  }
}
