import { describe, expect, it } from 'vitest'
import { fenceEntry, fenceNonce } from '../../../src/asterisk/sip/body.js'
import { DigestClient } from '../../../src/asterisk/sip/digest.js'
import { fenceNonces } from '../../../src/bridge/commands.js'
import { secrets, startEdge as start, uri } from './started-edge.js'
import {
  deviceBody,
  mailboxBody,
  ownEid,
  peerEid,
  publishOf,
  type PublishOptions,
} from './support.js'

describe('liveness (rule 7)', () => {
  it('finds Asterisk by any answer to OPTIONS', async () => {
    const { wire, events } = await start()
    const [ping] = wire.takeRequests('OPTIONS')
    if (ping) wire.answer(ping, 401)
    expect(ping?.uri).toBe('sip:hintbridge@127.0.0.1:5060')
    expect(events).toEqual([{ type: 'AsteriskFound' }])
  })

  it('finds Asterisk by any request of its own, before what that says', async () => {
    const { events, publish } = await start()
    publish({ body: deviceBody('PJSIP/1') })
    expect(events.map(({ type }) => type)).toEqual(['AsteriskFound', 'StateReported'])
  })

  it('loses Asterisk after 12 s of silence to OPTIONS, and finds it again', async () => {
    const { clock, wire, events, hello, asterisk } = await start()
    hello()
    clock.pass(1_000)
    hello()
    asterisk.isMute = true
    clock.pass(12_499)
    expect(events).toEqual([])
    clock.pass(1)
    expect(events).toEqual([{ type: 'AsteriskLost', reason: 'no answer to OPTIONS for 12 s' }])
    asterisk.isMute = false
    const ping = wire.takeRequests('OPTIONS').at(-1)
    if (ping) wire.answer(ping, 200)
    expect(events[1]).toEqual({ type: 'AsteriskFound' })
  })

  it('does not lose an Asterisk that publishes but answers no OPTIONS', async () => {
    const { clock, events, publish, hello } = await start()
    hello()
    for (let round = 0; round < 10; round++) {
      clock.pass(10_000)
      publish({ body: deviceBody('PJSIP/1') })
    }
    expect(events.filter(({ type }) => type !== 'StateReported')).toEqual([])
  })

  it('loses Asterisk at once when its port is refused, and says so once', async () => {
    const { wire, events, hello } = await start()
    wire.refuse()
    expect(events).toEqual([])
    hello()
    wire.refuse()
    wire.refuse()
    expect(events).toEqual([{ type: 'AsteriskLost', reason: 'ECONNREFUSED' }])
  })

  it('answers OPTIONS without credentials', async () => {
    const { answerTo } = await start()
    const response = answerTo(publishOf({ method: 'OPTIONS' }))
    expect(response.status).toBe(200)
    expect(response.headers.get('allow-events')).toBe('asterisk-devicestate, asterisk-mwi')
  })
})

