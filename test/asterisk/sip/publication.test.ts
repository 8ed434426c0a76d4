import { describe, expect, it } from 'vitest'
import type { Failure } from '../../../src/bridge/events.js'
import { Publication, type OutgoingRequest } from '../../../src/asterisk/sip/publication.js'
import type { Outcome } from '../../../src/asterisk/sip/transaction.js'
import { FakeClock, parseResponse } from './support.js'

/** A publication and the Asterisk that answers it, by hand. */
function start({ isPatient = false } = {}) {
  const clock = new FakeClock()
  const sent: { request: OutgoingRequest; onEnd: (outcome: Outcome) => void }[] = []
  const ends: (Failure | 'published')[] = []
  const publication = new Publication('asterisk-devicestate', {
    clock,
    uri: 'sip:hintbridge@127.0.0.1:5060',
    credentials: { user: 'hintbridge', password: 'secret' },
    isPatient,
    send: (request, onEnd) => void sent.push({ request, onEnd }),
  })
  return {
    clock,
    sent,
    ends,
    publication,
    publish: (body: string) => {
      publication.publish(body, (failure) => ends.push(failure ?? 'published'))
    },
    /** What the request says, in short. */
    said: () => {
      const { request } = sent.at(-1) ?? {}
      const fields = new Map(request?.fields)
      return {
        expires: fields.get('Expires'),
        match: fields.get('SIP-If-Match'),
        body: request?.body,
        nc: /nc=(\w+)/.exec(fields.get('Authorization') ?? '')?.[1],
      }
    },
    answer: (status: number, ...fields: string[]) => {
      const lines = ['Via: x', 'From: x', 'To: x', 'Call-ID: x', 'CSeq: 1 PUBLISH', ...fields]
      const text = [`SIP/2.0 ${status} Reason`, ...lines, '', ''].join('\r\n')
      sent.at(-1)?.onEnd({ type: 'response', response: parseResponse(text) })
    },
  }
}

const granted = (tag: string, expires = 3_600) => [`SIP-ETag: ${tag}`, `Expires: ${expires}`]
const challenge = (nonce: string, rest = '') =>
  `WWW-Authenticate: Digest realm="asterisk",nonce="${nonce}",algorithm=MD5,qop="auth"${rest}`

