import { describe, expect, it } from 'vitest'
import type { SipMessage } from '../../../src/asterisk/sip/message.js'
import type { Kind } from '../../../src/bridge/state.js'
import { startEdge } from './started-edge.js'
import { deviceBody, peerEid, publishOf, type FakeStream, type FakeTransport } from './support.js'

const entry = { kind: 'device_state', id: 'PJSIP/1', state: 'INUSE', cachable: true } as const
const byUdp = /^SIP\/2\.0\/UDP 127\.0\.0\.1:5070;rport;branch=z9hG4bK/
const byTcp = /^SIP\/2\.0\/TCP 127\.0\.0\.1:40000;rport;branch=z9hG4bK/

const via = ({ headers }: SipMessage) => headers.get('via')

/** An edge whose Asterisk is found, and so was asked for a connection. */
async function startFound() {
  const started = await startEdge()
  started.hello()
  const { edge, clock, stream, wire, asterisk } = started
  const inject = (lane = 0) =>
    edge.perform({ to: 'asterisk', do: 'inject', lane, eid: peerEid, entry })
  /** Lets time pass while Asterisk answers each OPTIONS that comes by these ways; returns what else comes. */
  const live = (durationMs: number, ...ways: (FakeTransport | FakeStream)[]) => {
    const others: SipMessage[] = []
    asterisk.isMute = !ways.includes(wire)
    for (let leftMs = durationMs; leftMs > 0; leftMs -= 500) {
      clock.pass(Math.min(leftMs, 500))
      for (const way of ways) {
        for (const message of way.take()) {
          if (message.type === 'request' && message.method === 'OPTIONS') way.answer(message, 200)
          else others.push(message)
        }
      }
    }
    asterisk.isMute = false
    return others
  }
  /** Lets time pass while Asterisk says nothing at all. */
  const silence = (durationMs: number) => {
    asterisk.isMute = true
    clock.pass(durationMs)
    asterisk.isMute = false
  }
  /** The next OPTIONS by the connection, while Asterisk answers those that come as datagrams. */
  const awaitPing = () => {
    for (let ticks = 0; ticks < 20 && stream.sent.length === 0; ticks++) live(500, wire)
    return stream.takePing()
  }
  const fence = (nonce: number, kind: Kind = 'device_state') =>
    edge.perform({ to: 'asterisk', do: 'fence', kind, nonce })
  return { ...started, inject, fence, live, silence, awaitPing }
}

/** Asterisk took the connection and has answered there, then the datagram that goes out at once. */
async function startConnected() {
  const started = await startFound()
  const { stream, wire } = started
  stream.accept()
  stream.answer(stream.takePing(), 200)
  wire.answer(wire.takePing(), 200)
  return started
}

describe('a bridge that is to give states by UDP', () => {
  it('gives them as datagrams, and stops', async () => {
    const { wire, clock, edge, hello, logged } = await startEdge(undefined, { isUdpOnly: true })
    hello()
    for (let pings = 0; pings < 40; pings++) {
      clock.pass(500)
      wire.answer(wire.takePing(), 200)
    }
    edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    const publish = wire.takePublish()
    expect(via(publish)).toMatch(byUdp)
    wire.answer(publish, 200, 'SIP-ETag: 1')
    expect(logged).toEqual(['Asterisk answers'])
    const stopped = edge.stop()
    wire.answer(wire.takePublish(), 200)
    await stopped
    expect(clock.pending).toBe(0)
  })
})

describe('an Asterisk that takes no connection', () => {
  it('is given states as datagrams, and asked for one every 5 s', async () => {
    const { wire, stream, inject, live, logged } = await startFound()
    expect(stream.askedFrom).toEqual(['127.0.0.1'])
    stream.end('connect ECONNREFUSED')
    inject()
    expect(via(wire.takePublish())).toMatch(byUdp)
    live(4_999, wire)
    expect(stream.askedFrom).toHaveLength(1)
    live(1, wire)
    for (const asked of [2, 3, 4]) {
      expect(stream.askedFrom).toHaveLength(asked)
      stream.end('connect ECONNREFUSED')
      live(5_000, wire)
    }
    expect(logged).toEqual(['Asterisk answers'])
  })

  it('is not asked for one while it is not found', async () => {
    const { stream, clock, hello } = await startEdge()
    clock.pass(20_000)
    expect(stream.askedFrom).toEqual([])
    hello()
    expect(stream.askedFrom).toHaveLength(1)
  })
})