describe('a PUBLISH of Asterisk', () => {
  it('is challenged, then taken', async () => {
    const { answerTo, events, publish, hello } = await start()
    hello()
    expect(answerTo(publishOf({ body: deviceBody('PJSIP/1') })).status).toBe(401)
    expect(events).toEqual([])
    const response = publish({ body: deviceBody('PJSIP/1') })
    expect(response.status).toBe(200)
    expect(response.headers.get('sip-etag')).toMatch(/./)
    expect(events).toEqual([
      {
        type: 'StateReported',
        entry: { kind: 'device_state', id: 'PJSIP/1', state: 'INUSE', cachable: true },
      },
    ])
  })

  it('is told before it is answered at rest, and after that in a burst', async () => {
    const order: string[] = []
    const { clock, wire, publish, hello } = await start({
      post: (event) => order.push(`${event.type} after ${wire.sent.length} answers`),
    })
    hello()
    publish({ body: deviceBody('PJSIP/1') })
    for (const pauseMs of [5, 4]) {
      clock.pass(pauseMs)
      wire.take()
      publish({ body: deviceBody('PJSIP/2') })
    }
    expect(order.slice(-2)).toEqual([
      'StateReported after 0 answers',
      'StateReported after 1 answers',
    ])
  })

  it('that comes again gets the same octets and does nothing more', async () => {
    const { wire, events, hello } = await start()
    hello()
    wire.take()
    const text = publishOf({ body: deviceBody('PJSIP/1') })
    wire.deliver(text)
    wire.deliver(text)
    expect(wire.datagrams).toHaveLength(2)
    expect(wire.datagrams[0]).toEqual(wire.datagrams[1])
    expect(events).toEqual([])
  })

  it('with the wrong password gets one 401 more and then 403, never a fifth 401 (rule 6)', async () => {
    const { answerTo, counts } = await start()
    const guess = new DigestClient({ user: 'hintbridge', password: 'guess' })
    const statuses = [1, 2, 3, 4, 5, 6].map(() => {
      const authorization = guess.authorize('PUBLISH', uri)
      const fields = authorization ? [`Authorization: ${authorization}`] : []
      const response = answerTo(publishOf({ body: deviceBody('PJSIP/1'), fields }))
      guess.take(response.headers.all('www-authenticate'))
      return response.status
    })
    expect(statuses).toEqual([401, 401, 403, 403, 403, 403])
    expect(counts).toContain('refused_publishes credentials')
  })

  it.each([
    [
      'a mailbox',
      'asterisk-mwi',
      mailboxBody('1000@default', { old: 2, new: 3 }),
      {
        type: 'StateReported',
        entry: { kind: 'message_waiting', id: '1000@default', newMessages: 3, oldMessages: 2 },
      },
    ],
    [
      'a device without cachable as uncachable',
      'asterisk-devicestate',
      deviceBody('Custom:x', 'BUSY', { cachable: undefined }),
      {
        type: 'StateReported',
        entry: { kind: 'device_state', id: 'Custom:x', state: 'BUSY', cachable: false },
      },
    ],
    [
      'an uncachable device',
      'asterisk-devicestate',
      deviceBody('Custom:x', 'BUSY', { cachable: 0 }),
      {
        type: 'StateReported',
        entry: { kind: 'device_state', id: 'Custom:x', state: 'BUSY', cachable: false },
      },
    ],
    [
      'its EID in another spelling',
      'asterisk-devicestate',
      deviceBody('Custom:x', 'BUSY', { eid: '2:0:0:0:0:A' }),
      {
        type: 'StateReported',
        entry: { kind: 'device_state', id: 'Custom:x', state: 'BUSY', cachable: true },
      },
    ],
    [
      'a request for device states',
      'asterisk-devicestate',
      JSON.stringify({ type: 'refresh', eid: ownEid }),
      {
        type: 'RefreshRequested',
        kind: 'device_state',
      },
    ],
    [
      'a request for message counts',
      'asterisk-mwi',
      JSON.stringify({ type: 'refresh', eid: ownEid }),
      {
        type: 'RefreshRequested',
        kind: 'message_waiting',
      },
    ],
    [
      'a fence of devices',
      'asterisk-devicestate',
      deviceBody('hintbridge:fence-31', 'NOT_INUSE'),
      {
        type: 'FenceReturned',
        kind: 'device_state',
        nonce: 249,
      },
    ],
    [
      'a fence of mailboxes',
      'asterisk-mwi',
      mailboxBody('hintbridge@fence', { old: 0, new: 4711 }),
      {
        type: 'FenceReturned',
        kind: 'message_waiting',
        nonce: 4711,
      },
    ],
  ])('tells the domain of %s', async (_, event, body, told) => {
    const { hello, taken } = await start()
    hello()
    expect(taken(body, event)).toEqual({ status: 200, events: [told] })
  })

  it.each([
    ["the bridge's own endpoint", deviceBody('PJSIP/hintbridge', 'UNAVAILABLE')],
    ['a fence without a nonce', deviceBody('hintbridge:fence-x')],
    ['the device that res_mwi_devstate makes of the fence', deviceBody('MWI:hintbridge@fence')],
  ])('is taken but not told of: %s', async (_, body) => {
    const { hello, taken } = await start()
    hello()
    expect(taken(body)).toEqual({ status: 200, events: [] })
  })

  it.each([
    ['a foreign EID', deviceBody('PJSIP/1', 'INUSE', { eid: peerEid }), 403, 'foreign-eid'],
    ['the empty EID', deviceBody('PJSIP/1', 'INUSE', { eid: '00:00:00:00:00:00' }), 400, 'eid'],
    ['no EID', deviceBody('PJSIP/1', 'INUSE', { eid: undefined }), 400, 'eid'],
    ['an unknown state', deviceBody('PJSIP/1', 'ASLEEP'), 400, 'state'],
    ['no state', deviceBody('PJSIP/1', 'INUSE', { state: undefined }), 400, 'state'],
    ['a name with control characters', deviceBody('PJSIP/1\u0007'), 400, 'name'],
    ['a name with a lone surrogate', deviceBody('PJSIP/\ud800'), 400, 'name'],
    ['a name of more than 255 octets', deviceBody('x'.repeat(256)), 400, 'name'],
    ['an empty name', deviceBody(''), 400, 'name'],
    ['a name that is no string', deviceBody('', 'INUSE', { device: 1 }), 400, 'name'],
    ['an unknown type', deviceBody('x', 'INUSE', { type: 'presencestate' }), 400, 'type'],
    ['no type', deviceBody('x', 'INUSE', { type: undefined }), 400, 'type'],
    ['a mailbox under the event of devices', mailboxBody('1000@default'), 400, 'type'],
    ['an array', '[]', 400, 'body'],
    ['null', 'null', 400, 'body'],
    ['half a body', '{"type":"devicestate"', 400, 'body'],
    ['a raw control character', deviceBody('x').replace('"x"', '"\u0001"'), 400, 'body'],
    ['too long a body', deviceBody('x', 'INUSE', { rest: 'x'.repeat(9_000) }), 413, 'oversize'],
  ])('is refused and counted: %s', async (_, body, status, reason) => {
    const { hello, taken, counts } = await start()
    hello()
    expect(taken(body)).toEqual({ status, events: [] })
    expect(counts).toEqual([`refused_publishes ${reason}`])
  })

  it.each([
    ['a negative count', { old: 0, new: -1 }],
    ['a fraction', { old: 0.5, new: 0 }],
    ['a count beyond 2^31 - 1', { old: 0, new: 2 ** 31 }],
    ['a count in quotes', { old: 0, new: '1' }],
    ['no count', { old: 0 }],
  ])('is refused and counted: %s', async (_, messages) => {
    const { hello, taken, counts } = await start()
    hello()
    expect(taken(mailboxBody('1000@default', messages), 'asterisk-mwi').status).toBe(400)
    expect(counts).toEqual(['refused_publishes count'])
  })

  it('that continues a publication is not challenged again for 10 s', async () => {
    const { clock, answerTo, publish } = await start()
    let tag = publish({ body: deviceBody('PJSIP/1') }).headers.get('sip-etag') ?? ''
    const next = (parts: PublishOptions = {}) => {
      const fields = [`SIP-If-Match: ${tag}`]
      const response = answerTo(publishOf({ body: deviceBody('PJSIP/1'), fields, ...parts }))
      tag = response.headers.get('sip-etag') ?? tag
      return response.status
    }
    clock.pass(6_000)
    expect(next()).toBe(200)
    expect(next({ callId: 'another' })).toBe(401)
    expect(next({ fields: ['SIP-If-Match: guessed'] })).toBe(401)
    clock.pass(3_999)
    expect(next()).toBe(200)
    clock.pass(1)
    expect(next()).toBe(401)
    const fields = [`SIP-If-Match: ${tag}`]
    expect(publish({ body: deviceBody('PJSIP/1'), fields }).status).toBe(200)
  })

  it.each([
    ['another resource', 'sip:other@127.0.0.1:5070'],
    ['another port', 'sip:hintbridge@127.0.0.1:5071'],
    ['the default port', 'sip:hintbridge@127.0.0.1'],
    ['another host', 'sip:hintbridge@127.0.0.2:5070'],
    ["Asterisk's own address", 'sip:hintbridge@127.0.0.1:5060'],
    ['no resource', 'sip:127.0.0.1:5070'],
    ['another scheme', 'tel:hintbridge@127.0.0.1:5070'],
  ])('for %s is refused, with credentials or without', async (_, elsewhere) => {
    const { publish, answerTo, counts } = await start()
    const request = { uri: elsewhere, body: deviceBody('PJSIP/1') }
    expect(answerTo(publishOf(request)).status).toBe(404)
    expect(publish({ body: deviceBody('PJSIP/1') }).status).toBe(200)
    expect(publish(request).status).toBe(404)
    expect(counts).toEqual(['refused_publishes uri', 'refused_publishes uri'])
  })

  it.each([
    ['localhost', { host: '127.0.0.1', port: 5070 }, 'sip:hintbridge@LOCALHOST:5070'],
    [
      'a parameter',
      { host: '127.0.0.1', port: 5070 },
      'sip:hintbridge@127.0.0.1:5070;transport=udp',
    ],
    ['a name', { host: 'localhost', port: 5070 }, 'sip:hintbridge@127.0.0.1:5070'],
    ['all addresses', { host: '0.0.0.0', port: 5070 }, 'sip:hintbridge@pbx.example.org:5070'],
    ['IPv6', { host: '::1', port: 5070 }, 'sip:hintbridge@[0:0::1]:5070'],
    ['the default port', { host: '127.0.0.1', port: 5060 }, 'sip:hintbridge@127.0.0.1'],
  ])('that calls this side by %s is taken', async (_, listen, uri) => {
    const asterisk = { host: '127.0.0.1', port: 5061 }
    const { publish } = await start({
      entityId: ownEid,
      listen,
      asterisk,
      allowNonLoopback: true,
    })
    expect(publish({ uri, body: deviceBody('PJSIP/1') }).status).toBe(200)
  })

  it('with credentials that were made for another resource is not taken', async () => {
    const { answerTo } = await start()
    const request = { body: deviceBody('PJSIP/1') }
    const challenge = answerTo(publishOf(request)).headers.all('www-authenticate')
    const digest = new DigestClient({ user: 'hintbridge', password: secrets.toBridge.password })
    digest.take(challenge)
    const other = digest.authorize('PUBLISH', 'sip:hintbridge@127.0.0.1:5060') ?? ''
    expect(answerTo(publishOf({ ...request, fields: [`Authorization: ${other}`] })).status).toBe(
      401,
    )
  })
})