describe('a publication at Asterisk', () => {
  it('is created by its first body and modified by the next, with a new entity tag each time', () => {
    const { publish, said, answer, ends, sent } = start()
    publish('1')
    expect(said()).toMatchObject({ body: '1', match: undefined, expires: '3600' })
    answer(200, ...granted('a'))
    publish('2')
    expect(said()).toMatchObject({ body: '2', match: 'a' })
    answer(200, ...granted('b'))
    publish('3')
    expect(said()).toMatchObject({ body: '3', match: 'b' })
    expect(ends).toEqual(['published', 'published'])
    expect(new Set(sent.map(({ request }) => request.callId)).size).toBe(1)
    expect(sent.map(({ request }) => request.sequence)).toEqual([1, 2, 3])
  })

  it('is refreshed daily where it was granted for years: no timer of Node is that long', () => {
    const { clock, publish, answer, said } = start()
    publish('1')
    answer(200, ...granted('a', 999_999_999))
    clock.pass(86_400_000 - 60_001)
    expect(said().body).toBe('1')
    clock.pass(1)
    expect(said()).toMatchObject({ body: undefined, match: 'a' })
  })

  it('that was granted for no time is not refreshed, but created again by the next body', () => {
    const { clock, publish, answer, said, sent } = start()
    publish('1')
    answer(200, ...granted('a', 0))
    clock.pass(7_200_000)
    expect(sent).toHaveLength(1)
    publish('2')
    expect(said()).toMatchObject({ body: '2', match: undefined })
  })

  it('has one request under way, the rest wait in order', () => {
    const { publish, answer, sent } = start()
    for (const body of ['1', '2', '3']) publish(body)
    expect(sent).toHaveLength(1)
    answer(200, ...granted('a'))
    answer(200, ...granted('b'))
    expect(sent.map(({ request }) => request.body)).toEqual(['1', '2', '3'])
  })

  it('puts what the end of one publishes behind what already waits', () => {
    const { publication, publish, answer, sent } = start()
    publication.publish('1', () => publish('3'))
    publish('2')
    answer(200, ...granted('a'))
    answer(200, ...granted('b'))
    expect(sent.map(({ request }) => request.body)).toEqual(['1', '2', '3'])
  })

  it('is created again with the whole body when Asterisk forgot it (412)', () => {
    const { publish, said, answer, ends } = start()
    publish('1')
    answer(200, ...granted('a'))
    publish('2')
    answer(412)
    expect(said()).toMatchObject({ body: '2', match: undefined })
    answer(200, ...granted('b'))
    expect(ends).toEqual(['published', 'published'])
  })

  it('fails temporarily on a 412 to what named no entity tag', () => {
    const { publish, answer, ends, sent } = start()
    publish('1')
    answer(412)
    expect(sent).toHaveLength(1)
    expect(ends).toMatchObject([{ condition: '412', isTemporary: true }])
  })

  it('asks for Min-Expires when its own was too brief (423)', () => {
    const { publish, said, answer, ends } = start()
    publish('1')
    answer(423, 'Min-Expires: 7200')
    expect(said()).toMatchObject({ body: '1', expires: '7200' })
    answer(423, 'Min-Expires: 7200')
    expect(ends).toMatchObject([{ condition: '423', isTemporary: false }])
  })

  it('refreshes without a body a minute before it expires', () => {
    const { clock, publish, said, answer, sent } = start()
    publish('1')
    answer(200, ...granted('a', 600))
    clock.pass(300_000)
    publish('2')
    answer(200, ...granted('b', 600))
    clock.pass(539_999)
    expect(sent).toHaveLength(2)
    clock.pass(1)
    expect(said()).toMatchObject({ body: undefined, match: 'b', expires: '3600' })
    answer(200, ...granted('c', 600))
    publish('3')
    expect(said()).toMatchObject({ body: '3', match: 'c' })
  })

  it('starts afresh after a refresh that Asterisk did not know', () => {
    const { clock, publish, said, answer, sent } = start()
    publish('1')
    answer(200, ...granted('a', 600))
    clock.pass(540_000)
    answer(412)
    expect(sent).toHaveLength(2)
    publish('2')
    expect(said()).toMatchObject({ body: '2', match: undefined })
  })

  it('is removed with Expires 0, if it is there', () => {
    const { publication, clock, publish, said, answer, sent, ends } = start()
    publication.remove(() => ends.push('published'))
    expect(sent).toEqual([])
    publish('1')
    answer(200, ...granted('a'))
    publication.remove(() => ends.push('published'))
    expect(said()).toMatchObject({ body: undefined, match: 'a', expires: '0' })
    answer(200)
    expect(ends).toEqual(['published', 'published', 'published'])
    expect(clock.pending).toBe(0)
  })
})

describe('credentials at Asterisk', () => {
  it('are given when asked for, then without being asked, nc rising', () => {
    const { publish, said, answer, ends, sent } = start()
    publish('1')
    expect(said().nc).toBeUndefined()
    answer(401, challenge('n1'))
    expect(said()).toMatchObject({ body: '1', nc: '00000001' })
    answer(200, ...granted('a'))
    publish('2')
    expect(said()).toMatchObject({ body: '2', nc: '00000002' })
    answer(200, ...granted('b'))
    expect(sent).toHaveLength(3)
    expect(ends).toEqual(['published', 'published'])
  })

  it.each([
    ['stale', ', stale=true'],
    ['of an Asterisk that has restarted', ''],
  ])('are given anew for a nonce that is %s', (_, rest) => {
    const { publish, said, answer, ends } = start()
    publish('1')
    answer(401, challenge('n1'))
    answer(200, ...granted('a'))
    publish('2')
    answer(401, challenge('n2', rest))
    expect(said()).toMatchObject({ body: '2', match: 'a', nc: '00000001' })
    answer(200, ...granted('b'))
    expect(ends).toEqual(['published', 'published'])
  })

  it('that are wrong are tried once, and the failure says what to look at', () => {
    const { publish, answer, ends, sent } = start()
    publish('1')
    answer(401, challenge('n1'))
    answer(401, challenge('n2'))
    expect(sent).toHaveLength(2)
    expect(ends).toMatchObject([{ condition: '401', isTemporary: false }])
    expect(ends[0]).toMatchObject({ reason: expect.stringContaining('password') as string })
  })

  it('answer a proxy too (407)', () => {
    const { publish, said, answer } = start()
    publish('1')
    answer(407, challenge('n1').replace('WWW', 'Proxy'))
    expect(said().nc).toBe('00000001')
  })

  it('give up on a server that calls every nonce stale', () => {
    const { publish, answer, ends, sent } = start()
    publish('1')
    for (let nonce = 0; ends.length === 0; nonce++)
      answer(401, challenge(`n${nonce}`, ', stale=true'))
    expect(sent).toHaveLength(6)
  })
})