describe('an Asterisk that takes a connection and answers nothing there', () => {
  it('is given states as datagrams, and the connection is given up after 32 s', async () => {
    const { wire, stream, inject, live, logged } = await startFound()
    stream.accept()
    inject()
    expect(via(wire.takePublish())).toMatch(byUdp)
    live(31_999, wire)
    expect(stream.state).toBe('open')
    expect(stream.takeRequests('PUBLISH')).toEqual([])
    live(1, wire)
    expect(stream.state).toBe('closed')
    live(5_000, wire)
    expect(stream.state).toBe('connecting')
    expect(logged).toEqual(['Asterisk answers'])
  })

  it('at first is asked there every 500 ms, for one that boots takes it and drops what comes', async () => {
    const { stream, wire, live, inject } = await startFound()
    stream.accept()
    stream.take()
    live(500, wire)
    expect(stream.takeRequests('OPTIONS')).toHaveLength(1)
    live(500, wire)
    stream.answer(stream.takePing(), 200)
    live(500, wire)
    expect(stream.takeRequests('OPTIONS')).toEqual([])
    inject()
    expect(via(stream.takePublish())).toMatch(byTcp)
  })

  it('and is lost has it ended at once', async () => {
    const { stream, wire, clock, events } = await startFound()
    stream.accept()
    wire.refuse()
    expect(stream.state).toBe('closed')
    clock.pass(500)
    wire.answer(wire.takePing(), 200)
    expect(events.map(({ type }) => type)).toEqual(['AsteriskLost', 'AsteriskFound'])
    expect(stream.state).toBe('connecting')
  })
})