describe('a challenge', () => {
  const challenge = (realm: string, nonce = 'n') =>
    `WWW-Authenticate: Digest realm="${realm}",nonce="${nonce}",algorithm=MD5,qop="auth"`
  const oneSecret = { ...secrets, toAsterisk: { password: secrets.toBridge.password } }

  /** The PUBLISH that comes after a challenge to the first, if one does. */
  async function answerTo(header: (given: string) => string, options: object = {}) {
    const { edge, wire, hello, problems, answerTo } = await start({ entityId: ownEid, ...options })
    hello()
    const given = answerTo(publishOf({ body: deviceBody('PJSIP/1') })).headers.get(
      'www-authenticate',
    )
    edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    wire.answer(wire.takePublish(), 401, header(/nonce="(\w+)"/.exec(given ?? '')?.[1] ?? ''))
    return { again: wire.takeRequests('PUBLISH'), problems }
  }

  it("is answered in Asterisk's realm", async () => {
    const { again } = await answerTo(() => challenge('hintbridge-asterisk'))
    expect(again[0]?.headers.get('authorization')).toContain('realm="hintbridge-asterisk"')
  })

  it.each(['hintbridge', 'asterisk', ''])(
    "of the realm '%s' is not answered, but told",
    async (realm) => {
      const { again, problems } = await answerTo(() => challenge(realm))
      expect(again).toEqual([])
      expect(problems.get('asterisk-refuses')).toContain(
        'it asks in a realm that is not the one of',
      )
    },
  )

  it("is not answered for a nonce that is the bridge's own", async () => {
    const { again } = await answerTo((given) => challenge('hintbridge-asterisk', given))
    expect(again).toEqual([])
  })

  it('of any realm but its own is answered where one secret serves both directions', async () => {
    const options = { secrets: oneSecret }
    expect((await answerTo(() => challenge('asterisk'), options)).again).toHaveLength(1)
    expect((await answerTo(() => challenge('hintbridge'), options)).again).toEqual([])
    expect((await answerTo((given) => challenge('asterisk', given), options)).again).toEqual([])
  })
})

