/** What the bridge does when the XMPP server … : the table of `conditions.ts`, row by row, over a server that says it. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCa } from '../../lab/ca.js'
import { createScratch, type Scratch } from '../../lab/scratch.js'
import { streamRow, streamRows, type StreamReaction } from '../../src/xmpp/conditions.js'
import { XmppConnection, type ConnectionOptions } from '../../src/xmpp/connection.js'
import type { StreamFailure } from '../../src/xmpp/errors.js'
import type { ConnectionStatus } from '../../src/xmpp/status.js'
import { FakeServer, type FakePeer } from './fake-server.js'

const saslFailure = (condition: string): string =>
  `<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><${condition}/></failure>`
const plain = `<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>`
const staleAfterMs = 60_000
const capMs = 30_000

interface Said {
  readonly level: 'warn' | 'error'
  readonly condition?: string
  readonly remedy?: string
  readonly service?: string
}

let faulty: FakeServer
let good: FakeServer
let connection: XmppConnection
let said: Said[]
let statuses: ConnectionStatus[]
let failures: StreamFailure[]

beforeEach(async () => {
  said = []
  statuses = []
  failures = []
  faulty = await FakeServer.listen()
  good = await FakeServer.listen()
})

afterEach(async () => {
  faulty.close()
  good.close()
  await connection.stop()
})

function connect(
  services: readonly Pick<FakeServer, 'uri'>[],
  options: Partial<ConnectionOptions> = {},
): XmppConnection {
  const note = (level: Said['level']) => (fields: object) => void said.push({ level, ...fields })
  connection = new XmppConnection({
    services: services.map(({ uri }) => uri),
    jid: 'pbx-a@example.org',
    resource: '02:00:00:00:00:0a',
    password: () => 'secret',
    tls: { mode: 'insecure' },
    sasl: { mode: 'plain' },
    silenceLimitMs: 60_000,
    conflictWaitMs: staleAfterMs,
    connectTimeoutMs: 3_000,
    backoff: { firstMs: 1, capMs, random: () => 0 },
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: note('warn'),
      error: note('error'),
    },
    ...options,
  })
  connection.on('status', (status) => statuses.push(status))
  connection.on('failed', (failure) => failures.push(failure))
  connection.start()
  return connection
}

async function waiting(): Promise<Extract<ConnectionStatus, { state: 'waiting' }>> {
  for (;;) {
    const found = statuses.find((status) => status.state === 'waiting')
    if (found) return found
    await once(connection, 'status', { signal: AbortSignal.timeout(5_000) })
  }
}

async function onlineAt(server: FakeServer): Promise<FakePeer> {
  const peer = await (await server.accept()).login()
  while (connection.status.state !== 'online') {
    await once(connection, 'status', { signal: AbortSignal.timeout(5_000) })
  }
  expect(connection.status).toMatchObject({ service: server.uri })
  return peer
}

/** How a server can refuse before the stream stands. */
const refusals: readonly {
  readonly fault: string
  readonly condition: string
  readonly options?: Partial<ConnectionOptions>
  readonly refuse: (peer: FakePeer) => Promise<void> | void
}[] = [
  {
    fault: 'takes the connection and stays mute',
    condition: 'timeout',
    options: { connectTimeoutMs: 500 },
    refuse: () => undefined,
  },
  {
    fault: 'closes the connection at once',
    condition: 'unanswered',
    refuse: (peer) => void peer.socket.end(),
  },
  {
    fault: 'resets the connection at once',
    condition: 'unanswered',
    refuse: (peer) => void peer.socket.resetAndDestroy(),
  },
  ...[
    'not-authorized',
    'account-disabled',
    'credentials-expired',
    'mechanism-too-weak',
    'temporary-auth-failure',
  ].map((condition) => ({
    fault: `refuses the credentials with ${condition}`,
    condition,
    refuse: async (peer: FakePeer) => {
      await peer.offer(plain)
      await peer.expect(/<auth[^>]*>[^<]*<\/auth>/)
      peer.write(saslFailure(condition))
    },
  })),
  {
    fault: 'offers no mechanism that is known',
    condition: 'no-mechanism',
    refuse: (peer) => peer.offer(plain.replace('PLAIN', 'GSSAPI')),
  },
  {
    fault: 'offers PLAIN only, where no word allows it',
    condition: 'plain-only',
    options: { sasl: { mode: 'scram' } },
    refuse: (peer) => peer.offer(plain),
  },
  {
    fault: 'offers less than before',
    condition: 'mechanism-downgraded',
    options: {
      sasl: { mode: 'plain', memory: { recall: () => 'SCRAM-SHA-1', remember: () => undefined } },
    },
    refuse: (peer) => peer.offer(plain),
  },
  {
    fault: 'finds that the login is bound to another channel, or that its offer was changed',
    condition: 'channel-binding',
    refuse: async (peer) => {
      await peer.offer(plain.replace('PLAIN', 'SCRAM-SHA-1'))
      await peer.expect(/<auth[^>]*>[^<]*<\/auth>/)
      peer.write(saslFailure('malformed-request'))
    },
  },
  {
    fault: 'says too much before the login',
    condition: 'negotiation-too-big',
    refuse: (peer) => peer.offer('<a/>'.repeat(20_000)),
  },
  {
    fault: 'sends a comment',
    condition: 'restricted-xml',
    refuse: (peer) => peer.offer('<!-- x -->'),
  },
  {
    fault: 'sends what is no XML',
    condition: 'not-well-formed',
    refuse: (peer) => peer.offer('<a></b>'),
  },
  {
    fault: 'offers no STARTTLS where TLS is required',
    condition: 'tls-unavailable',
    options: { tls: { mode: 'required' } },
    refuse: (peer) => peer.offer(plain),
  },
  ...[
    'conflict',
    'system-shutdown',
    'policy-violation',
    'resource-constraint',
    'host-unknown',
    'host-gone',
    'see-other-host',
    'internal-server-error',
    'connection-timeout',
    'remote-connection-failed',
    'unsupported-version',
  ].map((condition) => ({
    fault: `ends the stream with ${condition} before it stands`,
    condition,
    refuse: async (peer: FakePeer) => {
      await peer.offer('')
      peer.fail(condition)
    },
  })),
]