describe('an Asterisk that answers by a connection', () => {
  it.each([200, 401, 404])('with %i is given states there, and that is logged', async (status) => {
    const { wire, stream, inject, logged, events } = await startFound()
    stream.accept()
    const ping = stream.takePing()
    expect(via(ping)).toMatch(byTcp)
    stream.answer(ping, status)
    wire.take()
    inject()
    const publish = stream.takePublish()
    expect(via(publish)).toMatch(byTcp)
    expect(publish.headers.get('from')).toContain('<sip:hintbridge@127.0.0.1:5070>')
    expect(wire.take()).toEqual([])
    stream.answer(publish, 200, 'SIP-ETag: 1')
    expect(events).toEqual([{ type: 'InjectionAnswered', lane: 0 }])
    expect(logged).toEqual(['Asterisk answers', 'Asterisk is given states by TCP'])
  })

  it('is sent no PUBLISH twice there, and has 32 s to answer it', async () => {
    const { stream, wire, inject, live, events } = await startConnected()
    inject()
    stream.takePublish()
    expect(live(31_999, wire, stream)).toEqual([])
    expect(events).toEqual([])
    live(1, wire, stream)
    expect(events).toMatchObject([{ failure: { condition: 'timeout', isTemporary: true } }])
    expect(stream.state).toBe('open')
  })

  it.each([
    [503, 'device_state'],
    [503, 'message_waiting'],
    [500, 'device_state'],
  ] as const)('with %i is sent a fence again there, of %s', async (status, kind) => {
    const { stream, wire, live, fence, counts } = await startConnected()
    fence(7, kind)
    const first = stream.takePublish()
    stream.answer(first, status)
    expect(live(499, wire)).toEqual([])
    expect(stream.take()).toEqual([])
    live(1, wire)
    const again = stream.takePublish()
    expect(again.body.toString()).toBe(first.body.toString())
    expect(again.headers.get('event')).toBe(first.headers.get('event'))
    stream.answer(again, 200, 'SIP-ETag: 1')
    expect(counts).toEqual([])
  })

  it('with 403 is not sent a fence again, and that is counted', async () => {
    const { stream, wire, live, fence, counts } = await startConnected()
    fence(7)
    stream.answer(stream.takePublish(), 403)
    expect(live(4_000, wire)).toEqual([])
    expect(stream.takeRequests('PUBLISH')).toEqual([])
    expect(counts).toEqual(['failed_fences device_state'])
  })

  it('with 503 to an injection has that told at once, for there may be a newer state by then', async () => {
    const { stream, inject, events, clock } = await startConnected()
    const timers = clock.pending
    inject()
    stream.answer(stream.takePublish(), 503)
    expect(events).toMatchObject([{ type: 'InjectionAnswered', failure: { condition: '503' } }])
    expect(clock.pending).toBe(timers)
  })

  it('with 503 and is lost is not sent that again', async () => {
    const { stream, wire, live, fence, events, counts } = await startConnected()
    fence(7)
    stream.answer(stream.takePublish(), 503)
    wire.refuse()
    expect(counts).toEqual(['failed_fences device_state'])
    live(5_000, wire, stream)
    const told = ['AsteriskLost', 'FenceFailed', 'AsteriskFound']
    expect(events.map(({ type }) => type)).toEqual(told)
    expect(stream.takeRequests('PUBLISH')).toEqual([])
  })

  it('with 503, and whose connection ends then, is sent that again as a datagram', async () => {
    const { stream, wire, live, fence } = await startConnected()
    fence(57)
    stream.answer(stream.takePublish(), 503)
    stream.end('read ECONNRESET')
    const [again, ...others] = live(500, wire)
    expect(others).toEqual([])
    expect(again?.body.toString()).toContain('fence-7')
  })

  it('is still asked for its life every 500 ms by datagrams', async () => {
    const { wire, stream, clock } = await startConnected()
    clock.pass(500)
    expect(via(wire.takePing())).toMatch(byUdp)
    expect(stream.take()).toEqual([])
  })

  it('is lost when 24 OPTIONS were not answered as datagrams, 12 s, though it answers there', async () => {
    const { stream, inject, live, events } = await startConnected()
    live(12_000, stream)
    inject()
    stream.answer(stream.takePublish(), 200, 'SIP-ETag: 1')
    expect(events).toEqual([{ type: 'InjectionAnswered', lane: 0 }])
    live(500, stream)
    expect(events.slice(1)).toEqual([
      { type: 'AsteriskLost', reason: 'no answer to OPTIONS for 12 s' },
    ])
  })

  it('is lost once where its UDP port refuses, and stays so however often it answers there', async () => {
    const { stream, wire, clock, events, inject } = await startConnected()
    wire.refuse()
    for (let round = 0; round < 60; round++) {
      for (const ping of stream.takeRequests('OPTIONS')) stream.answer(ping, 200)
      clock.pass(500)
      wire.refuse()
    }
    expect(events).toEqual([{ type: 'AsteriskLost', reason: 'ECONNREFUSED' }])
    wire.answer(wire.takePing(), 200)
    expect(events.slice(1)).toEqual([{ type: 'AsteriskFound' }])
    inject()
    expect(via(stream.takePublish())).toMatch(byTcp)
  })

  it('has what it publishes, which comes as datagrams, answered by datagrams', async () => {
    const { stream, publish, events } = await startConnected()
    expect(publish({ body: deviceBody('PJSIP/2') }).status).toBe(200)
    expect(events).toMatchObject([{ type: 'StateReported' }])
    expect(stream.take()).toEqual([])
  })

  it('has a request that comes there neither answered nor believed', async () => {
    const { stream, wire, events } = await startConnected()
    stream.deliver(publishOf({ body: deviceBody('PJSIP/2') }))
    expect([...stream.take(), ...wire.take(), ...events]).toEqual([])
  })

  it('is asked there every 5 s, for it ends a connection that is silent', async () => {
    const { stream, wire, live, awaitPing } = await startConnected()
    stream.answer(awaitPing(), 200)
    for (let round = 0; round < 3; round++) {
      live(4_500, wire)
      expect(stream.take()).toEqual([])
      live(500, wire)
      const pings = stream.takeRequests('OPTIONS')
      expect(pings.map(via)).toEqual([expect.stringMatching(byTcp)])
      for (const ping of pings) stream.answer(ping, 200)
    }
    expect(stream.askedFrom).toHaveLength(1)
  })

  it('and then no more for 32 s is given states as datagrams', async () => {
    const { stream, wire, live, awaitPing, inject, logged, events } = await startConnected()
    awaitPing()
    live(31_500, wire)
    expect(stream.state).toBe('open')
    live(500, wire)
    expect(stream.state).toBe('closed')
    expect(logged.at(-1)).toBe('Asterisk is given states by UDP')
    expect(events).toEqual([])
    inject()
    expect(via(wire.takePublish())).toMatch(byUdp)
  })

  it('leaves one OPTIONS unanswered and keeps the connection, for it answers others since', async () => {
    const { stream, wire, live, awaitPing } = await startConnected()
    awaitPing()
    live(40_000, wire, stream)
    expect(stream.askedFrom).toHaveLength(1)
    expect(stream.state).toBe('open')
  })
})

