/** Hostile SIP on the loopback: nobody but the bridge's own Asterisk can tell it states, and nobody but the bridge Asterisk. */
import { createHash } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Socket as Connection } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { startCluster, type Cluster } from '../../../lab/cluster.js'
import type { Member } from '../../../lab/member.js'
import { startProsody } from '../../../lab/prosody.js'

const eidA = '02:00:00:00:00:0a'
const eidB = '02:00:00:00:00:0b'
const victim = 'Custom:victim'
const phone = { user: '1001', password: 'phone' }

interface SipSide {
  readonly asterisk: string
  readonly listen: string
  readonly resource: string
  readonly asterisk_password_file: string
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const portOf = (address: string): number => Number(address.split(':').at(-1))
const busy = (fields: object): string =>
  JSON.stringify({ type: 'devicestate', device: victim, state: 'BUSY', cachable: 1, ...fields })

interface Answer {
  readonly status: number
  readonly text: string
}

/** Over all of them: who uses a Call-ID again is taken to repeat what was said under it. */
let calls = 0

/** A SIP user agent of few words: PUBLISH, with or without credentials, and the final answer. */
class Attacker {
  #sequence = 0

  private constructor(
    private readonly socket: Socket,
    private readonly target: number,
    private readonly resource: string,
  ) {}

  /** Sends from that port, or from any, to a port of the loopback. */
  static async open(target: number, resource: string, port = 0): Promise<Attacker> {
    const socket = createSocket('udp4')
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    return new Attacker(socket, target, resource)
  }

  close(): void {
    this.socket.close()
  }

  /** Answers a challenge once, if there are credentials; resolves with the final answer. */
  async publish(body: string, credentials?: { user: string; password: string }): Promise<Answer> {
    const callId = `attack-${process.pid}-${this.target}-${(calls += 1)}`
    const from = credentials?.user ?? this.resource
    const first = await this.#send(callId, from, body)
    if (first.status !== 401 || !credentials) return first
    return this.#send(callId, from, body, authorization(first.text, credentials, this.#uri))
  }

  get #uri(): string {
    return `sip:${this.resource}@127.0.0.1:${this.target}`
  }

  async #send(callId: string, from: string, body: string, credentials = ''): Promise<Answer> {
    const sequence = (this.#sequence += 1)
    const { port } = this.socket.address()
    const request = publishText(this.#uri, { port, callId, from, sequence, credentials }, body)
    const answered = new Promise<Answer>((resolve) => {
      const receive = (datagram: Buffer): void => {
        const text = datagram.toString()
        // Between them come the requests of the other side.
        if (!text.startsWith('SIP/2.0') || !text.includes(`CSeq: ${sequence} PUBLISH`)) return
        this.socket.off('message', receive)
        resolve({ status: Number(text.slice(8, 11)), text })
      }
      this.socket.on('message', receive)
    })
    this.socket.send(request, this.target, '127.0.0.1')
    return answered
  }
}

function publishText(
  uri: string,
  of: { port: number; callId: string; from: string; sequence: number; credentials: string },
  body: string,
): string {
  const { port, callId, from, sequence, credentials } = of
  return (
    `PUBLISH ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${port};rport;branch=z9hG4bK${callId}${sequence}\r\n` +
    `Max-Forwards: 70\r\nFrom: <sip:${from}@127.0.0.1:${port}>;tag=1\r\nTo: <${uri}>\r\n` +
    `Call-ID: ${callId}\r\nCSeq: ${sequence} PUBLISH\r\nEvent: asterisk-devicestate\r\n${credentials}` +
    `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  )
}

function authorization(
  challenge: string,
  { user, password }: { user: string; password: string },
  uri: string,
): string {
  const line = challenge.split('\r\n').find((each) => /^WWW-Authenticate:.*MD5/i.test(each)) ?? ''
  const field = (name: string): string => new RegExp(`${name}="([^"]*)"`).exec(line)?.[1] ?? ''
  const [realm, nonce, opaque] = [field('realm'), field('nonce'), field('opaque')]
  const response = md5(
    `${md5(`${user}:${realm}:${password}`)}:${nonce}:00000001:c:auth:${md5(`PUBLISH:${uri}`)}`,
  )
  return (
    `Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c", opaque="${opaque}"\r\n`
  )
}

