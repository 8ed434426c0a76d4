/** Fuzzing of what Asterisk, or whoever pretends to be it, sends by SIP: mutations of real messages, through the whole edge. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DigestClient } from '../../src/asterisk/sip/digest.js'
import { SipEdge } from '../../src/asterisk/sip/edge.js'
import { Framer } from '../../src/asterisk/sip/framer.js'
import { parseMessage, SipParseError, type SipRequest } from '../../src/asterisk/sip/message.js'
import type { AsteriskEvent } from '../../src/bridge/events.js'
import { deviceStates, isCount, isDeviceState, isName } from '../../src/bridge/state.js'
import { ProvingAsterisk, secrets } from '../asterisk/sip/started-edge.js'
import {
  deviceBody,
  FakeClock,
  FakeStream,
  FakeTransport,
  mailboxBody,
  ownEid,
  publishOf,
} from '../asterisk/sip/support.js'
import { corpus, fill, mutate, mutations, timed, timeoutMs } from './fuzzing.js'
import { onSeed } from '../search/seed.js'

const messages = corpus('sip')
const callId = 'e4c344cb-5b52-4c1f-8584-a06fa860aa9e'
const tokens = [
  ...[
    'Via: SIP/2.0/UDP h;branch=z9hG4bK1',
    'Content-Length: 0',
    'Content-Length: -1',
    'Expires: 0',
  ],
  ...['CSeq: 4294967296 PUBLISH', 'SIP-If-Match: x', 'Event: asterisk-mwi', 'e: gzip', 'SIP/2.0'],
  ...['WWW-Authenticate: Digest realm="a", nonce="b', 'Authorization: Digest ,,,=', 'Require: x'],
  ...['Min-Expires: 4294967295', 'Expires: 4294967295', '"state":"BUSY"', '"eid":null', ';rport'],
  ...['"new":1e400', '"old":-0', '"device":"\\ud800"', '"cachable":{}', 'é', ':', '\r\n X', ','],
]

/** What a body may hold where a text belongs. */
const words = [
  ...['PJSIP/1001', '1000@default', 'INUSE', 'inuse', '', '\0', '\ud800', '\u2028', '__proto__'],
  ...['hintbridge:fence-1', 'hintbridge:fence-x', 'hintbridge@fence', 'PJSIP/hintbridge', 'a\nb'],
  'é'.repeat(128),
]

/** An edge whose Asterisk is known, has shown its credentials, and is asked for a refresh and given a state. */
class Target {
  readonly clock = new FakeClock()
  readonly wire = new FakeTransport()
  readonly stream = new FakeStream()
  readonly #asterisk = new ProvingAsterisk(this.wire, this.stream)
  readonly events: AsteriskEvent[] = []
  readonly #framer = new Framer()
  readonly #edge: SipEdge
  readonly #digest = new DigestClient({ user: 'hintbridge', password: secrets.toBridge.password })
  #serial = 1_000
  /** The entity tag given last, by event package. */
  readonly #tags = { device: '', mailbox: '' }
  #asked: SipRequest | undefined

