/**
 * A hostile XMPP server, or whoever stands in its place: what it says without end, and what it offers to get the password. The
 * bridge is the built program; the server that says such things cannot be a real one, the ones that an attacker stands before are.
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type CertificateAuthority, createCa } from '../../../lab/ca.js'
import { startEjabberd } from '../../../lab/ejabberd.js'
import { changeSettings, hintbridge, type Problem } from '../../../lab/member.js'
import { startProsody } from '../../../lab/prosody.js'
import { readText } from '../../../lab/running.js'
import { claimPort, createScratch, type Scratch } from '../../../lab/scratch.js'
import { Server } from '../../../lab/server.js'
import { TlsProxy } from '../../../lab/tls-proxy.js'
import type { XmppServer, XmppServerOptions } from '../../../lab/xmpp-server.js'
import { Mechanisms } from '../../../src/journal/mechanisms.js'
import type { SaslMode } from '../../../src/xmpp/sasl/choice.js'
import { XmppSession } from '../../../src/xmpp/session.js'
import { FakePeer, FakeServer } from '../../xmpp/fake-server.js'

const mainFile = join(import.meta.dirname, '../../../dist/main.js')
const chunkOctets = 65_536
/** What a storm sends at most; by it the bridge of before grew by 400 to 670 MB. */
const stormOctets = 200 * 1024 * 1024
/** The most by which a bridge may grow, MB: the largest answer (8 MB) and its tree, and garbage. */
const mostGrowthMb = 100
/** The longest that `/health` may take meanwhile, ms; by the bridge of before it was 5 s. */
const mostStallMs = 1_500

let scratch: Scratch
let ca: CertificateAuthority

beforeAll(async () => {
  scratch = createScratch('hostile-server')
  ca = await createCa(scratch)
})
afterAll(() => scratch.remove())

/** A built bridge without an Asterisk, whose EID is set, so that it logs in all the same. */
class Bridge {
  private constructor(
    private readonly server: Server,
    private readonly httpPort: number,
    private readonly logFile: string,
    readonly stateDir: string,
  ) {}

  static async start(name: string, fake: FakeServer, settings: object): Promise<Bridge> {
    const folder = scratch.makeFolder(name)
    const configFile = join(folder, 'hintbridge.yaml')
    const [sip, listen, httpPort] = [await claimPort(), await claimPort(), await claimPort()]
    await hintbridge(
      [
        ...['init', '--yes', '--jid', 'pbx-a@example.org', '--eid', '02:00:00:00:00:0a'],
        ...['--service', fake.uri, '--pubsub', 'pubsub.example.org', '--ca', ca.caFile],
        ...['--asterisk', `127.0.0.1:${sip}`, '--listen', `127.0.0.1:${listen}`],
        ...['--http', `127.0.0.1:${httpPort}`, '--state-dir', join(folder, 'state')],
        ...['--config', configFile, '--asterisk-conf', join(folder, 'pjsip_hintbridge.conf')],
      ],
      { HINTBRIDGE_XMPP_PASSWORD: 'secret' },
    )
    changeSettings(configFile, { ...settings })
    const logFile = join(folder, 'bridge.log')
    const command = process.execPath
    const args = [mainFile, 'run', '--config', configFile]
    const server = new Server({ name, command, args, cwd: folder, logFile }, (running) =>
      running.answersTcp(httpPort),
    )
    await server.start()
    return new Bridge(server, httpPort, logFile, join(folder, 'state'))
  }

  /** Has it try again at once. */
  retry(): void {
    process.kill(this.pid, 'SIGHUP')
  }

  /** What it has said of its stream since then. */
  conditions(from: number): string[] {
    const lines = readText(this.logFile).slice(from).split('\n')
    return lines.flatMap((line) => /"condition":"([^"]+)"/.exec(line)?.[1] ?? [])
  }

  get logged(): number {
    return readText(this.logFile).length
  }

  /** The most memory that it ever had, MB. */
  get peakMb(): number {
    return (
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]) / 1024
    )
  }

  async streamProblem(): Promise<string> {
    const answer = await fetch(`http://127.0.0.1:${this.httpPort}/health`)
    const { problems } = (await answer.json()) as { problems: Problem[] }
    return problems.find(({ key }) => key === 'stream')?.text ?? ''
  }

  stop(): Promise<void> {
    return this.server.stop()
  }

  private get pid(): number {
    return this.server.running.pid
  }
}

/** Sends until the bridge hangs up, as fast as it reads; gives how many octets that were. */
async function storm(peer: FakePeer, begin: string, more: string): Promise<number> {
  const chunk = Buffer.from(more.repeat(Math.ceil(chunkOctets / more.length)))
  peer.write(begin)
  let sent = 0
  while (sent < stormOctets && !peer.socket.destroyed) {
    sent += chunk.length
    if (peer.socket.write(chunk)) continue
    const over = new AbortController()
    const { signal } = over
    await Promise.race([
      once(peer.socket, 'drain', { signal }),
      once(peer.socket, 'close', { signal }),
    ])
      .catch(() => undefined) // a reset, and `destroyed` says so
      .finally(() => over.abort())
  }
  return sent
}

