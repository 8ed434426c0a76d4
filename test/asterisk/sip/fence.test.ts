/** A fence that is lost would be missed for half a minute: by UDP it is retransmitted, by a connection it is not. */
import { describe, expect, it } from 'vitest'
import type { Kind } from '../../../src/bridge/state.js'
import type { SipRequest } from '../../../src/asterisk/sip/message.js'
import { startEdge } from './started-edge.js'
import type { FakeStream, FakeTransport } from './support.js'

/** The nonces of the fences among these. */
function nonces(requests: readonly SipRequest[]): number[] {
  return requests.flatMap(({ body }) => {
    const match = /"hintbridge:fence-(\d+)"|"new":(\d+)/.exec(body.toString())
    return match ? [Number(match[1] ?? match[2])] : []
  })
}

/** An edge whose Asterisk is found, and takes no connection or has answered by one. */
async function start(way: 'UDP' | 'TCP' = 'UDP') {
  const started = await startEdge()
  started.hello()
  const { edge, clock, wire, stream } = started
  if (way === 'TCP') {
    stream.accept()
    stream.answer(stream.takePing(), 200)
  }
  const fence = (nonce: number, kind: Kind = 'device_state') =>
    edge.perform({ to: 'asterisk', do: 'fence', kind, nonce })
  const by: FakeTransport | FakeStream = way === 'TCP' ? stream : wire
  /** What Asterisk is sent while it lives on and that time passes. */
  const sentIn = (durationMs: number) => {
    const sent: SipRequest[] = []
    for (let leftMs = durationMs; leftMs > 0; leftMs -= 500) {
      clock.pass(Math.min(leftMs, 500))
      for (const message of wire.take()) {
        if (message.type !== 'request') continue
        if (message.method === 'OPTIONS') wire.answer(message, 200)
        else sent.push(message)
      }
    }
    return [...sent, ...stream.takeRequests('PUBLISH')]
  }
  const fencesIn = (durationMs: number) => nonces(sentIn(durationMs))
  return { ...started, fence, by, sentIn, fencesIn }
}

describe.each(['UDP', 'TCP'] as const)('a fence that Asterisk answers by %s', (way) => {
  it.each<[Kind, string]>([
    ['device_state', 'asterisk-devicestate'],
    ['message_waiting', 'asterisk-mwi'],
  ])('with 503 is sent again after 1 s with its nonce, of %s', async (kind, event) => {
    const { fence, by, sentIn, fencesIn, counts } = await start(way)
    fence(7, kind)
    by.answer(by.takePublish(), 503)
    expect(fencesIn(999)).toEqual([])
    const sent = sentIn(1)
    expect(nonces(sent)).toEqual([7])
    expect(sent[0]?.headers.get('event')).toBe(event)
    expect(counts).toEqual([`failed_fences ${kind}`])
    for (const request of sent) by.answer(request, 200, 'SIP-ETag: 1')
    expect(fencesIn(5_000)).toEqual([])
  })

  it('with 503 again and again is sent again each time', async () => {
    const { fence, by, clock } = await start(way)
    fence(7)
    for (let round = 0; round < 3; round++) {
      const sent = by.takeRequests('PUBLISH')
      expect(nonces(sent)).toEqual([7])
      for (const request of sent) by.answer(request, 503)
      clock.pass(1_000)
    }
  })

  it('with 403 is not sent again', async () => {
    const { fence, by, fencesIn, counts } = await start(way)
    fence(7)
    by.answer(by.takePublish(), 403)
    expect(fencesIn(5_000)).toEqual([])
    expect(counts).toEqual(['failed_fences device_state'])
  })

  it('with 503 is not sent again when a newer one was sent, but one of the other kind is', async () => {
    const { fence, by, fencesIn } = await start(way)
    fence(7)
    by.answer(by.takePublish(), 503)
    fence(3, 'message_waiting')
    by.answer(by.takePublish(), 503)
    fence(8)
    by.answer(by.takePublish(), 200, 'SIP-ETag: 1')
    expect(new Set(fencesIn(5_000))).toEqual(new Set([3]))
  })

  it('with 503 is not sent again where a newer one waited behind it', async () => {
    const { fence, by, fencesIn } = await start(way)
    fence(7)
    const publish = by.takePublish()
    fence(8)
    by.answer(publish, 503)
    const next = by.takePublish()
    expect(nonces([next])).toEqual([8])
    by.answer(next, 200, 'SIP-ETag: 1')
    expect(fencesIn(5_000)).toEqual([])
  })

  it('with 503 is not sent again when Asterisk is lost', async () => {
    const { fence, by, wire, stream, clock, events, fencesIn } = await start(way)
    fence(7)
    by.answer(by.takePublish(), 503)
    wire.refuse()
    clock.pass(500)
    for (const ping of stream.takeRequests('OPTIONS')) stream.answer(ping, 200)
    wire.answer(wire.takePing(), 200)
    expect(events.map(({ type }) => type)).toEqual(['AsteriskLost', 'AsteriskFound'])
    expect(fencesIn(5_000)).toEqual([])
  })
})