/** What is waited when the only service failed so. */
const waits: Readonly<Record<StreamReaction, number>> = {
  retry: 0,
  unreached: 0,
  next: 0,
  slow: capMs,
  credentials: 300_000,
  conflict: staleAfterMs,
}

describe('a server that cannot be reached', () => {
  it('is tried every 5 s at least, however long the backoff of others is', async () => {
    const { uri } = faulty
    faulty.close()
    connect([{ uri }], { backoff: { firstMs: 60_000, capMs: 60_000, random: () => 0 } })
    const waits = (): number[] =>
      statuses.flatMap((status) => (status.state === 'waiting' ? [status.delayMs] : []))
    while (waits().length < 2) {
      await once(connection, 'status', { signal: AbortSignal.timeout(5_000) })
    }
    expect(waits()).toEqual([0, 5_000])
    expect(failures[0]?.condition).toBe('ECONNREFUSED')
  })
})

describe('a server that refuses', () => {
  it.each(refusals)('and $fault: says why and what to do, and waits', async (row) => {
    const { condition, refuse, options } = row
    connect([faulty], options)
    await refuse(await faulty.accept())
    expect(await waiting()).toMatchObject({ delayMs: waits[streamRow(condition).reaction] })
    const { reaction, remedy } = streamRow(condition)
    const isTemporary = ['retry', 'unreached', 'next'].includes(reaction)
    expect(said[0]).toMatchObject({ level: isTemporary ? 'warn' : 'error', condition })
    expect(said[0]?.remedy).toBe(remedy)
    expect(failures[0]?.condition).toBe(condition)
  })

  /** A conflict waits wherever else it could go; what the options decide is so at every service. */
  const everywhere = ['conflict', 'tls-unavailable', 'plain-only', 'mechanism-downgraded']
  const elsewhere = refusals.filter(({ condition }) => !everywhere.includes(condition))
  it.each(elsewhere)('and $fault: the next service is tried at once', async (row) => {
    connect([faulty, good], row.options)
    await row.refuse(await faulty.accept())
    expect(await waiting()).toMatchObject({ delayMs: 0 })
    await onlineAt(good)
  })

  it('rests for long only when every service of the list needs an administrator', async () => {
    connect([faulty, good])
    const refuse = async (peer: FakePeer, condition: string) => {
      await peer.offer('')
      peer.fail(condition)
    }
    await refuse(await faulty.accept(), 'internal-server-error')
    // The last one of the list is hopeless, but the first may be back soon.
    await refuse(await good.accept(), 'host-unknown')
    await onlineAt(faulty)
  })

  it('and does not know the password is left alone for 5 minutes, as it may ban who goes on', async () => {
    connect([faulty, good])
    const peer = await faulty.accept()
    await peer.offer(plain)
    await peer.expect(/<auth[^>]*>[^<]*<\/auth>/)
    peer.write(saslFailure('not-authorized'))
    // The other one may be back soon, but a round is one more wrong password here.
    const other = await good.accept()
    await other.offer('')
    other.fail('system-shutdown')
    await expect.poll(() => statuses.at(-1)).toMatchObject({ state: 'waiting', delayMs: 300_000 })
    expect(streamRow('policy-violation').remedy).toMatch(/correct the password.*unban_ip/)
  })

  it('and goes on refusing the password is asked more and more rarely, for ejabberd counts for an hour', async () => {
    connect([faulty], { credentialsWaitMs: 1 })
    for (let round = 0; round < 4; round += 1) {
      const peer = await faulty.accept()
      await peer.offer(plain)
      await peer.expect(/<auth[^>]*>[^<]*<\/auth>/)
      peer.write(saslFailure('not-authorized'))
      await peer.closed()
    }
    const waits = (): number[] =>
      statuses.flatMap((status) => (status.state === 'waiting' ? [status.delayMs] : []))
    await expect.poll(waits).toEqual([1, 3, 9, 27])
  })

  it('is complained of once each, however the services take turns', async () => {
    connect([faulty, good], { backoff: { firstMs: 1, capMs: 2, random: () => 0 } })
    for (let round = 0; round < 3; round += 1) {
      for (const [server, condition] of [
        [faulty, 'host-unknown'],
        [good, 'system-shutdown'],
      ] as const) {
        const peer = await server.accept()
        await peer.offer('')
        peer.fail(condition)
      }
    }
    await onlineAt(faulty)
    expect(said.map(({ condition, service }) => [condition, service])).toEqual([
      ['host-unknown', faulty.uri],
      ['system-shutdown', good.uri],
    ])
  })
})