/** The longest that the bridge took to answer over HTTP while the task ran, ms. */
async function longestAnswer(bridge: Bridge, task: Promise<unknown>): Promise<number> {
  const watch: { isOver: boolean } = { isOver: false }
  const watched = task.finally(() => (watch.isOver = true))
  let longest = 0
  do {
    const start = performance.now()
    await bridge.streamProblem()
    longest = Math.max(longest, performance.now() - start)
    await delay(5)
  } while (!watch.isOver)
  await watched
  return longest
}

const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='example.org' id='1' version='1.0'>`

interface Storm {
  readonly what: string
  readonly begin?: string
  readonly more: string
  /** Which of them it is may depend on how the octets come in chunks. */
  readonly conditions: readonly string[]
}

async function weather(bridge: Bridge, peer: FakePeer, { begin = '', more, conditions }: Storm) {
  const [from, peakMb] = [bridge.logged, bridge.peakMb]
  const longestMs = await longestAnswer(bridge, storm(peer, begin, more))
  await expect
    .poll(() => bridge.conditions(from)[0], { timeout: 10_000 })
    .toBeOneOf([...conditions])
  await expect.poll(() => bridge.streamProblem(), { timeout: 10_000 }).toContain('the server sent')
  expect(bridge.peakMb - peakMb).toBeLessThan(mostGrowthMb)
  expect(longestMs).toBeLessThan(mostStallMs)
}

describe('a server that sends without end', () => {
  describe('before TLS and login', () => {
    let fake: FakeServer
    let bridge: Bridge
    beforeAll(async () => {
      fake = await FakeServer.listen()
      bridge = await Bridge.start('before', fake, {})
      // From now on it waits, and each `retry` is one attempt.
      const peer = await fake.accept()
      await peer.offer('')
      await vi.waitUntil(async () => (await bridge.streamProblem()).includes('STARTTLS'), 10_000)
    })
    afterAll(async () => {
      await bridge.stop()
      fake.close()
    })

    const tooBig = { conditions: ['negotiation-too-big'] }
    const restricted = { conditions: ['restricted-xml', 'negotiation-too-big'] }
    it.each<Storm>([
      { what: 'elements within each other', begin: header, more: '<a>', ...tooBig },
      { what: 'elements beside each other', begin: `${header}<a>`, more: '<b/>', ...tooBig },
      { what: 'first-level elements', begin: header, more: '<a/>', ...tooBig },
      { what: 'features', begin: header, more: '<stream:features/>', ...tooBig },
      { what: 'text', begin: `${header}<a>`, more: 'x', ...tooBig },
      { what: 'an attribute', begin: `${header}<a b='`, more: 'x', ...tooBig },
      { what: 'attributes', begin: `${header}<a`, more: ` b='c'`, ...tooBig },
      { what: 'white space', begin: header, more: ' ', ...tooBig },
      { what: 'entities', begin: `${header}<a>`, more: '&amp;', ...tooBig },
      { what: 'comments', begin: header, more: '<!-- x -->', ...restricted },
      {
        what: 'a document type',
        begin: '',
        more: '<!DOCTYPE a [<!ENTITY b "c">',
        ...restricted,
      },
      { what: 'instructions', begin: header, more: '<?a b?>', ...restricted },
    ])('$what', { timeout: 30_000 }, async (row) => {
      bridge.retry()
      await weather(bridge, await fake.accept(), row)
    })
  })

  describe('after the login', () => {
    let fake: FakeServer
    let bridge: Bridge
    let hasStood = false
    beforeAll(async () => {
      fake = await FakeServer.listen()
      // The fake server knows no SCRAM.
      bridge = await Bridge.start('after', fake, {
        'xmpp.tls.mode': 'insecure',
        'xmpp.sasl': 'plain',
      })
    })
    afterAll(async () => {
      await bridge.stop()
      fake.close()
    })

    const tooBig = { conditions: ['stanza-too-big'] }
    it.each<Storm>([
      { what: 'elements within each other', begin: '<message>', more: '<a>', ...tooBig },
      { what: 'elements beside each other', begin: '<message>', more: '<a/>', ...tooBig },
      { what: 'text', begin: '<message><body>', more: 'x', ...tooBig },
      { what: 'an attribute', begin: `<message a='`, more: 'x', ...tooBig },
    ])('$what', { timeout: 60_000 }, async (row) => {
      if (hasStood) bridge.retry()
      hasStood = true
      const peer = await (await fake.accept()).login()
      await weather(bridge, peer, row)
    })

    it('is remembered over a restart with what it offered', () => {
      const mechanisms = new Mechanisms(bridge.stateDir)
      expect(mechanisms.recall(`example.org ${fake.uri} plain`)).toBe('PLAIN')
    })
  })
})