describe("a connection that is not Asterisk's", () => {
  it("is not used while the port is another user's, or nobody can tell, and that is a problem", async () => {
    for (const owner of ['another', 'unknown'] as const) {
      const { stream, wire, inject, problems, live } = await startFound()
      stream.owner = owner
      stream.accept()
      for (const ping of stream.takeRequests('OPTIONS')) stream.answer(ping, 200)
      live(5_000, wire, stream)
      inject()
      expect(via(wire.takePublish())).toMatch(byUdp)
      expect(stream.takeRequests('PUBLISH')).toEqual([])
      expect(problems.get('asterisk-tcp')).toContain('TCP port of Asterisk')
    }
  })

  it('is not used while what is sent there does not come back from Asterisk', async () => {
    const { asterisk, stream, wire, inject, live } = await startFound()
    asterisk.isMuteByConnection = true
    stream.accept()
    for (const ping of stream.takeRequests('OPTIONS')) stream.answer(ping, 200)
    live(5_000, wire, stream)
    inject()
    expect(via(wire.takePublish())).toMatch(byUdp)
    asterisk.isMuteByConnection = false
    live(5_000, wire, stream)
    inject(1)
    expect(via(stream.takePublish())).toMatch(byTcp)
  })
})

describe('a connection that ends', () => {
  it('has what is under way there sent again as datagrams, and then what waits behind that', async () => {
    const { stream, wire, inject, events, logged } = await startConnected()
    inject(0)
    stream.answer(stream.takePublish(), 200, 'SIP-ETag: 1')
    events.length = 0
    inject(0)
    inject(0)
    inject(1)
    expect(stream.takeRequests('PUBLISH')).toHaveLength(2)
    stream.end('read ECONNRESET')
    expect(logged.at(-1)).toBe('Asterisk is given states by UDP')
    const again = wire.takeRequests('PUBLISH')
    expect(again.map((each) => [via(each), each.headers.get('sip-if-match')])).toEqual([
      // Asterisk lives, and still has the publication.
      [expect.stringMatching(byUdp), '1'],
      [expect.stringMatching(byUdp), undefined],
    ])
    for (const each of again) wire.answer(each, 200, 'SIP-ETag: 2')
    expect(events).toEqual([
      { type: 'InjectionAnswered', lane: 0 },
      { type: 'InjectionAnswered', lane: 1 },
    ])
    expect(via(wire.takePublish())).toMatch(byUdp)
  })

  it('has a fence that is under way there sent again, for a lost one is missed for half a minute', async () => {
    const { stream, wire, fence, counts } = await startConnected()
    fence(57)
    expect(stream.takePublish().body.toString()).toContain('fence-7')
    stream.end('read ECONNRESET')
    expect(wire.takePublish().body.toString()).toContain('fence-7')
    expect(counts).toEqual([])
  })

  it('has an OPTIONS sent at once, so that a dead Asterisk is lost at once', async () => {
    const { stream, wire, events } = await startConnected()
    wire.take()
    stream.end('read ECONNRESET')
    expect(wire.takeRequests('OPTIONS')).toHaveLength(1)
    wire.refuse()
    expect(events).toEqual([{ type: 'AsteriskLost', reason: 'ECONNREFUSED' }])
  })

  it('as Asterisk dies has what was under way failed, and not sent to the next Asterisk', async () => {
    const { stream, wire, clock, inject, fence, events, counts } = await startConnected()
    inject()
    fence(7)
    stream.end('read ECONNRESET')
    wire.refuse()
    const failure = { condition: 'asterisk-lost', reason: 'ECONNREFUSED', isTemporary: true }
    expect(events).toEqual([
      { type: 'AsteriskLost', reason: 'ECONNREFUSED' },
      { type: 'InjectionAnswered', lane: 0, failure },
      { type: 'FenceFailed', kind: 'device_state', nonce: 7, failure },
    ])
    expect(counts).toEqual(['failed_fences device_state'])
    wire.take()
    clock.pass(500)
    wire.answer(wire.takePing(), 200)
    clock.pass(5_000)
    expect(wire.takeRequests('PUBLISH')).toEqual([])
  })

  it('leaves alone what is under way as datagrams', async () => {
    const { stream, wire, inject, events } = await startFound()
    inject()
    const publish = wire.takePublish()
    stream.accept()
    stream.answer(stream.takePing(), 200)
    stream.end('read ECONNRESET')
    expect(events).toEqual([])
    wire.answer(publish, 200, 'SIP-ETag: 1')
    expect(events).toEqual([{ type: 'InjectionAnswered', lane: 0 }])
  })

  it('is had again within 5 s, and used once it is answered', async () => {
    const { stream, wire, live, inject } = await startConnected()
    stream.end('read ECONNRESET')
    live(5_000, wire)
    stream.accept()
    const ping = stream.takePing()
    inject(0)
    expect(wire.takeRequests('PUBLISH')).toHaveLength(1)
    stream.answer(ping, 200)
    inject(1)
    expect(stream.takeRequests('PUBLISH')).toHaveLength(1)
  })
})

