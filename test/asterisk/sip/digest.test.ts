import { describe, expect, it } from 'vitest'
import {
  DigestClient,
  digestResponse,
  DigestServer,
  nonceLifetimeMs,
  parseChallenges,
  parseDigest,
  type DigestInput,
} from '../../../src/asterisk/sip/digest.js'
import { FakeClock } from './support.js'

/** RFC 7616 section 3.9.1. */
const rfc7616: Omit<DigestInput, 'algorithm'> = {
  user: 'Mufasa',
  password: 'Circle of Life',
  realm: 'http-auth@example.org',
  method: 'GET',
  uri: '/dir/index.html',
  nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
  qop: { nc: '00000001', cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ' },
}

/** RFC 2617 section 3.5. */
const rfc2617: DigestInput = {
  algorithm: 'MD5',
  user: 'Mufasa',
  password: 'Circle Of Life',
  realm: 'testrealm@host.com',
  method: 'GET',
  uri: '/dir/index.html',
  nonce: 'dcd98b7102dd2f0e8b11d0f600bfb0c093',
  qop: { nc: '00000001', cnonce: '0a4f113b' },
}

describe('a digest response', () => {
  it.each([
    ['RFC 7616, MD5', { ...rfc7616, algorithm: 'MD5' }, '8ca523f5e9506fed4657c9700eebdbec'],
    [
      'RFC 7616, SHA-256',
      { ...rfc7616, algorithm: 'SHA-256' },
      '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1',
    ],
    ['RFC 2617', rfc2617, '6629fae49393a05397450978507c4ef1'],
  ] as const)('is the one of %s', (_, input, response) => {
    expect(digestResponse(input)).toBe(response)
  })
})

describe('digest parameters', () => {
  it('are read quoted or bare, escapes and commas inside quotes included', () => {
    const parameters = parseDigest('Digest realm="a \\"b\\", c", NC=00000001 , qop="auth,auth-int"')
    expect(Object.fromEntries(parameters ?? [])).toEqual({
      realm: 'a "b", c',
      nc: '00000001',
      qop: 'auth,auth-int',
    })
  })

  it.each(['Basic abc', 'Digest realm="open', 'Digest realm', 'Digest =x', 'Digest a b="c"'])(
    'are not read from %s',
    (value) => {
      expect(parseDigest(value)).toBeUndefined()
    },
  )

  it('make challenges in order, without those that cannot be answered', () => {
    const challenges = parseChallenges([
      'Digest realm="r", nonce="1", algorithm=SHA-512-256, qop="auth"',
      'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth-int"',
      'Digest realm="r", nonce="3", algorithm=sha-256, qop="auth-int, auth", stale=TRUE',
      'Digest realm="r", nonce="4", opaque="o"',
    ])
    expect(challenges).toEqual([
      { realm: 'r', nonce: '3', algorithm: 'SHA-256', hasQop: true, isStale: true },
      { realm: 'r', nonce: '4', algorithm: 'MD5', hasQop: false, isStale: false, opaque: 'o' },
    ])
  })
})

describe('the challenged side', () => {
  const credentials = { user: 'hintbridge', password: 'secret' }

  it('answers with one nonce and a rising nc, until another challenge comes', () => {
    const client = new DigestClient(credentials, undefined, () => 'c')
    expect(client.authorize('PUBLISH', 'sip:a@b')).toBeUndefined()
    client.take(['Digest realm="asterisk",nonce="1/f",opaque="o",algorithm=MD5,qop="auth"'])
    const nc = () => parseDigest(client.authorize('PUBLISH', 'sip:a@b') ?? '')?.get('nc')
    expect([nc(), nc()]).toEqual(['00000001', '00000002'])
    client.take(['Digest realm="asterisk",nonce="2/f",algorithm=MD5,qop="auth",stale=true'])
    expect(nc()).toBe('00000001')
  })

  it('has nothing to say to a challenge that it does not understand', () => {
    const client = new DigestClient(credentials)
    expect(client.take(['Digest realm="r", nonce="n", algorithm=SHA-512-256'])).toBeUndefined()
  })
})

describe('the challenging side', () => {
  const credentials = { user: 'hintbridge', password: 'secret' }
  const request = { method: 'PUBLISH', uri: 'sip:hintbridge@127.0.0.1', callId: 'call' }

  function start() {
    const clock = new FakeClock()
    let nonces = 0
    const server = new DigestServer({
      ...credentials,
      realm: 'hintbridge',
      clock,
      makeNonce: () => `n${++nonces}`,
    })
    const client = new DigestClient(credentials)
    const wrong = new DigestClient({ ...credentials, password: 'guess' })
    const say = (from: DigestClient, callId = 'call') => {
      const authorization = from.authorize('PUBLISH', request.uri)
      const verdict = server.judge({ ...request, callId }, authorization ? [authorization] : [])
      if (verdict.type === 'challenged') from.take(verdict.values)
      return verdict
    }
    return { clock, server, client, wrong, say }
  }

  it('offers SHA-256 and always MD5, in one realm, with one nonce', () => {
    const { client, say } = start()
    expect(say(client)).toEqual({
      type: 'challenged',
      isWrong: false,
      values: [
        'Digest realm="hintbridge", nonce="n1", algorithm=SHA-256, qop="auth"',
        'Digest realm="hintbridge", nonce="n1", algorithm=MD5, qop="auth"',
      ],
    })
  })

  it('accepts the right credentials, again with a rising nc', () => {
    const { client, say } = start()
    say(client)
    expect([say(client).type, say(client).type]).toEqual(['accepted', 'accepted'])
  })

  it('accepts MD5 where that is all the other side knows', () => {
    const { server, client } = start()
    const verdict = server.judge(request, [])
    client.take(verdict.type === 'challenged' ? verdict.values.slice(1) : [])
    const authorization = client.authorize('PUBLISH', request.uri) ?? ''
    expect(authorization).toContain('algorithm=MD5')
    expect(server.judge(request, [authorization])).toEqual({ type: 'accepted' })
  })

  it('calls a replayed nc and an old nonce stale', () => {
    const { clock, server, client, say } = start()
    say(client)
    const authorization = client.authorize('PUBLISH', request.uri) ?? ''
    expect(server.judge(request, [authorization]).type).toBe('accepted')
    const replay = server.judge(request, [authorization])
    expect(replay.type === 'challenged' && replay.values[1]).toMatch(/, stale=true$/)
    clock.pass(nonceLifetimeMs)
    const old = server.judge(request, [client.authorize('PUBLISH', request.uri) ?? ''])
    expect(old).toMatchObject({ type: 'challenged', isWrong: false })
    expect(old.type === 'challenged' && old.values[1]).toMatch(/, stale=true$/)
  })

  it('challenges wrong credentials once, then refuses them, so that there is never a fifth 401', () => {
    const { wrong, say } = start()
    expect(say(wrong)).toMatchObject({ type: 'challenged', isWrong: false })
    expect(say(wrong)).toMatchObject({ type: 'challenged', isWrong: true })
    expect(say(wrong)).toEqual({ type: 'refused' })
    expect(say(wrong)).toEqual({ type: 'refused' })
  })

  it('forgives after the right credentials, and judges each dialogue by itself', () => {
    const { client, wrong, say } = start()
    say(wrong)
    say(wrong)
    say(client)
    expect(say(client).type).toBe('accepted')
    expect(say(wrong)).toMatchObject({ type: 'challenged', isWrong: true })
    expect(say(wrong, 'another call')).toMatchObject({ type: 'challenged', isWrong: true })
    expect(say(wrong)).toEqual({ type: 'refused' })
  })

  it('does not take credentials for another URI, method or realm', () => {
    const { server, client, say } = start()
    say(client)
    const elsewhere = client.authorize('PUBLISH', 'sip:other@127.0.0.1') ?? ''
    expect(server.judge(request, [elsewhere])).toMatchObject({ isWrong: true })
    const options = client.authorize('OPTIONS', request.uri) ?? ''
    expect(server.judge({ ...request, callId: 'b' }, [options])).toMatchObject({ isWrong: true })
    const foreign = (client.authorize('PUBLISH', request.uri) ?? '').replace(
      /realm="\w+"/,
      'realm="x"',
    )
    expect(server.judge(request, [foreign])).toMatchObject({ isWrong: false })
  })
})