const account = { user: 'pbx-a', password: 'secret' }

/** As a bridge logs in; gives the mechanism by which it was let in. */
async function logIn(
  service: string,
  mechanisms: Mechanisms,
  mode: SaslMode = 'scram',
): Promise<string> {
  let used = ''
  const memory = {
    // One name for all, as a name server would be led astray.
    recall: () => mechanisms.recall('service'),
    remember: (_service: string, mechanism: string) => {
      used = mechanism
      mechanisms.remember('service', mechanism)
    },
  }
  const session = await XmppSession.open({
    ...{ service, jid: 'pbx-a@example.org', resource: 'x', password: account.password },
    ...{ tls: { mode: 'required', caFile: ca.caFile }, sasl: { mode, memory } },
  })
  await session.close()
  return used
}

const kinds: readonly {
  readonly name: string
  readonly start: (options: XmppServerOptions) => Promise<XmppServer>
  readonly tlsVersion: 'TLSv1.2' | 'TLSv1.3'
  /** The condition where the login is bound to another channel. */
  readonly bound: string
  /** Does it refuse a login whose offer was changed, by its own? */
  readonly seesChanges: boolean
}[] = [
  {
    ...{ name: 'Prosody', start: startProsody, tlsVersion: 'TLSv1.2' },
    ...{ bound: 'channel-binding', seesChanges: true },
  },
  {
    ...{ name: 'ejabberd', start: startEjabberd, tlsVersion: 'TLSv1.3' },
    // COMPAT ejabberd 23.01: it does not look at `y` (RFC 5802 §6).
    ...{ bound: 'not-authorized', seesChanges: false },
  },
]

describe.each(kinds)('somebody with a certificate of a trusted authority before $name', (row) => {
  let server: XmppServer
  const highest = tls.DEFAULT_MAX_VERSION
  beforeAll(async () => {
    tls.DEFAULT_MAX_VERSION = row.tlsVersion
    server = await row.start({ scratch, ca, accounts: [account] })
  })
  afterAll(async () => {
    tls.DEFAULT_MAX_VERSION = highest
    await server.stop()
  })

  const before = (rewrite?: (text: string) => string): Promise<TlsProxy> =>
    ca.issue('example.org').then((certificate) =>
      TlsProxy.start({
        certificate,
        targetPort: Number(new URL(server.directTlsService.replace('xmpps', 'http')).port),
        caFile: ca.caFile,
        ...(rewrite && { rewrite }),
      }),
    )
  const without = (pattern: RegExp) => (text: string) => text.replaceAll(pattern, '')

  it('is not let in with the login that he passes on, and gets no password', async () => {
    const mechanisms = new Mechanisms(scratch.makeFolder(`${row.name}-state`))
    const [passing, stripping, plain] = [
      await before(),
      await before(without(/<mechanism>[^<]*-PLUS<\/mechanism>/g)),
      await before(without(/<mechanism>SCRAM[^<]*<\/mechanism>/g)),
    ]
    try {
      expect(await logIn(server.directTlsService, mechanisms)).toBe('SCRAM-SHA-1-PLUS')
      const { bound, seesChanges } = row
      await expect(logIn(passing.service, mechanisms)).rejects.toMatchObject({ condition: bound })
      const downgraded = { condition: 'mechanism-downgraded' }
      await expect(logIn(stripping.service, mechanisms)).rejects.toMatchObject(downgraded)
      await expect(logIn(plain.service, mechanisms)).rejects.toMatchObject({
        condition: 'plain-only',
      })
      // One that was never seen before has nothing to compare with.
      const fresh = new Mechanisms(scratch.makeFolder(`${row.name}-fresh`))
      await expect(logIn(plain.service, fresh)).rejects.toMatchObject({ condition: 'plain-only' })
      if (seesChanges) {
        const changed = { condition: 'channel-binding' }
        await expect(logIn(stripping.service, fresh)).rejects.toMatchObject(changed)
      }
      const password = Buffer.from(`\0pbx-a\0${account.password}`).toString('base64')
      const overheard = [passing, stripping, plain].map((proxy) => proxy.overheard).join('')
      expect(overheard).toContain('<auth')
      expect(overheard).not.toContain(password)
    } finally {
      await Promise.all([passing, stripping, plain].map((proxy) => proxy.stop()))
    }
  })

  it('is let in as a proxy of the administrator, by an explicit word', async () => {
    const proxy = await before()
    const mechanisms = new Mechanisms(scratch.makeFolder(`${row.name}-proxy`))
    try {
      expect(await logIn(proxy.service, mechanisms, 'scram-unbound')).toBe('SCRAM-SHA-1')
    } finally {
      await proxy.stop()
    }
  })
})