/** What Asterisk has not yet read there must not come behind what goes as a datagram: it is to be proven gone, or read. */
describe('an Asterisk that is lost by silence while its connection is used', () => {
  /** Asterisk knows the credentials, is given a state, and says nothing for 12 s. */
  async function startInDoubt() {
    const started = await startConnected()
    const { silence, stream, wire, events, inject, publish } = started
    publish({ body: deviceBody('PJSIP/2') })
    events.length = 0
    inject()
    silence(12_500)
    wire.take()
    const sent = stream.take().filter((message) => message.type === 'request')
    const lost = events.splice(0)
    const proof = sent.at(-1)
    if (!proof) throw new Error('nothing was sent by the connection')
    const report = () => publish({ body: deviceBody('PJSIP/2', 'BUSY') })
    return { ...started, lost, proof, stale: sent.slice(0, -1), report }
  }

  it('has what is under way failed, and is asked by the connection', async () => {
    const { lost, proof, stream } = await startInDoubt()
    expect(lost).toMatchObject([
      { type: 'AsteriskLost', reason: 'no answer to OPTIONS for 12 s' },
      { type: 'InjectionAnswered', failure: { condition: 'asterisk-lost', isTemporary: true } },
    ])
    expect(proof.method).toBe('OPTIONS')
    expect(stream.state).toBe('open')
  })

  it('is not heard by datagrams until it answers there; then it is found, and given states there', async () => {
    const { clock, wire, stream, events, report, proof, inject } = await startInDoubt()
    clock.pass(500)
    wire.answer(wire.takePing(), 200)
    expect(report).toThrow('no response was sent')
    expect(events).toEqual([])
    stream.answer(proof, 200)
    expect(events).toEqual([])
    // At once, not with the next OPTIONS.
    wire.answer(wire.takePing(), 200)
    expect(events).toEqual([{ type: 'AsteriskFound' }])
    expect(report().status).toBe(200)
    inject()
    expect(via(stream.takePublish())).toMatch(byTcp)
  })

  it('is not taken to have read all by an answer to what was sent before', async () => {
    const { stream, wire, events, report, stale } = await startInDoubt()
    expect(stale.map(({ method }) => method)).toContain('PUBLISH')
    for (const request of stale) stream.answer(request, 200)
    expect(report).toThrow('no response was sent')
    expect([...events, ...wire.take()]).toEqual([])
  })

  it('is not heard by datagrams until the connection ends; then it is found, and given states as datagrams', async () => {
    const { wire, stream, events, report, inject } = await startInDoubt()
    expect(report).toThrow('no response was sent')
    stream.end('read ECONNRESET')
    wire.answer(wire.takePing(), 200)
    expect(events).toEqual([{ type: 'AsteriskFound' }])
    inject()
    expect(via(wire.takePublish())).toMatch(byUdp)
  })

  it('and then heard by datagrams but not there for 4 s has the connection given up, and is found', async () => {
    const { silence, wire, stream, events, live, logged } = await startInDoubt()
    // However long nothing was heard: it may have gone on only now.
    silence(31_000)
    wire.take()
    live(500, wire)
    live(3_500, wire)
    expect(stream.state).toBe('open')
    expect(events).toEqual([])
    live(500, wire)
    expect(events).toEqual([{ type: 'AsteriskFound' }])
    expect(stream.askedFrom).toHaveLength(2)
    expect(logged).toContain('Asterisk is given states by UDP')
  })

  it('and answers there within 4 s keeps the connection', async () => {
    const { wire, stream, events, proof, live } = await startInDoubt()
    live(500, wire)
    live(3_500, wire)
    stream.answer(proof, 200)
    live(500, wire, stream)
    expect(events).toEqual([{ type: 'AsteriskFound' }])
    live(10_000, wire, stream)
    expect(events).toHaveLength(1)
    expect(stream.askedFrom).toHaveLength(1)
  })

  it('and is heard, has the next connection left alone when this one ends', async () => {
    const { wire, stream, live } = await startInDoubt()
    live(500, wire)
    stream.end('read ECONNRESET')
    wire.answer(wire.takePing(), 200)
    stream.accept()
    stream.answer(stream.takePing(), 200)
    live(10_000, wire, stream)
    expect(stream.state).toBe('open')
    expect(stream.askedFrom).toHaveLength(2)
  })

  it('twice has 4 s to answer there each time', async () => {
    const { silence, wire, stream, proof, live, events } = await startInDoubt()
    live(500, wire)
    stream.answer(proof, 200)
    live(500, wire, stream)
    silence(12_500)
    wire.take()
    live(500, wire)
    live(3_500, wire)
    expect(stream.askedFrom).toHaveLength(1)
    live(500, wire)
    expect(stream.askedFrom).toHaveLength(2)
    const told = events.map(({ type }) => type)
    expect(told).toEqual(['AsteriskFound', 'AsteriskLost', 'AsteriskFound'])
  })

  it('keeps the connection while nothing is heard at all, however long, and is asked there every 32 s', async () => {
    const { silence, wire, stream, events, report } = await startInDoubt()
    silence(95_999)
    expect(stream.takeRequests('OPTIONS')).toHaveLength(2)
    silence(1)
    expect(stream.state).toBe('open')
    expect(report).toThrow('no response was sent')
    expect(events).toEqual([])
    stream.answer(stream.takePing(), 200)
    wire.answer(wire.takePing(), 200)
    expect(events).toEqual([{ type: 'AsteriskFound' }])
  })

  it('again, and keeps it then too while nothing is heard', async () => {
    const { silence, wire, stream, events, proof, live } = await startInDoubt()
    live(500, wire)
    stream.answer(proof, 200)
    live(500, wire, stream)
    expect(events).toEqual([{ type: 'AsteriskFound' }])
    silence(60_000)
    expect(events[1]).toMatchObject({ type: 'AsteriskLost' })
    expect(stream.state).toBe('open')
  })
})