describe('other SIP', () => {
  it.each([
    ['a method not taken', publishOf({ method: 'MESSAGE' }), 405, 'allow', 'OPTIONS, PUBLISH'],
    ['a required extension', publishOf({ fields: ['Require: x'] }), 420, 'unsupported', 'x'],
    ['CANCEL', publishOf({ method: 'CANCEL' }), 481, 'allow', undefined],
    ['a body cut short', publishOf({ body: '{}' }).slice(0, -1), 400, 'allow', undefined],
  ])('is refused: %s', async (_, text, status, header, value) => {
    const { answerTo } = await start()
    const response = answerTo(text)
    expect(response.status).toBe(status)
    expect(response.headers.get(header)).toBe(value)
  })

  it.each([
    ['ACK', publishOf({ method: 'ACK' }), []],
    ['a keep-alive', '\r\n\r\n', []],
    ['noise', '\x00\x01', ['refused_publishes malformed']],
    [
      'a stray response',
      'SIP/2.0 200 OK\r\nVia: x\r\nFrom: x\r\nTo: x\r\nCall-ID: x\r\nCSeq: 1 PUBLISH\r\n\r\n',
      [],
    ],
  ])('gets no answer: %s', async (_, text, counted) => {
    const { wire, counts } = await start()
    wire.take()
    wire.deliver(text)
    expect(wire.take()).toEqual([])
    expect(counts).toEqual(counted)
  })
})