/** As by timer E; a request that is answered 503 leaves no transaction behind. */
const pausesMs = [500, 1_000, 2_000, 4_000, 4_000, 4_000, 4_000, 4_000, 4_000, 4_000]

describe('a patient publication that an overloaded Asterisk answers 503', () => {
  const startPatient = () => start({ isPatient: true })

  it('is sent again as often and as long as a datagram would be, then fails', () => {
    const { clock, publish, answer, sent, ends } = startPatient()
    publish('1')
    for (const [index, pauseMs] of pausesMs.entries()) {
      answer(503)
      clock.pass(pauseMs - 1)
      expect(sent).toHaveLength(index + 1)
      clock.pass(1)
      expect(sent).toHaveLength(index + 2)
    }
    expect(ends).toEqual([])
    answer(503)
    expect(ends).toMatchObject([{ condition: '503', isTemporary: true }])
    expect(clock.pending).toBe(0)
    expect(new Set(sent.map(({ request }) => request.body))).toEqual(new Set(['1']))
  })

  it('is published once it is answered, and what came meanwhile then', () => {
    const { clock, publish, answer, sent, said, ends } = startPatient()
    publish('1')
    answer(200, ...granted('a'))
    publish('2')
    answer(503)
    publish('3')
    expect(sent).toHaveLength(2)
    clock.pass(500)
    expect(said()).toMatchObject({ body: '2', match: 'a' })
    answer(200, ...granted('b'))
    expect(ends).toEqual(['published', 'published'])
    expect(said()).toMatchObject({ body: '3', match: 'b' })
    expect(sent).toHaveLength(4)
  })

  it('fails where another waits behind it, which is sent', () => {
    const { clock, publish, answer, said, ends } = startPatient()
    publish('1')
    publish('2')
    answer(503)
    expect(ends).toMatchObject([{ condition: '503', isTemporary: true }])
    expect(said()).toMatchObject({ body: '2' })
    expect(clock.pending).toBe(0)
  })

  it('may then be challenged, and be unknown, like one that did not wait', () => {
    const { clock, publish, answer, said, ends } = startPatient()
    publish('1')
    answer(200, ...granted('a'))
    publish('2')
    for (const pauseMs of pausesMs.slice(0, 6)) {
      answer(503)
      clock.pass(pauseMs)
    }
    answer(401, challenge('n1'))
    answer(412)
    expect(said()).toMatchObject({ body: '2', match: undefined, nc: '00000002' })
    answer(200, ...granted('b'))
    expect(ends).toEqual(['published', 'published'])
  })

  it('is not refreshed then, but created again by the next body, which does not wait', () => {
    const { clock, publish, answer, said, sent } = startPatient()
    publish('1')
    answer(200, ...granted('a'))
    clock.pass(3_540_000)
    answer(503)
    clock.pass(5_000)
    expect(sent).toHaveLength(2)
    publish('2')
    expect(said()).toMatchObject({ body: '2', match: undefined })
  })

  it('is not sent again when Asterisk is gone', () => {
    const { publication, clock, publish, answer, sent, ends } = startPatient()
    publish('1')
    answer(503)
    publish('2')
    const failure = { condition: 'asterisk-lost', reason: 'gone', isTemporary: true }
    publication.reset(failure)
    expect(ends).toEqual([failure, failure])
    expect(clock.pending).toBe(0)
    expect(sent).toHaveLength(1)
  })

  it('is removed at once, without what waited to be sent again', () => {
    const { publication, clock, publish, answer, said, sent, ends } = startPatient()
    publish('1')
    answer(200, ...granted('a'))
    publish('2')
    answer(503)
    publication.remove((failure) => ends.push(failure ?? 'published'))
    expect(ends).toMatchObject(['published', { condition: '503' }])
    expect(said()).toMatchObject({ expires: '0', match: 'a' })
    answer(200)
    expect(ends).toHaveLength(3)
    expect(clock.pending).toBe(0)
    expect(sent).toHaveLength(3)
  })

  it('does not wait where it is to be removed', () => {
    const { publication, clock, publish, answer, said, ends } = startPatient()
    publish('1')
    answer(200, ...granted('a'))
    publish('2')
    publication.remove((failure) => ends.push(failure ?? 'published'))
    answer(503)
    expect(said()).toMatchObject({ expires: '0', match: 'a' })
    answer(503)
    expect(ends).toMatchObject(['published', { condition: '503' }, { condition: '503' }])
    expect(clock.pending).toBe(0)
  })
})

