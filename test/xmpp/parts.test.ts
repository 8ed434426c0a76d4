import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Socket } from 'node:net'
import xml from '@xmpp/xml'
import { Backoff, sleep } from '../../src/xmpp/backoff.js'
import { StreamClient } from '../../src/xmpp/client.js'
import { RequestTimeout, StanzaError, toStreamFailure } from '../../src/xmpp/errors.js'
import { stanzaBounds } from '../../src/xmpp/framing.js'
import { bareJid, domainOf, isSameJid, localOf } from '../../src/xmpp/jid.js'
import { PendingRequests } from '../../src/xmpp/requests.js'
import { parseServiceUri } from '../../src/xmpp/service-uri.js'
import { SilenceDetector } from '../../src/xmpp/silence.js'
import { moveStatus } from '../../src/xmpp/status.js'

describe('Backoff', () => {
  const options = { firstMs: 500, capMs: 30_000 }

  it('starts at zero, doubles, and is capped', () => {
    const backoff = new Backoff({ ...options, random: () => 0 })
    const delays = Array.from({ length: 10 }, () => backoff.next())
    expect(delays).toEqual([0, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
    backoff.reset()
    expect(backoff.next()).toBe(0)
  })

  it('takes up to half away by jitter', () => {
    const backoff = new Backoff({ ...options, random: () => 0.5 })
    expect([backoff.next(), backoff.next(), backoff.slow()]).toEqual([0, 375, 22_500])
  })
})

describe('on fake time', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('a sleep ends with its time or its signal, and leaves no timer', async () => {
    const abort = new AbortController()
    const slept = sleep(1000, abort.signal)
    await vi.advanceTimersByTimeAsync(1000)
    await slept
    const woken = sleep(1000, abort.signal)
    abort.abort()
    await woken
    await sleep(1000, abort.signal)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('silence is asked about at half its limit and found at its limit', () => {
    const heard: string[] = []
    const detector = new SilenceDetector({
      limitMs: 1000,
      ping: () => heard.push(`ping ${performance.now() - begin}`),
      onSilence: () => heard.push(`silence ${performance.now() - begin}`),
    })
    const begin = performance.now()
    detector.start()
    vi.advanceTimersByTime(300)
    detector.received()
    vi.advanceTimersByTime(499)
    expect(heard).toEqual([])
    vi.advanceTimersByTime(1)
    expect(heard).toEqual(['ping 800'])
    vi.advanceTimersByTime(100)
    detector.received()
    vi.advanceTimersByTime(5000)
    expect(heard).toEqual(['ping 800', 'ping 1400', 'silence 1900'])
    expect(vi.getTimerCount()).toBe(0)
  })

  describe('after a stall of the process', () => {
    /** The clock goes on, and the timers that came due meanwhile run before any socket is read. */
    function stall(durationMs: number): void {
      const now = performance.now.bind(performance)
      vi.spyOn(performance, 'now').mockImplementation(() => now() + durationMs)
      vi.advanceTimersToNextTimer()
    }
    afterEach(() => {
      vi.restoreAllMocks()
    })

    function detect(): string[] {
      const heard: string[] = []
      const detector = new SilenceDetector({
        limitMs: 10_000,
        ping: () => {
          heard.push('ping')
          if (answers) setTimeout(() => detector.received(), 10)
        },
        onSilence: () => heard.push('silence'),
      })
      detector.start()
      return heard
    }
    let answers = false

    it('a stream that was not asked yet is asked, and lives where it answers', () => {
      answers = true
      const heard = detect()
      stall(20_000)
      vi.advanceTimersByTime(5_000)
      expect(heard).toEqual(['ping'])
    })

    it('silence is found all the same, half a limit later', () => {
      answers = false
      const heard = detect()
      stall(20_000)
      vi.advanceTimersByTime(4_999)
      expect(heard).toEqual(['ping'])
      vi.advanceTimersByTime(1)
      expect(heard).toEqual(['ping', 'silence'])
    })

    it('a request takes the answer that waits in the socket', async () => {
      const requests = new PendingRequests()
      const answered = requests.await('1', 'example.org', 10_000)
      stall(20_000)
      requests.settle(xml('iq', { id: '1', type: 'result', from: 'example.org' }), 'a@b/c')
      expect((await answered).attrs['type']).toBe('result')
      expect(vi.getTimerCount()).toBe(0)
    })

    it('a request without an answer times out a second later', async () => {
      const requests = new PendingRequests()
      const outcome = vi.fn()
      requests.await('1', 'example.org', 10_000).catch(outcome)
      stall(20_000)
      await vi.advanceTimersByTimeAsync(999)
      expect(outcome).not.toHaveBeenCalled()
      await vi.advanceTimersByTimeAsync(1)
      expect(outcome).toHaveBeenCalledExactlyOnceWith(expect.any(RequestTimeout))
    })
  })
})

describe('StreamClient', () => {
  it('keeps a listener on a socket that it has given up: late errors end no process', () => {
    const uri = parseServiceUri('xmpp://127.0.0.1:1')
    const client = new StreamClient({
      service: uri,
      domain: 'example.org',
      timeoutMs: 1000,
      directTls: () => ({}),
      onReceived: () => undefined,
      boundsOf: () => stanzaBounds,
      passedOver: () => undefined,
    })
    const socket = new Socket()
    client._attachSocket(Object.assign(socket, { secure: false }))
    socket.emit('close')
    expect(client.socket).toBeNull()
    expect(() => socket.emit('error', new Error('late'))).not.toThrow()
  })
})

describe('moveStatus', () => {
  it('throws at a move that the table does not have', () => {
    const waiting = { state: 'waiting', delayMs: 0, reason: '' } as const
    expect(moveStatus({ state: 'offline' }, { state: 'connecting', service: 'x' }).state).toBe(
      'connecting',
    )
    expect(() => moveStatus({ state: 'offline' }, waiting)).toThrow('offline cannot become waiting')
    expect(() => moveStatus({ state: 'stopped' }, waiting)).toThrow('stopped cannot become waiting')
  })
})

describe('parseServiceUri', () => {
  it.each([
    ['xmpp://127.0.0.1', { host: '127.0.0.1', port: 5222, isDirectTls: false }],
    ['xmpps://xmpp.example.org', { host: 'xmpp.example.org', port: 5223, isDirectTls: true }],
    ['xmpp://[fe80::1]:5299', { host: 'fe80::1', port: 5299, href: 'xmpp://[fe80::1]:5299' }],
  ])('%s', (text, parts) => {
    expect(parseServiceUri(text)).toMatchObject(parts)
  })

  it.each([
    'example.org',
    'http://example.org',
    'xmpp://',
    'xmpp://u@h',
    'xmpp://h/x',
    'xmpp://h:99999',
  ])('refuses %s', (text) => {
    expect(() => parseServiceUri(text)).toThrow(TypeError)
  })
})

describe('JIDs', () => {
  it('are taken apart as they are spelled', () => {
    const jid = 'pbx-a@example.org/x@y/z'
    expect([bareJid(jid), domainOf(jid), localOf(jid)]).toEqual([
      'pbx-a@example.org',
      'example.org',
      'pbx-a',
    ])
    expect([bareJid('example.org'), domainOf('example.org'), localOf('example.org')]).toEqual([
      'example.org',
      'example.org',
      '',
    ])
  })

  it('are the same whatever the case, but for the resource', () => {
    expect(isSameJid('A@Example.org/X', 'a@example.org/X')).toBe(true)
    expect(isSameJid('a@example.org/X', 'a@example.org/x')).toBe(false)
    expect(isSameJid('', 'a@example.org')).toBe(false)
  })
})

describe('errors', () => {
  it.each([
    ['item-not-found', 'cancel', true],
    ['forbidden', 'auth', false],
    ['conflict', 'cancel', false],
    ['resource-constraint', 'wait', true],
    ['bad-request', 'wait', true],
    ['something-new', 'cancel', true],
  ])('%s of type %s: is it temporary? %s', (condition, type, isTemporary) => {
    expect(new StanzaError(condition, type).isTemporary).toBe(isTemporary)
  })

  it('of sockets keep their code, those of certificates are one condition, their dates another', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    expect(toStreamFailure(refused)).toMatchObject({ condition: 'ECONNREFUSED', isTemporary: true })
    // Node's of a name with several addresses says nothing itself.
    const both = ['::1', '127.0.0.1'].map((host) => new Error(`connect ECONNREFUSED ${host}:5222`))
    const all = Object.assign(new AggregateError(both), { code: 'ECONNREFUSED' })
    expect(toStreamFailure(all)).toMatchObject({
      condition: 'ECONNREFUSED',
      message: 'connect ECONNREFUSED ::1:5222, connect ECONNREFUSED 127.0.0.1:5222',
    })
    const expired = Object.assign(new Error('certificate has expired'), {
      code: 'CERT_HAS_EXPIRED',
    })
    expect(toStreamFailure(expired)).toMatchObject({
      condition: 'certificate-date',
      isTemporary: false,
    })
    const unknown = Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect(toStreamFailure(unknown)).toMatchObject({ condition: 'certificate', isTemporary: false })
  })
})