describe("the PBX's EID", () => {
  it('is learnt once from the first body with credentials, and others are refused from then on', async () => {
    const { edge, learnt, taken, answerTo } = await start({})
    answerTo(publishOf({ body: deviceBody('PJSIP/1', 'INUSE', { eid: peerEid }) }))
    expect(edge.entityId).toBeUndefined()
    taken(deviceBody('PJSIP/1'))
    taken(deviceBody('PJSIP/2'))
    expect(taken(deviceBody('PJSIP/1', 'INUSE', { eid: peerEid })).status).toBe(403)
    expect(learnt).toEqual([ownEid])
    expect(edge.entityId).toBe(ownEid)
  })

  it('is asked for by a refresh under a placeholder, as an idle Asterisk says nothing', async () => {
    const { clock, wire, events, learnt } = await start({})
    const [ping] = wire.takeRequests('OPTIONS')
    if (ping) wire.answer(ping, 401)
    const request = wire.takePublish()
    expect(JSON.parse(request.body.toString())).toEqual({
      type: 'refresh',
      eid: '02:00:00:00:00:00',
    })
    wire.answer(request, 489)
    // Whoever answers is not known to be Asterisk yet.
    expect(events).toEqual([])
    // With the next OPTIONS it is asked again.
    clock.pass(500)
    expect(wire.takeRequests('PUBLISH')).toHaveLength(1)
    expect(learnt).toEqual([])
  })

  it('that is configured is not asked for', async () => {
    const { wire, hello, learnt } = await start()
    hello()
    expect(wire.takeRequests('PUBLISH')).toEqual([])
    expect(learnt).toEqual([])
  })
})

describe('an Asterisk that has changed its EID', () => {
  const body = (eid: string) => deviceBody('PJSIP/1', 'INUSE', { eid })

  it('is told, and the learnt EID is given up when only the other came for 5 s', async () => {
    const { clock, moved, problems, taken, asterisk } = await start()
    asterisk.isMute = true
    expect(taken(body(peerEid)).status).toBe(403)
    expect(problems.get('foreign-eid')).toContain(
      `EID ${peerEid}, and the bridge runs under ${ownEid}`,
    )
    clock.pass(4_999)
    expect(moved).toEqual([])
    taken(body(peerEid))
    clock.pass(1)
    expect(moved).toEqual([peerEid])
  })

  it('is not believed while both EIDs come', async () => {
    const { clock, moved, problems, taken } = await start()
    for (let turn = 0; turn < 20; turn++) {
      taken(body(turn % 2 ? ownEid : peerEid))
      clock.pass(1_000)
    }
    expect(moved).toEqual([])
    expect(problems.has('foreign-eid')).toBe(true)
    clock.pass(60_000)
    expect(problems.has('foreign-eid')).toBe(false)
  })

  it('does not move a configured EID, and the remedy says so', async () => {
    const { clock, moved, problems, taken, asterisk } = await start({
      entityId: ownEid,
      isEntityIdConfigured: true,
    })
    asterisk.isMute = true
    taken(body(peerEid))
    clock.pass(120_000)
    expect(moved).toEqual([])
    expect(problems.get('foreign-eid')).toContain('correct asterisk.eid, or entityid')
  })
})

