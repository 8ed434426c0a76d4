/**
 * A user of the machine without rights, who takes the port of the side that is down: he becomes neither "Asterisk" nor "the
 * bridge", and is told no state of another member. And what can be told of a state that somebody with the password left behind.
 */
import { createHash } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Cluster, createCluster } from '../../../lab/cluster.js'
import { type Member, hintbridge } from '../../../lab/member.js'
import { startProsody } from '../../../lab/prosody.js'
import { parseMessage } from '../../../src/asterisk/sip/message.js'
import { diagnose } from '../doctor-process.js'
import { PortHolder } from './port-holder.js'

const victim = 'Custom:victim'
const lamp = 'Custom:lamp'
const eids = { a: '02:00:00:00:00:0a', b: '02:00:00:00:00:0b', invented: '02:00:00:00:00:ee' }

interface SipSide {
  readonly asterisk: string
  readonly listen: string
  readonly resource: string
  readonly password_file: string
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const portOf = (address: string): number => Number(address.split(':').at(-1))
const busy = (eid: string, device = victim): string =>
  JSON.stringify({ type: 'devicestate', device, state: 'BUSY', cachable: 1, eid })

let calls = 0
interface Publish {
  readonly uri: string
  readonly port: number
  readonly body: string
  readonly authorization?: string
}

function publishText({ uri, port, body, authorization }: Publish): string {
  calls += 1
  return [
    `PUBLISH ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${port};rport;branch=z9hG4bKsquat${calls}`,
    'Max-Forwards: 70',
    `From: <sip:hintbridge@127.0.0.1:${port}>;tag=1`,
    `To: <${uri}>`,
    `Call-ID: squat-${calls}`,
    `CSeq: ${calls} PUBLISH`,
    'Event: asterisk-devicestate',
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}

/** The answers to what this side sent, by CSeq. */
const statusOf = (heard: readonly string[], call: number): number | undefined => {
  const answer = heard.find(
    (text) => text.startsWith('SIP/2.0') && text.includes(`Call-ID: squat-${call}\r`),
  )
  return answer === undefined ? undefined : Number(answer.slice(8, 11))
}

const challengeIn = (text: string): { realm: string; nonce: string; opaque: string } => ({
  realm: /realm="([^"]*)"/.exec(text)?.[1] ?? '',
  nonce: /nonce="([^"]*)"/.exec(text)?.[1] ?? '',
  opaque: /opaque="([^"]*)"/.exec(text)?.[1] ?? '',
})

const challengeOf = (realm: string, nonce: string, opaque = ''): string =>
  `WWW-Authenticate: Digest realm="${realm}",nonce="${nonce}",${opaque && `opaque="${opaque}",`}algorithm=MD5,qop="auth"`