describe('a stream that stood', () => {
  const conditions = [
    'system-shutdown',
    'see-other-host',
    'resource-constraint',
    'internal-server-error',
    'connection-timeout',
    'policy-violation',
    'reset',
    'undefined-condition',
  ]

  it.each(conditions)(
    'and ends with %s is followed at once by another, there or elsewhere',
    async (condition) => {
      connect([faulty, good])
      const peer = await onlineAt(faulty)
      peer.fail(condition)
      await onlineAt(streamRow(condition).reaction === 'next' ? good : faulty)
      expect(statuses).toContainEqual(expect.objectContaining({ state: 'waiting', delayMs: 0 }))
    },
  )

  it('and is cut off is opened again at the same service, then at the next', async () => {
    connect([faulty, good])
    const peer = await onlineAt(faulty)
    faulty.close()
    peer.socket.destroy()
    await onlineAt(good)
  })

  it('and falls silent is left for the next service', async () => {
    connect([faulty, good], { silenceLimitMs: 60 })
    await onlineAt(faulty)
    await onlineAt(good)
    expect(said[0]).toMatchObject({ condition: 'silent' })
  })

  it.each(['host-gone', 'host-unknown', 'not-authorized'])(
    'and ends with %s waits for an administrator',
    async (condition) => {
      connect([faulty, good])
      const peer = await onlineAt(faulty)
      peer.fail(condition)
      expect(await waiting()).toMatchObject({ delayMs: waits[streamRow(condition).reaction] })
      expect(said).toMatchObject([{ level: 'error', remedy: streamRow(condition).remedy }])
    },
  )

  it('and ends with conflict waits stale_after, wherever else it could go (rule 20)', async () => {
    connect([faulty, good])
    const peer = await onlineAt(faulty)
    const conflicted = once(connection, 'conflicted')
    peer.fail('conflict')
    await conflicted
    expect(await waiting()).toMatchObject({ delayMs: staleAfterMs })
    expect(said).toMatchObject([{ level: 'error', condition: 'conflict' }])
  })

  it('names the host that the server points to', async () => {
    connect([faulty])
    const peer = await onlineAt(faulty)
    peer.socket.end(
      `<stream:error><see-other-host xmlns='urn:ietf:params:xml:ns:xmpp-streams'>xmpp2.example.org:5222</see-other-host></stream:error></stream:stream>`,
    )
    await onlineAt(faulty)
    expect(failures[0]?.message).toContain('xmpp2.example.org:5222')
  })
})