describe("whoever answers on Asterisk's port", () => {
  const entry = { kind: 'device_state', id: 'PJSIP/1', state: 'INUSE', cachable: true } as const

  /** Somebody who answers OPTIONS, and takes PUBLISH, but has no password. */
  async function startUsurped() {
    const started = await start()
    const { asterisk, hello, edge } = started
    asterisk.isMute = true
    hello()
    const inject = () =>
      edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    return { ...started, inject }
  }

  it('is not found, given no state, and told after 5 s, while it shows no credentials', async () => {
    const { clock, wire, events, problems, inject } = await startUsurped()
    for (let pings = 0; pings < 40; pings++) {
      clock.pass(500)
      wire.answer(wire.takePing(), 200)
      expect(problems.has('asterisk-unproven')).toBe(pings >= 9)
    }
    inject()
    expect(wire.takeRequests('PUBLISH')).toEqual([])
    expect(events).toEqual([
      {
        type: 'InjectionAnswered',
        lane: 0,
        failure: {
          condition: 'asterisk-lost',
          reason: 'Asterisk has not shown its password',
          isTemporary: true,
        },
      },
    ])
    expect(problems.get('asterisk-unproven')).toContain('127.0.0.1:5060 has not shown')
  })

  it('is Asterisk when it shows them, and no problem any more', async () => {
    const { clock, wire, events, problems, publish, inject } = await startUsurped()
    for (let pings = 0; pings < 11; pings++) {
      clock.pass(500)
      wire.answer(wire.takePing(), 200)
    }
    expect(publish({ body: deviceBody('PJSIP/1') }).status).toBe(200)
    expect(events.map(({ type }) => type)).toEqual(['AsteriskFound', 'StateReported'])
    expect([...problems]).toEqual([])
    inject()
    expect(wire.takePublish().body.toString()).toContain('PJSIP/1')
  })

  it('says no version of Asterisk', async () => {
    const { clock, wire, events } = await startUsurped()
    clock.pass(500)
    wire.answer(wire.takePing(), 200, 'Server: Asterisk PBX 99')
    expect(events).toEqual([])
  })

  it('in its place, without a gap, is found out within 14.5 s at rest', async () => {
    const { asterisk, clock, wire, events, hello, problems } = await start()
    hello()
    asterisk.isMute = true
    for (let pings = 0; pings < 29; pings++) {
      expect(events).toEqual([])
      clock.pass(500)
      for (const ping of wire.takeRequests('OPTIONS')) wire.answer(ping, 200)
    }
    expect(events).toEqual([
      {
        type: 'AsteriskLost',
        reason: 'it answers, but has not shown its password for 14 s',
      },
    ])
    expect(problems.has('asterisk-unproven')).toBe(true)
  })

  it('after Asterisk cannot go on with the entity tag that this one had', async () => {
    const { wire, clock, answerTo, publish, hello } = await start()
    const tag = publish({ body: deviceBody('PJSIP/1') }).headers.get('sip-etag') ?? ''
    wire.refuse()
    clock.pass(500)
    hello()
    const fields = [`SIP-If-Match: ${tag}`]
    expect(answerTo(publishOf({ body: deviceBody('PJSIP/1', 'BUSY'), fields })).status).toBe(401)
  })
})