describe('a local user without the password', () => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let sip: SipSide

  beforeAll(async () => {
    const hints = { lamp, victim, ghost: 'Custom:ghost' }
    cluster = await createCluster({
      label: 'local-user',
      startServer: startProsody,
      members: {
        a: { hints, settings: { 'asterisk.sip.transport': 'tcp' }, isUdpOnly: true },
        b: { hints },
      },
    })
    a = cluster.member('a')
    b = cluster.member('b')
    const config = parse(readFileSync(a.configFile, 'utf8')) as { asterisk: { sip: SipSide } }
    sip = config.asterisk.sip
  })

  afterAll(() => cluster.stop())

  const toAsterisk = (): string => `sip:${sip.resource}@${sip.asterisk}`
  const toBridge = (): string => `sip:${sip.resource}@${sip.listen}`

  test('who listens for TCP in place of an Asterisk that does not, and passes all on, is told no state', async () => {
    const holder = await PortHolder.hold('tcp', portOf(sip.asterisk))
    // Whatever comes by the connection goes on to Asterisk, and its answers come back.
    const relay = createSocket('udp4')
    relay.bind(0, '127.0.0.1')
    relay.on('message', (datagram) => holder.send(datagram))
    holder.onMessage = (message) => {
      if (message.type === 'request')
        relay.send(holder.heard.at(-1) ?? '', portOf(sip.asterisk), '127.0.0.1')
    }
    await cluster.start()
    await b.asterisk.setDevice(lamp, 'INUSE')
    await a.asterisk.awaitHint('lamp', 'InUse')
    await holder.until(() => holder.heard.length > 0)
    expect(await a.awaitProblem('asterisk-tcp')).toContain("another user's program")
    await b.asterisk.setDevice(lamp, 'NOT_INUSE')
    await a.asterisk.awaitHint('lamp', 'Idle')
    expect(holder.heard.join()).not.toContain(lamp)
    await holder.end()
    relay.close()
  })

  test('who takes the port of an Asterisk that is down is not believed, and told no state', async () => {
    await b.asterisk.setDevice(lamp, 'INUSE')
    await a.asterisk.awaitHint('lamp', 'InUse')
    await a.asterisk.stop()
    const port = portOf(sip.asterisk)
    const holder = await PortHolder.hold('udp', port)
    const authorizations: string[] = []
    const challenges: string[] = []
    const asked: string[] = []
    holder.onMessage = (message) => {
      if (message.type !== 'request') return
      const authorization = message.headers.get('authorization')
      if (authorization !== undefined) authorizations.push(authorization)
      const challenge = message.method === 'PUBLISH' ? challenges.shift() : undefined
      if (challenge === undefined)
        return holder.answer(message, 200, 'SIP-ETag: squat', 'Expires: 3600')
      asked.push(challenge)
      holder.answer(message, 401, challenge)
    }
    const status = async (publish: Omit<Publish, 'port'>): Promise<number> => {
      holder.send(publishText({ ...publish, port }), portOf(sip.listen))
      const call = calls
      await holder.until(() => statusOf(holder.heard, call) !== undefined)
      return statusOf(holder.heard, call) ?? 0
    }

    expect(await status({ uri: toBridge(), body: busy(eids.a) })).toBe(401)
    const given = challengeIn(holder.heard.findLast((text) => text.includes(' 401 ')) ?? '')
    // The bridge's own challenge, then its nonce in what might be Asterisk's realm, then one that Asterisk might give.
    const tried = [
      challengeOf(given.realm, given.nonce),
      challengeOf('hintbridge-asterisk', given.nonce),
      challengeOf('asterisk', given.nonce),
      challengeOf('hintbridge-asterisk', 'of-the-squatter'),
    ]
    challenges.push(...tried)
    const isOfLast = (authorization: string): boolean =>
      authorization.includes('nonce="of-the-squatter"')
    await holder.until(() => asked.length === tried.length && authorizations.some(isOfLast))
    // What was sent before the first challenge still answers Asterisk's own.
    for (const authorization of authorizations) {
      expect(authorization).not.toContain(given.nonce)
      for (const uri of [toAsterisk(), toBridge()]) {
        expect(await status({ uri, body: busy(eids.a), authorization })).toBeGreaterThanOrEqual(400)
      }
    }
    expect(await a.awaitProblem('asterisk-unproven')).toContain('has not shown')
    await b.asterisk.setDevice(lamp, 'BUSY')
    await b.asterisk.awaitDeviceState(lamp, 'BUSY')
    expect(await b.asterisk.deviceState(victim)).toBe('UNKNOWN')
    await holder.end()
    expect(holder.heard.filter((text) => /"(device|uniqueid)":"(?!hintbridge)/.test(text))).toEqual(
      [],
    )

    await a.asterisk.start()
    await a.awaitReady(1)
    await a.asterisk.awaitHint('lamp', 'Busy')
    await a.awaitProblem('asterisk-unproven', false)
  })

  test('who takes the port of a bridge that is down has no answer of Asterisk that Asterisk takes', async () => {
    await a.killBridge()
    const port = portOf(sip.listen)
    const holder = await PortHolder.hold('udp', port)
    const inject = async (authorization?: string): Promise<{ status: number; text: string }> => {
      const publish = { uri: toAsterisk(), port, body: busy(eids.invented) }
      holder.send(
        publishText({ ...publish, ...(authorization !== undefined && { authorization }) }),
        portOf(sip.asterisk),
      )
      const call = calls
      await holder.until(() => statusOf(holder.heard, call) !== undefined)
      const text = holder.heard.findLast((each) => each.includes(`squat-${call}\r`)) ?? ''
      return { status: statusOf(holder.heard, call) ?? 0, text }
    }
    /** Asterisk's next PUBLISH of a device gets that challenge; its answer, or the line in which it says that it has none. */
    const relay = async (
      state: 'INUSE' | 'NOT_INUSE',
      realm?: string,
    ): Promise<string | undefined> => {
      const { realm: given, nonce, opaque } = challengeIn((await inject()).text)
      const logged = a.asterisk.running.logs(
        /No auth(entication)? (credentials|objects) .*|Unable to create request with auth/,
      )
      // Where it answers it says nothing of the kind.
      logged.catch(() => undefined)
      let authorization: string | undefined
      holder.onMessage = (message) => {
        if (message.type !== 'request' || message.method !== 'PUBLISH') return
        authorization ??= message.headers.get('authorization')
        if (authorization === undefined)
          holder.answer(message, 401, challengeOf(realm ?? given, nonce, opaque))
        else holder.answer(message, 200, 'SIP-ETag: squat', 'Expires: 3600')
      }
      await a.asterisk.setDevice('Custom:own', state)
      await Promise.race([holder.until(() => authorization !== undefined), logged])
      return authorization
    }

    // In the realm of the bridge it answers, as it must; Asterisk has another.
    const inRealmOfBridge = await relay('INUSE', 'hintbridge')
    expect(inRealmOfBridge).toContain('realm="hintbridge"')
    expect((await inject(inRealmOfBridge)).status).toBe(401)
    expect(await relay('NOT_INUSE')).toBeUndefined()
    expect(await a.asterisk.deviceState(victim)).toBe('UNKNOWN')
    await holder.end()

    // What waits for ever is named, and mended by a restart.
    await a.startBridge()
    await a.asterisk.restart()
    await a.awaitReady(1)
  })

  test('a state that somebody with the password left under an invented EID is told by explain and doctor', async () => {
    expect(
      (await diagnose(a.configFile)).bad.filter(({ check }) => check === 'asterisk-states'),
    ).toEqual([])
    const password = readFileSync(sip.password_file, 'utf8').trim()
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    const ask = (publish: Omit<Publish, 'port'>): Promise<string> =>
      new Promise((resolve) => {
        socket.once('message', (datagram) => resolve(datagram.toString()))
        socket.send(publishText({ ...publish, port: 9 }), portOf(sip.asterisk), '127.0.0.1')
      })
    const uri = toAsterisk()
    const body = busy(eids.invented, 'Custom:ghost')
    const { realm, nonce, opaque } = challengeIn(await ask({ uri, body }))
    const response = md5(
      `${md5(`${sip.resource}:${realm}:${password}`)}:${nonce}:00000001:c:auth:${md5(`PUBLISH:${uri}`)}`,
    )
    const authorization =
      `Digest username="${sip.resource}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}", ` +
      `algorithm=MD5, cnonce="c", qop=auth, nc=00000001, opaque="${opaque}"`
    const answer = parseMessage(Buffer.from(await ask({ uri, body, authorization })))
    socket.close()
    expect(answer).toMatchObject({ type: 'response', status: 200 })
    await a.asterisk.awaitHint('ghost', 'Busy')

    const explained = JSON.parse(
      await hintbridge(['explain', 'Custom:ghost', '--json', '--config', a.configFile]),
    ) as { remarks: { severity: string; text: string }[] }
    expect(explained.remarks).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        text: expect.stringContaining('it holds a state that no member tells of') as unknown,
      }),
    )
    expect((await diagnose(a.configFile)).bad).toContainEqual(
      expect.objectContaining({
        check: 'asterisk-states',
        severity: 'warning',
        text: 'Asterisk holds states that no member tells of: Custom:ghost BUSY',
      }),
    )
  })
})