describe('a certificate', () => {
  let scratch: Scratch
  let caFile: string
  let expired: { readonly cert: Buffer; readonly key: Buffer }
  let valid: { readonly cert: Buffer; readonly key: Buffer }

  beforeAll(async () => {
    scratch = createScratch('xmpp-faults')
    const ca = await createCa(scratch)
    caFile = ca.caFile
    const [old, fresh] = [await ca.issueExpired('example.org'), await ca.issue('example.org')]
    expired = { cert: readFileSync(old.certFile), key: readFileSync(old.keyFile) }
    valid = { cert: readFileSync(fresh.certFile), key: readFileSync(fresh.keyFile) }
  })

  afterAll(() => scratch.remove())

  it('that expired is told with its remedy, and the next service is taken', async () => {
    const [old, fresh] = [await FakeServer.listen(expired), await FakeServer.listen(valid)]
    connect([old, fresh], { tls: { mode: 'required', caFile } })
    await onlineAt(fresh)
    expect(said).toMatchObject([
      { level: 'error', condition: 'certificate-date', service: old.uri },
    ])
    expect(said[0]?.remedy).toContain('renew')
    old.close()
    fresh.close()
  })

  it('that expired on the only service is asked for again as rarely as may be', async () => {
    const old = await FakeServer.listen(expired)
    connect([old], { tls: { mode: 'required', caFile } })
    expect(await waiting()).toMatchObject({ delayMs: capMs })
    old.close()
  })
})

it('every row of the table says what to do, and so does what has no row', () => {
  const mute = Object.entries(streamRows).filter(([, { remedy }]) => !remedy)
  expect(mute).toEqual([])
  expect(streamRow('constructor')).toMatchObject({ reaction: 'retry' })
  expect(streamRow('constructor').remedy).toContain('XMPP server')
  expect(streamRow('ECONNREFUSED').remedy).toContain('start the XMPP server')
})

describe('a new password', () => {
  const refuse = async (): Promise<string> => {
    const peer = await faulty.accept()
    await peer.offer(plain)
    await peer.expect(/<auth[^>]*>[^<]*<\/auth>/)
    peer.write(saslFailure('not-authorized'))
    return /<auth[^>]*>([^<]*)</.exec(peer.transcript)?.[1] ?? ''
  }
  const passwordOf = (sent: string): string | undefined =>
    Buffer.from(sent, 'base64').toString('utf8').split('\0')[2]

  it('is tried at once, and its refusal is told too', async () => {
    let password = 'wrong'
    connect([faulty], { password: () => password })
    expect(passwordOf(await refuse())).toBe('wrong')
    await waiting()
    password = 'wrong as well'
    statuses.length = 0
    connection.retryNow()
    expect(passwordOf(await refuse())).toBe('wrong as well')
    await waiting()
    expect(said.map(({ condition }) => condition)).toEqual(['not-authorized', 'not-authorized'])
  })

  it('follows at once the attempt with the old one', async () => {
    let password = 'wrong'
    connect([faulty], { password: () => password })
    const refused = refuse()
    password = 'right'
    connection.retryNow()
    await refused
    const peer = await faulty.accept()
    await peer.login()
    expect(passwordOf(/<auth[^>]*>([^<]*)</.exec(peer.transcript)?.[1] ?? '')).toBe('right')
  })

  it('ends the wait for another bridge where it is to', async () => {
    connect([faulty])
    const peer = await onlineAt(faulty)
    const conflicted = once(connection, 'conflicted')
    // What was asked for before does not count.
    peer.fail('conflict')
    await conflicted
    connection.retryNow({ evenInConflict: true })
    await onlineAt(faulty)
  })

  it('does not end the wait for another bridge', async () => {
    connect([faulty])
    const peer = await onlineAt(faulty)
    const conflicted = once(connection, 'conflicted')
    peer.fail('conflict')
    await conflicted
    statuses.length = 0
    connection.retryNow()
    await new Promise((resolve) => setImmediate(resolve))
    expect(statuses).toEqual([])
  })
})