describe('hostile SIP on the loopback', () => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let sip: SipSide
  let password: string
  const attackers: Attacker[] = []

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'loopback-sip',
      startServer: startProsody,
      members: {
        a: { phones: [phone], settings: { 'asterisk.sip.transport': 'tcp' } },
        b: {},
      },
    })
    a = cluster.member('a')
    b = cluster.member('b')
    const config = parse(readFileSync(a.configFile, 'utf8')) as { asterisk: { sip: SipSide } }
    sip = config.asterisk.sip
    password = readFileSync(sip.asterisk_password_file, 'utf8').trim()
    await a.asterisk.setDevice('Custom:lamp', 'INUSE')
    await b.asterisk.awaitDeviceState('Custom:lamp', 'INUSE')
  })

  afterAll(async () => {
    for (const attacker of attackers) attacker.close()
    await cluster.stop()
  })

  async function attack(address: string, port?: number): Promise<Attacker> {
    const attacker = await Attacker.open(portOf(address), sip.resource, port)
    attackers.push(attacker)
    return attacker
  }

  const refused = (reason: string) => a.metric('hintbridge_refused_publishes_total', { reason })

  async function expectUnharmed(): Promise<void> {
    await b.asterisk.setDevice('Custom:fence', 'INUSE')
    await a.asterisk.awaitDeviceState('Custom:fence', 'INUSE')
    await b.asterisk.setDevice('Custom:fence', 'NOT_INUSE')
    await a.asterisk.awaitDeviceState('Custom:fence', 'NOT_INUSE')
    for (const { asterisk } of [a, b]) {
      expect(await asterisk.deviceState(victim)).toBe('UNKNOWN')
      expect(await asterisk.deviceState('Custom:lamp')).toBe('INUSE')
    }
  }

  test('Asterisk takes no state without the password of the bridge', async () => {
    const attacker = await attack(sip.asterisk)
    const state = busy({ eid: eidB })
    expect((await attacker.publish(state)).status).toBe(401)
    const guess = { user: sip.resource, password: 'guess' }
    expect((await attacker.publish(state, guess)).status).toBe(401)
    expect((await attacker.publish(state, phone)).status).toBeGreaterThanOrEqual(400)
    await expectUnharmed()
  })

  test('the bridge does not hear who sends from another port than its Asterisk', async () => {
    const socket = createSocket('udp4')
    socket.connect(portOf(sip.listen), '127.0.0.1')
    await once(socket, 'connect')
    socket.send('PUBLISH')
    // The kernel drops it, as if nobody listened.
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ECONNREFUSED')
    socket.close()
    await expectUnharmed()
  })

  test('who takes the port of a stopped Asterisk is asked for the password, and refused what that does not allow', async () => {
    const bridge = a.bridge.pid
    await a.asterisk.stop()
    const attacker = await attack(sip.listen, portOf(sip.asterisk))
    const right = { user: sip.resource, password }
    const wrong = { user: sip.resource, password: 'guess' }
    const status = async (body: string, credentials?: typeof right) =>
      (await attacker.publish(body, credentials)).status

    expect(await status(busy({ eid: eidA }))).toBe(401)
    expect(await status(busy({ eid: eidA }), wrong)).toBe(401)
    expect(await refused('credentials')).toBe(1)
    for (const [answer, reason, body] of [
      [403, 'foreign-eid', busy({ eid: eidB })],
      [400, 'eid', busy({})],
      [400, 'name', busy({ eid: eidA, device: `${victim}\u0085\n` })],
      [400, 'name', busy({ eid: eidA, device: 'x'.repeat(300) })],
      [400, 'state', busy({ eid: eidA, state: 'ENGAGED' })],
      [400, 'type', busy({ eid: eidA, type: 'other' })],
      [400, 'body', '['.repeat(5_000)],
      [413, 'oversize', busy({ eid: eidA, padding: 'x'.repeat(10_000) })],
    ] as const) {
      const before = await refused(reason)
      expect([reason, await status(body, right)]).toEqual([reason, answer])
      expect([reason, await refused(reason)]).toEqual([reason, before + 1])
    }
    expect(await b.asterisk.deviceState(victim)).toBe('UNKNOWN')
    // What A had is kept by B as long as A's bridge lives.
    expect(await b.asterisk.deviceState('Custom:lamp')).toBe('INUSE')

    attackers.splice(attackers.indexOf(attacker), 1)
    attacker.close()
    await a.asterisk.start()
    await a.awaitReady(1)
    await expectUnharmed()
    expect([a.bridge.pid, a.bridge.isRunning]).toEqual([bridge, true])
  })
  test('who has the port of a stopped Asterisk for TCP too tells the bridge nothing by it, even with the password', async () => {
    const bridge = a.bridge.pid
    await a.asterisk.stop()
    const port = portOf(sip.asterisk)
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    const attacker = await attack(sip.listen, port)
    const connected = once(server, 'connection')
    // Without the password nobody is asked for a connection.
    const asA = busy({ eid: eidA, device: 'Custom:usurped' })
    const right = { user: sip.resource, password }
    expect((await attacker.publish(asA, right)).status).toBe(200)
    const challenge = await attacker.publish(busy({ eid: eidB }))
    expect(challenge.status).toBe(401)
    const [connection] = (await connected) as [Connection]
    connection.on('data', () => undefined)
    const before = await refused('foreign-eid')
    const uri = `sip:${sip.resource}@${sip.listen}`
    const credentials = authorization(challenge.text, { user: sip.resource, password }, uri)
    const request = { port, callId: 'by-tcp', from: sip.resource, sequence: 1, credentials }
    connection.write(publishText(uri, request, busy({ eid: eidB })))
    // No SIP ends the connection, once all before it was read.
    connection.write('x'.repeat(70_000))
    await once(connection, 'close')
    expect(await refused('foreign-eid')).toBe(before)

    attackers.splice(attackers.indexOf(attacker), 1)
    attacker.close()
    server.close()
    await a.asterisk.start()
    await a.awaitReady(1)
    await expectUnharmed()
    expect([a.bridge.pid, a.bridge.isRunning]).toEqual([bridge, true])
  })
})