describe('an Asterisk that', () => {
  it('was never there is told with its address, until it is found', async () => {
    const { clock, wire, problems, hello } = await start({})
    clock.pass(1_500)
    expect([...problems]).toEqual([])
    clock.pass(500)
    expect(problems.get('asterisk')).toBe(
      'Asterisk does not answer at 127.0.0.1:5060: no answer to OPTIONS; start it, or correct asterisk.sip.asterisk, ' +
        'which is to be the address of its UDP transport',
    )
    wire.refuse()
    expect(problems.get('asterisk')).toContain('ECONNREFUSED')
    hello()
    expect([...problems]).toEqual([])
  })

  it.each([401, 403, 404])(
    'refuses with %i is told at once, until it takes one',
    async (status) => {
      const { wire, clock, problems, logged, hello } = await start({})
      wire.takeRequests('OPTIONS')
      clock.pass(500)
      hello()
      wire.answer(wire.takePublish(), status)
      expect(problems.get('asterisk-refuses')).toContain(
        `refuses the bridge (${status}): is pjsip_`,
      )
      clock.pass(500)
      wire.answer(wire.takePublish(), status)
      expect(logged.filter((line) => line.startsWith('failed to ask'))).toHaveLength(1)
      clock.pass(1_000)
      wire.answer(wire.takePublish(), 200, 'SIP-ETag: a', 'Expires: 3600')
      expect(problems.has('asterisk-refuses')).toBe(false)
    },
  )

  it('refuses is asked ever more seldom, every 10 s at least', async () => {
    const { wire, clock, hello } = await start({})
    hello()
    const askedAt: number[] = []
    for (let ticks = 0; ticks < 80; ticks++) {
      for (const message of wire.take()) {
        if (message.type !== 'request') continue
        wire.answer(message, 404)
        if (message.method === 'PUBLISH') askedAt.push(ticks / 2)
      }
      clock.pass(500)
    }
    expect(askedAt).toEqual([0, 0.5, 1.5, 3.5, 7.5, 15.5, 25.5, 35.5])
  })

  it('takes what it is sent and publishes nothing is told after 5 s, until its EID is learnt', async () => {
    const { wire, clock, problems, hello, taken } = await start({})
    hello()
    for (let ticks = 0; ticks < 20; ticks++) {
      for (const message of wire.take()) {
        if (message.type === 'request') wire.answer(message, 200, 'SIP-ETag: a', 'Expires: 3600')
      }
      clock.pass(500)
    }
    expect(problems.get('eid-unknown')).toContain('publishes nothing that the bridge can take')
    taken(deviceBody('PJSIP/1'))
    expect([...problems]).toEqual([])
  })
})