  constructor() {
    const ignore = (): void => undefined
    this.#edge = new SipEdge({
      asterisk: { host: '127.0.0.1', port: 5060 },
      listen: { host: '127.0.0.1', port: 5070 },
      resource: 'hintbridge',
      secrets,
      entityId: ownEid,
      onEntityIdLearnt: ignore,
      onEntityIdMoved: ignore,
      health: ignore,
      post: (event) => this.events.push(event),
      log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      count: ignore,
      clock: this.clock,
      transport: this.wire,
      stream: this.stream,
    })
  }

  async start(): Promise<this> {
    await this.#find()
    return this.#ask()
  }

  /** The same with a connection that Asterisk has answered, by which it is asked. */
  async startConnected(): Promise<this> {
    await this.#find()
    this.stream.accept()
    this.stream.answer(this.stream.takePing(), 200)
    return this.#ask()
  }

  async #find(): Promise<void> {
    await this.#edge.start()
    this.publish(deviceBody('PJSIP/first'))
    this.publish(mailboxBody('first@default'), 'asterisk-mwi')
  }

  #ask(): this {
    this.#edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    this.#edge.perform({
      to: 'asterisk',
      do: 'inject',
      lane: 0,
      eid: '02:00:00:00:00:0b',
      entry: { kind: 'device_state', id: 'PJSIP/remote', state: 'INUSE', cachable: true },
    })
    this.#look()
    this.events.length = 0
    this.#asterisk.isMute = true
    return this
  }

  /** Delivers one message, a template of the corpus after its mutation; what is sent in answer is SIP. */
  deliver(template: string): void {
    const text = this.#fill(template)
    timed(() => this.wire.deliver(text))
    this.#look(text)
  }

  /** Delivers it by the connection, if that still stands, cut in two at that share of its length. */
  deliverByStream(template: string, cut: number): void {
    const octets = Buffer.from(this.#fill(template))
    const at = Math.floor(cut * octets.length)
    for (const chunk of [octets.subarray(0, at), octets.subarray(at)]) {
      timed(() => this.#receive(chunk))
    }
    this.#look()
  }

  /** As TcpTransport does. */
  #receive(chunk: Buffer): void {
    if (this.stream.state !== 'open') return
    try {
      for (const message of this.#framer.take(chunk)) this.stream.deliver(message)
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error
      this.stream.end(error.message)
    }
  }

  #fill(template: string): string {
    this.#serial += 1
    return fill(template, {
      SERIAL: String(this.#serial),
      ETAG: this.#tags.device,
      MWITAG: this.#tags.mailbox,
      BRANCH: /branch=([^;]+)/.exec(this.#asked?.headers.get('via') ?? '')?.[1] ?? '',
      CALLID: this.#asked?.headers.get('call-id') ?? '',
      CSEQ: this.#asked?.headers.get('cseq') ?? '',
    })
  }

  /** An honest PUBLISH of Asterisk, with credentials when it is challenged; the status of its answer. */
  publish(body: string, event = 'asterisk-devicestate'): number {
    const publishAs = (field: string): number | undefined => {
      this.wire.take()
      const sequence = (this.#serial += 1)
      const text = publishOf({ callId, sequence, body, event, fields: [field] })
      this.wire.deliver(text)
      const response = this.wire.sent.find((message) => message.type === 'response')
      this.#look(text)
      if (response?.type !== 'response') return undefined
      this.#digest.take(response.headers.all('www-authenticate'))
      return response.status
    }
    const uri = 'sip:hintbridge@127.0.0.1:5070'
    const authorize = (): string => `Authorization: ${this.#digest.authorize('PUBLISH', uri) ?? ''}`
    const status = publishAs(authorize())
    return (status === 401 ? publishAs(authorize()) : status) ?? 0
  }

  /** Remembers the entity tag that was given and the last request that waits for an answer. */
  #look(answered = ''): void {
    const event = answered.includes('asterisk-mwi') ? 'mailbox' : 'device'
    for (const message of [...this.wire.take(), ...this.stream.take()]) {
      if (message.type === 'request') this.#asked = message
      else this.#tags[event] = message.headers.get('sip-etag') ?? this.#tags[event]
    }
  }
}

/** What the domain is told stays within its words. */
function expectSane(events: readonly AsteriskEvent[]): void {
  for (const event of events) {
    if (event.type !== 'StateReported') continue
    const { entry } = event
    expect(isName(entry.id)).toBe(true)
    if (entry.kind === 'device_state') {
      expect(entry.id).not.toMatch(/^hintbridge:fence-/)
      expect(isDeviceState(entry.state)).toBe(true)
      expect(typeof entry.cachable).toBe('boolean')
    } else {
      expect(entry.id).not.toBe('hintbridge@fence')
      expect([entry.newMessages, entry.oldMessages].every(isCount)).toBe(true)
    }
  }
}

async function survives(texts: readonly string[]): Promise<AsteriskEvent[]> {
  const target = await new Target().start()
  for (const text of texts) {
    const before = target.events.length
    target.deliver(text)
    const told = target.events.slice(before)
    expectSane(told)
    // Nothing is said under another EID than the PBX's own.
    if (told.some(({ type }) => type === 'StateReported')) {
      expect(text.toLowerCase()).toMatch(/0?2(:0?0){4}:0?a/)
    }
  }
  // Timers that answers have set must come to an end.
  timed(() => target.clock.pass(60_000))
  const told = target.events.splice(0)
  // Asterisk itself is still understood.
  expect(target.publish(deviceBody('PJSIP/after', 'BUSY'))).toBe(200)
  expect(target.events.at(-1)).toMatchObject({ entry: { id: 'PJSIP/after', state: 'BUSY' } })
  return told
}

/** By the connection come answers only: whatever else does tells the domain nothing. */
async function survivesByStream(
  sent: readonly { readonly text: string; readonly cut: number }[],
): Promise<AsteriskEvent[]> {
  const target = await new Target().startConnected()
  for (const { text, cut } of sent) target.deliverByStream(text, cut)
  timed(() => target.clock.pass(60_000))
  const told = target.events.splice(0)
  expect(answers).toEqual(expect.arrayContaining(told.map(({ type }) => type)))
  // The silence has brought the connection in doubt, if it still stood: what comes as datagrams counts when it is over.
  target.stream.end('Asterisk closed the connection')
  expect(target.publish(deviceBody('PJSIP/after', 'BUSY'))).toBe(200)
  expect(target.events.at(-1)).toMatchObject({ entry: { id: 'PJSIP/after', state: 'BUSY' } })
  return told
}

/** What the domain may be told by answers, and by their lack. */
const answers: readonly AsteriskEvent['type'][] = [
  ...(['InjectionAnswered', 'RefreshAnswered', 'AsteriskVersionLearnt'] as const),
  ...(['AsteriskFound', 'AsteriskLost'] as const),
]

describe('SIP messages', () => {
  it.each(messages)('of the corpus do no harm: $name', async ({ text }) => {
    await survives([text, text])
  })

  it('with a cachable that no number can be made of are uncachable, and end no process', async () => {
    const { text = '' } = messages.find(({ name }) => name === 'found-cachable-object.sip') ?? {}
    expect(await survives([text])).toContainEqual({
      type: 'StateReported',
      entry: { kind: 'device_state', id: 'PJSIP/1001', state: 'INUSE', cachable: false },
    })
  })

  it('of the corpus are what they are named after', async () => {
    const told = async (name: string) => {
      const { text = '' } = messages.find((each) => each.name === `${name}.sip`) ?? {}
      return (await survives([text])).map(({ type }) => type)
    }
    expect(await told('publish-device')).toContain('StateReported')
    expect(await told('publish-mailbox')).toContain('StateReported')
    expect(await told('publish-refresh')).toContain('RefreshRequested')
    expect(await told('publish-fence')).toContain('FenceReturned')
    expect(await told('publish-device-foreign')).not.toContain('StateReported')
    expect(await told('publish-unproven')).not.toContain('StateReported')
    expect(await told('response-503')).toContain('InjectionAnswered')
  })

  it(
    'mutated at will do no harm, and Asterisk is understood afterwards',
    async () => {
      const mutated = fc.record({
        base: fc.constantFrom(...messages),
        changes: mutations(tokens),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(mutated, { minLength: 1, maxLength: 6 }), async (sent) => {
          await survives(sent.map(({ base, changes }) => mutate(base.text, changes)))
        }),
        onSeed(800),
      )
    },
    timeoutMs,
  )

  it('of the corpus do no harm by the connection, and answers count there', async () => {
    for (const { text } of messages) await survivesByStream([{ text, cut: 0.5 }])
    const { text = '' } = messages.find(({ name }) => name === 'response-200.sip') ?? {}
    const told = await survivesByStream([{ text, cut: 0 }])
    expect(told).toContainEqual({ type: 'InjectionAnswered', lane: 0 })
  })

  it(
    'mutated at will do no harm by the connection, and Asterisk is understood afterwards',
    async () => {
      const responses = messages.filter(({ name }) => name.startsWith('response-'))
      const mutated = fc.record({
        base: fc.oneof(fc.constantFrom(...responses), fc.constantFrom(...messages)),
        changes: mutations(tokens),
        cut: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      await fc.assert(
        fc.asyncProperty(fc.array(mutated, { minLength: 1, maxLength: 6 }), async (sent) => {
          const texts = sent.map(({ base, changes, cut }) => ({
            text: mutate(base.text, changes),
            cut,
          }))
          await survivesByStream(texts)
        }),
        onSeed(400),
      )
    },
    timeoutMs,
  )

  it(
    'with bodies of any JSON tell the domain nothing outside its words',
    async () => {
      const text = fc.oneof(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.constantFrom(...words),
      )
      const any = fc.oneof(
        text,
        fc.jsonValue(),
        fc.double(),
        fc.constantFrom(-1, 0.5, 2 ** 31, Infinity),
      )
      const body = fc.record(
        {
          type: fc.constantFrom('devicestate', 'mailboxstate', 'refresh'),
          device: any,
          uniqueid: any,
          state: fc.oneof(any, fc.constantFrom(...deviceStates)),
          cachable: any,
          new: fc.oneof(any, fc.nat()),
          old: fc.oneof(any, fc.nat()),
          eid: fc.constantFrom(ownEid, '2:0:0:0:0:A', '02:00:00:00:00:0b', '00:00:00:00:00:00'),
        },
        { requiredKeys: ['type', 'eid'] },
      )
      await fc.assert(
        fc.asyncProperty(body, fc.boolean(), async (json, isMailbox) => {
          const target = await new Target().start()
          target.publish(JSON.stringify(json), isMailbox ? 'asterisk-mwi' : 'asterisk-devicestate')
          const told = target.events.splice(0)
          expectSane(told)
          if (!json.eid.toLowerCase().endsWith('a')) expect(told).toEqual([])
        }),
        onSeed(800),
      )
    },
    timeoutMs,
  )

  it(
    'of any octets are parsed or refused with SipParseError',
    () => {
      const octets = fc.uint8Array({ maxLength: 400 })
      fc.assert(
        fc.property(octets, fc.constantFrom(...messages), fc.nat(), (noise, { text }, at) => {
          const whole = Buffer.from(text)
          const start = at % (whole.length + 1)
          const spliced = Buffer.concat([whole.subarray(0, start), noise, whole.subarray(start)])
          for (const datagram of [Buffer.from(noise), spliced]) {
            try {
              timed(() => parseMessage(datagram))
            } catch (error) {
              expect(error).toBeInstanceOf(SipParseError)
            }
          }
        }),
        onSeed(2_000),
      )
    },
    timeoutMs,
  )
})