describe('a bridge that stops', () => {
  it('un-publishes by the connection, then ends it', async () => {
    const { edge, stream, wire, clock, inject } = await startConnected()
    inject()
    stream.answer(stream.takePublish(), 200, 'SIP-ETag: 1')
    const stopped = edge.stop()
    const removal = stream.takePublish()
    expect(removal.headers.get('expires')).toBe('0')
    expect(stream.state).toBe('open')
    stream.answer(removal, 200)
    await stopped
    expect(stream.state).toBe('closed')
    expect(wire.isOpen).toBe(false)
    expect(clock.pending).toBe(0)
  })

  it('does not wait for an Asterisk that has answered 503', async () => {
    const { edge, stream, clock, fence } = await startConnected()
    fence(7)
    stream.answer(stream.takePublish(), 200, 'SIP-ETag: 1')
    fence(8)
    stream.answer(stream.takePublish(), 503)
    const stopped = edge.stop()
    const [removal, ...others] = stream.takeRequests('PUBLISH')
    expect(others).toEqual([])
    expect(removal?.headers.get('expires')).toBe('0')
    if (removal) stream.answer(removal, 200)
    await stopped
    expect(clock.pending).toBe(0)
  })

  it('leaves nothing under way where its connection ends meanwhile and nothing is answered', async () => {
    const { edge, stream, wire, clock, inject } = await startConnected()
    inject()
    stream.answer(stream.takePublish(), 200, 'SIP-ETag: 1')
    inject()
    const stopped = edge.stop()
    stream.end('read ECONNRESET')
    expect(via(wire.takePublish())).toMatch(byUdp)
    clock.pass(1_000)
    await stopped
    expect(wire.takeRequests('PUBLISH')).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  it('waits no longer for a connection in doubt', async () => {
    const { edge, wire, clock, live, silence } = await startConnected()
    silence(12_500)
    wire.take()
    live(500, wire)
    await edge.stop()
    expect(clock.pending).toBe(0)
  })

  it('ends a connection that is under way, and one that is not answered yet', async () => {
    const connecting = await startFound()
    await connecting.edge.stop()
    expect(connecting.stream.state).toBe('closed')
    const unanswered = await startFound()
    unanswered.stream.accept()
    await unanswered.edge.stop()
    expect(unanswered.stream.state).toBe('closed')
    expect(unanswered.clock.pending).toBe(0)
  })
})