describe('commands', () => {
  const entry = { kind: 'device_state', id: 'PJSIP/1', state: 'INUSE', cachable: true } as const

  it('refresh and fence go out under the own EID, and refresh is answered', async () => {
    const { edge, wire, events, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    const refresh = wire.takePublish()
    expect(refresh.headers.get('event')).toBe('asterisk-devicestate')
    expect(JSON.parse(refresh.body.toString())).toEqual({ type: 'refresh', eid: ownEid })
    wire.answer(refresh, 200, 'SIP-ETag: 1', 'Expires: 3600')
    expect(events).toEqual([{ type: 'RefreshAnswered', kind: 'device_state', token: 1, taken: 1 }])
    edge.perform({ to: 'asterisk', do: 'fence', kind: 'device_state', nonce: 9 })
    const fence = wire.takePublish()
    expect(fence.headers.get('sip-if-match')).toBe('1')
    expect(JSON.parse(fence.body.toString())).toEqual({
      type: 'devicestate',
      device: 'hintbridge:fence-1',
      state: 'NOT_INUSE',
      cachable: 0,
      eid: ownEid,
    })
  })

  it('all fences of devices there can be take 32 names, for Asterisk never frees one, and each is known again', () => {
    const names = new Set<string>()
    for (let nonce = 0; nonce < fenceNonces; nonce += 1) {
      const entry = fenceEntry('device_state', nonce)
      names.add(entry.id)
      expect(fenceNonce(entry)).toBe(nonce)
    }
    expect(names.size).toBe(32)
    const earlier = { ...fenceEntry('device_state', 0), id: 'hintbridge:fence-123456789' }
    expect(fenceNonce(earlier)).toBeNaN()
  })

  it('a fence that Asterisk refuses is told of', async () => {
    const { edge, wire, events, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'fence', kind: 'message_waiting', nonce: 7 })
    wire.answer(wire.takePublish(), 404)
    expect(events).toMatchObject([
      { type: 'FenceFailed', kind: 'message_waiting', nonce: 7, failure: { condition: '404' } },
    ])
  })

  it('the fence of mailboxes carries its nonce as the count', async () => {
    const { edge, wire, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'fence', kind: 'message_waiting', nonce: 7 })
    const fence = wire.takePublish()
    expect(fence.headers.get('event')).toBe('asterisk-mwi')
    expect(JSON.parse(fence.body.toString())).toEqual({
      type: 'mailboxstate',
      uniqueid: 'hintbridge@fence',
      old: 0,
      new: 7,
      eid: ownEid,
    })
  })

  it('injections of different lanes go out in parallel, each on a publication of its own', async () => {
    const { edge, wire, events, hello } = await start()
    hello()
    for (const lane of [0, 1, 2, 3]) {
      edge.perform({ to: 'asterisk', do: 'inject', lane, eid: peerEid, entry })
    }
    const sent = wire.takeRequests('PUBLISH')
    expect(new Set(sent.map(({ headers }) => headers.get('call-id'))).size).toBe(4)
    expect(JSON.parse(sent[0]?.body.toString() ?? '')).toEqual({
      type: 'devicestate',
      device: 'PJSIP/1',
      state: 'INUSE',
      cachable: 1,
      eid: peerEid,
    })
    if (sent[2]) wire.answer(sent[2], 200, 'SIP-ETag: 1')
    expect(events).toEqual([{ type: 'InjectionAnswered', lane: 2 }])
  })

  it('a refresh does not wait behind an injection', async () => {
    const { edge, wire, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    expect(wire.takeRequests('PUBLISH')).toHaveLength(2)
  })

  it('a refusal by Asterisk is a failure that names the status', async () => {
    const { edge, wire, events, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    wire.answer(wire.takePublish(), 403)
    expect(events).toMatchObject([
      { type: 'InjectionAnswered', lane: 0, failure: { condition: '403', isTemporary: false } },
    ])
  })

  it('fail at once while Asterisk is not found', async () => {
    const { edge, wire, events } = await start()
    wire.take()
    edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    expect(events).toMatchObject([
      { type: 'RefreshAnswered', failure: { condition: 'asterisk-lost', isTemporary: true } },
    ])
    expect(wire.take()).toEqual([])
  })

  it('under way fail when Asterisk is lost, and its publications begin afresh', async () => {
    const { edge, wire, events, hello, clock } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    wire.answer(wire.takePublish(), 200, 'SIP-ETag: 1')
    edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    events.length = 0
    wire.take()
    wire.refuse()
    expect(events).toMatchObject([
      { type: 'AsteriskLost' },
      { type: 'InjectionAnswered', lane: 0, failure: { condition: 'asterisk-lost' } },
    ])
    expect(wire.take()).toEqual([])
    clock.pass(1_000)
    hello()
    edge.perform({ to: 'asterisk', do: 'inject', lane: 0, eid: peerEid, entry })
    expect(wire.takePublish().headers.get('sip-if-match')).toBeUndefined()
  })

  it('a fence that cannot be sent is counted', async () => {
    const { edge, counts, hello } = await start({})
    hello()
    edge.perform({ to: 'asterisk', do: 'fence', kind: 'device_state', nonce: 1 })
    expect(counts).toEqual(['failed_fences device_state'])
  })
})

describe('the edge', () => {
  it.each(['0.0.0.0', '192.0.2.1', '::'])('does not listen on %s unless told to', async (host) => {
    await expect(start({ listen: { host, port: 5070 } })).rejects.toThrow(RangeError)
    const { wire } = await start({ listen: { host, port: 5070 }, allowNonLoopback: true })
    expect(wire.isOpen).toBe(true)
  })

  it('un-publishes what it published when it stops, and closes', async () => {
    const { edge, wire, clock, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    wire.answer(wire.takePublish(), 200, 'SIP-ETag: 1')
    const stopped = edge.stop()
    const removal = wire.takePublish()
    expect(removal.headers.get('expires')).toBe('0')
    expect(removal.headers.get('sip-if-match')).toBe('1')
    wire.answer(removal, 200)
    await stopped
    expect(wire.isOpen).toBe(false)
    expect(clock.pending).toBe(0)
    await edge.stop()
  })

  it('sends no fence that it is told to send then', async () => {
    const { edge, wire, hello, clock } = await start()
    hello()
    const fence = (nonce: number) =>
      edge.perform({ to: 'asterisk', do: 'fence', kind: 'device_state', nonce })
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

  it('waits no longer than 1 s for that', async () => {
    const { edge, wire, clock, hello } = await start()
    hello()
    edge.perform({ to: 'asterisk', do: 'refresh', kind: 'device_state', token: 1 })
    wire.answer(wire.takePublish(), 200, 'SIP-ETag: 1')
    const stopped = edge.stop()
    clock.pass(1_000)
    await stopped
    expect(wire.isOpen).toBe(false)
    expect(clock.pending).toBe(0)
  })
})