describe('a fence that is under way', () => {
  it('by a connection that ends is sent again after 1 s as a datagram', async () => {
    const { fence, stream, sentIn, fencesIn } = await start('TCP')
    fence(7)
    stream.takePublish()
    stream.end('read ECONNRESET')
    expect(fencesIn(999)).toEqual([])
    const sent = sentIn(1)
    expect(nonces(sent)).toEqual([7])
    expect(sent[0]?.headers.get('via')).toMatch(/^SIP\/2\.0\/UDP /)
  })

  it('by a connection that ends as Asterisk dies is not sent again', async () => {
    const { fence, stream, wire, clock, events, fencesIn } = await start('TCP')
    fence(7)
    stream.takePublish()
    stream.end('read ECONNRESET')
    wire.refuse()
    clock.pass(500)
    wire.answer(wire.takePing(), 200)
    expect(events.map(({ type }) => type)).toEqual(['AsteriskLost', 'AsteriskFound'])
    expect(fencesIn(5_000)).toEqual([])
  })

  it('as Asterisk is lost is not sent again', async () => {
    const { fence, wire, clock, events, fencesIn } = await start()
    fence(7)
    wire.refuse()
    clock.pass(500)
    wire.answer(wire.takePing(), 200)
    expect(events.map(({ type }) => type)).toEqual(['AsteriskLost', 'AsteriskFound'])
    expect(fencesIn(5_000)).toEqual([])
  })

  it('while Asterisk is lost is not sent at all, nor when it is found', async () => {
    const { fence, wire, clock, fencesIn } = await start()
    wire.refuse()
    fence(7)
    clock.pass(500)
    wire.answer(wire.takePing(), 200)
    expect(fencesIn(5_000)).toEqual([])
  })
})

describe('a bridge that stops', () => {
  it('sends no fence again', async () => {
    const { edge, fence, wire, clock } = await start()
    fence(7)
    wire.answer(wire.takePublish(), 503)
    await edge.stop()
    expect(clock.pending).toBe(0)
    clock.pass(5_000)
    expect(wire.takeRequests('PUBLISH')).toEqual([])
  })

  it('sends none again that fails while it takes back what it published', async () => {
    const { edge, fence, wire, clock } = await start()
    fence(7)
    wire.answer(wire.takePublish(), 200, 'SIP-ETag: 1')
    fence(8)
    const stopped = edge.stop()
    wire.answer(wire.takePublish(), 503)
    wire.answer(wire.takePublish(), 200)
    await stopped
    expect(clock.pending).toBe(0)
  })

  it('sends none that it is told to send then', async () => {
    const { edge, fence, wire, clock } = await start()
    fence(7)
    wire.answer(wire.takePublish(), 200, 'SIP-ETag: 1')
    const stopped = edge.stop()
    const removal = wire.takePublish()
    fence(8)
    wire.answer(removal, 200)
    await stopped
    expect(wire.takeRequests('PUBLISH')).toEqual([])
    expect(clock.pending).toBe(0)
  })
})