describe('a publication whose connection ends under it', () => {
  const disconnected = { type: 'disconnected', reason: 'ECONNRESET' } as const

  it('is sent again at once, under the next CSeq', () => {
    const { publish, answer, sent, said, ends } = start()
    publish('1')
    answer(200, ...granted('a'))
    publish('2')
    sent.at(-1)?.onEnd(disconnected)
    expect(said()).toMatchObject({ body: '2', match: 'a' })
    expect(sent.map(({ request }) => request.sequence)).toEqual([1, 2, 3])
    // It had come: Asterisk has given another entity tag since.
    answer(412)
    expect(said()).toMatchObject({ body: '2', match: undefined })
    answer(200, ...granted('c'))
    expect(ends).toEqual(['published', 'published'])
  })

  it('has its refresh and its removal sent again too', () => {
    const { publication, clock, publish, answer, sent, said, ends } = start()
    publish('1')
    answer(200, ...granted('a'))
    clock.pass(3_540_000)
    sent.at(-1)?.onEnd(disconnected)
    expect(said()).toMatchObject({ body: undefined, match: 'a', expires: '3600' })
    answer(200, ...granted('b'))
    publication.remove((failure) => ends.push(failure ?? 'published'))
    sent.at(-1)?.onEnd(disconnected)
    expect(said()).toMatchObject({ body: undefined, match: 'b', expires: '0' })
    answer(200)
    expect(sent).toHaveLength(5)
    expect(ends).toEqual(['published', 'published'])
    expect(clock.pending).toBe(0)
  })

  it('again and again fails temporarily', () => {
    const { publish, sent, ends } = start()
    publish('1')
    for (let attempt = 0; attempt < 6; attempt++) {
      expect(ends).toEqual([])
      sent.at(-1)?.onEnd(disconnected)
    }
    expect(sent).toHaveLength(6)
    expect(ends).toEqual([{ condition: 'asterisk-lost', reason: 'ECONNRESET', isTemporary: true }])
  })
})

describe('a failed publication', () => {
  it.each([
    [403, false],
    [404, false],
    [489, false],
    [400, false],
    [302, false],
    [603, false],
    [480, true],
    [500, true],
    [503, true],
  ])('names the status %i and whether it may pass: %s', (status, isTemporary) => {
    const { publish, answer, ends } = start()
    publish('1')
    answer(status)
    expect(ends).toMatchObject([{ condition: String(status), isTemporary }])
  })

  it('may pass after a timeout or a lost Asterisk, and the next body is sent', () => {
    const { publish, sent, ends } = start()
    for (const body of ['1', '2', '3']) publish(body)
    sent.at(-1)?.onEnd({ type: 'timeout' })
    sent.at(-1)?.onEnd({ type: 'abandoned', reason: 'gone' })
    expect(ends).toMatchObject([
      { condition: 'timeout', isTemporary: true },
      { condition: 'asterisk-lost', isTemporary: true, reason: 'gone' },
    ])
    expect(sent.at(-1)?.request.body).toBe('3')
  })

  it('of an Asterisk that is gone forgets entity tag and nonce, and fails what waits', () => {
    const { publication, clock, publish, said, answer, sent, ends } = start()
    publish('1')
    answer(401, challenge('n1'))
    answer(200, ...granted('a'))
    publish('2')
    publish('3')
    const failure = { condition: 'asterisk-lost', reason: 'gone', isTemporary: true }
    publication.reset(failure)
    sent.at(-1)?.onEnd({ type: 'abandoned', reason: 'gone' })
    expect(ends).toEqual(['published', failure, failure])
    expect(clock.pending).toBe(0)
    publish('4')
    expect(said()).toMatchObject({ body: '4', match: undefined, nc: undefined })
  })
})
