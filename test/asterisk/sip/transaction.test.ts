import { describe, expect, it } from 'vitest'
import {
  ClientTransactions,
  serverKey,
  ServerTransactions,
  type Outcome,
} from '../../../src/asterisk/sip/transaction.js'
import { FakeClock, parseRequest, parseResponse, publishOf, responseTo } from './support.js'

function begun({ isReliable = false } = {}) {
  const clock = new FakeClock()
  const sentAtMs: number[] = []
  const outcomes: Outcome[] = []
  const startMs = clock.now()
  const clients = new ClientTransactions(clock)
  const way = { isReliable, send: () => void sentAtMs.push(clock.now() - startMs) }
  const request = parseRequest(publishOf())
  const branch = /branch=(\S+)/.exec(request.headers.get('via') ?? '')?.[1] ?? ''
  const message = Buffer.from('request')
  clients.begin({ branch, method: 'PUBLISH', message }, way, (outcome) => outcomes.push(outcome))
  return { clock, clients, way, request, branch, sentAtMs, outcomes }
}

describe('a non-INVITE client transaction', () => {
  it('retransmits after 0.5, 1, 2 and then every 4 s, and times out after 32 s (timers E and F)', () => {
    const { clock, sentAtMs, outcomes } = begun()
    clock.pass(31_999)
    expect(outcomes).toEqual([])
    clock.pass(1)
    expect(outcomes).toEqual([{ type: 'timeout' }])
    clock.pass(60_000)
    expect(sentAtMs).toEqual([
      0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ])
    expect(clock.pending).toBe(0)
  })

  it('goes once by a reliable way, and times out after 32 s there too (timer F)', () => {
    const { clock, sentAtMs, outcomes } = begun({ isReliable: true })
    clock.pass(31_999)
    expect(outcomes).toEqual([])
    clock.pass(1)
    expect(outcomes).toEqual([{ type: 'timeout' }])
    expect(sentAtMs).toEqual([0])
    expect(clock.pending).toBe(0)
  })

  it('is disconnected with its way, and with no other', () => {
    const { clients, way, clock, outcomes } = begun({ isReliable: true })
    clients.disconnected({ isReliable: true, send: () => undefined }, 'another way')
    expect(outcomes).toEqual([])
    clients.disconnected(way, 'this way')
    expect(outcomes).toEqual([{ type: 'disconnected', reason: 'this way' }])
    expect(clock.pending).toBe(0)
  })

  it('is abandoned where the end of another by its way shows that the other side is gone', () => {
    const { clients, way, outcomes } = begun({ isReliable: true })
    const others: string[] = []
    for (const branch of ['z9hG4bKx', 'z9hG4bKy']) {
      clients.begin({ branch, method: 'PUBLISH', message: Buffer.from('') }, way, ({ type }) => {
        others.push(type)
        clients.abandonAll('gone')
      })
    }
    clients.disconnected(way, 'over')
    expect(outcomes).toEqual([{ type: 'disconnected', reason: 'over' }])
    expect(others).toEqual(['disconnected', 'abandoned'])
  })

  it('slows to T2 after a provisional response', () => {
    const { clock, clients, request, sentAtMs, outcomes } = begun()
    clients.receive(parseResponse(responseTo(request, 100)))
    clock.pass(9_000)
    expect(sentAtMs).toEqual([0, 500, 4_500, 8_500])
    expect(outcomes).toEqual([])
  })

  it('ends once at the final response, and drops its retransmissions (timer K)', () => {
    const { clock, clients, request, sentAtMs, outcomes } = begun()
    const response = parseResponse(responseTo(request, 200))
    expect(clients.receive(response)).toBe(true)
    expect(clients.receive(response)).toBe(false)
    clock.pass(60_000)
    expect(outcomes).toEqual([{ type: 'response', response }])
    expect(sentAtMs).toEqual([0])
  })

  it('does not take a response to another branch or method', () => {
    const { clients, request, outcomes } = begun()
    const text = responseTo(request, 200)
    expect(clients.receive(parseResponse(text.replace('z9hG4bK', 'z9hG4bKx')))).toBe(false)
    expect(clients.receive(parseResponse(text.replace('07 PUBLISH', '07 OPTIONS')))).toBe(false)
    expect(outcomes).toEqual([])
  })

  it('is abandoned with the reason, and says nothing when cancelled', () => {
    const first = begun()
    first.clients.abandonAll('gone')
    expect(first.outcomes).toEqual([{ type: 'abandoned', reason: 'gone' }])
    expect(first.clock.pending).toBe(0)
    const second = begun()
    second.clients.cancel(second.branch)
    second.clock.pass(60_000)
    expect(second.outcomes).toEqual([])
    expect(second.sentAtMs).toEqual([0])
  })
})

describe('server transactions', () => {
  const keyOf = (text: string): string => serverKey(parseRequest(text))

  it('give a retransmission the same answer for 32 s (timer J)', () => {
    const clock = new FakeClock()
    const servers = new ServerTransactions(clock)
    const text = publishOf()
    servers.remember(keyOf(text), Buffer.from('answer'))
    clock.pass(31_999)
    expect(servers.answerTo(keyOf(text))?.toString()).toBe('answer')
    expect(servers.answerTo(keyOf(publishOf()))).toBeUndefined()
    clock.pass(1)
    expect(servers.answerTo(keyOf(text))).toBeUndefined()
  })

  it('forget what has expired, and the oldest beyond their bound', () => {
    const clock = new FakeClock()
    const servers = new ServerTransactions(clock, 10)
    const texts = Array.from({ length: 11 }, () => publishOf())
    for (const text of texts) servers.remember(keyOf(text), Buffer.from(text))
    expect(servers.size).toBe(10)
    expect(servers.answerTo(keyOf(texts[0] ?? ''))).toBeUndefined()
    expect(servers.answerTo(keyOf(texts[1] ?? ''))).toBeDefined()
    clock.pass(32_000)
    servers.remember(keyOf(publishOf()), Buffer.from('x'))
    expect(servers.size).toBe(1)
  })
})
