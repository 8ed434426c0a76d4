/** What an XMPP server said → what doctor finds. */
import { describe, expect, it } from 'vitest'
import { compileTrust } from '../../src/config/jid.js'
import { judgeBridge } from '../../src/doctor/checks/bridge.js'
import { judgeClock } from '../../src/doctor/checks/clock.js'
import { judgeCertificate, judgeLogins, judgeStream } from '../../src/doctor/checks/login.js'
import { type BridgeView, judgeMembers } from '../../src/doctor/checks/members.js'
import { judgeRefusal, judgeTrial } from '../../src/doctor/checks/nodes.js'
import { judgePubsub } from '../../src/doctor/checks/pubsub-service.js'
import { judgeRate } from '../../src/doctor/checks/rate.js'
import { judgeReaders } from '../../src/doctor/checks/readers.js'
import { judgeRegistration } from '../../src/doctor/checks/registration.js'
import type { Login } from '../../src/doctor/context.js'
import type { Finding } from '../../src/doctor/finding.js'
import type { OverviewAnswer } from '../../src/observe/api.js'
import { StanzaError, StreamFailure } from '../../src/xmpp/errors.js'

const severities = (findings: readonly Finding[]): string[] =>
  findings.map(({ severity }) => severity)

describe('a login', () => {
  const isIn = (service: string) =>
    ({ service, session: undefined, tookMs: 12 }) as unknown as Login
  const failure = new StreamFailure('not-authorized', 'not-authorized')

  it('that fails says why and what to do', () => {
    expect(judgeLogins([{ service: 'xmpp://a:5222', failure }])).toEqual([
      {
        check: 'login',
        severity: 'broken',
        text: 'xmpp://a:5222 does not let this account in: not-authorized (not-authorized)',
        remedy:
          'check xmpp.jid and its password, and that the account exists on the server; where the server speaks of channel ' +
          'binding, find out who ends TLS in between: for a proxy of your own set xmpp.sasl: scram-unbound',
      },
    ])
  })

  it('that fails at one service of several is a warning', () => {
    const logins = [{ service: 'xmpp://a:5222', failure }, isIn('xmpp://b:5222')]
    expect(severities(judgeLogins(logins))).toEqual(['warning', 'ok'])
  })

  it('that works where the bridge has no stream says what the bridge says, and is not told of twice else', () => {
    const problems = [{ key: 'stream', text: 'the XMPP stream is down: closed' }]
    expect(judgeStream([isIn('xmpp://a:5222')], problems)).toMatchObject([
      {
        check: 'login',
        severity: 'broken',
        text: 'the account is let in, and yet the bridge says: the XMPP stream is down: closed',
      },
    ])
    expect(judgeStream([{ service: 'xmpp://a:5222', failure }], problems)).toEqual([])
    expect(judgeStream([isIn('xmpp://a:5222')], [])).toEqual([])
  })
})

describe('a certificate', () => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  const until = (valid_to: string) => ({ valid_to, issuer: { CN: 'R3' } as never })

  it.each([
    ['that is good for long', until('Feb 20 12:00:00 2027 GMT'), 'required', 'ok'],
    ['that ends within two weeks', until('Dec  4 12:00:00 2026 GMT'), 'required', 'warning'],
    ['that nobody verifies', until('Feb 20 12:00:00 2027 GMT'), 'insecure', 'note'],
    ['that is none', undefined, 'insecure', 'note'],
  ] as const)('%s is judged', (_, certificate, mode, severity) => {
    const [finding] = judgeCertificate('xmpp://a:5222', certificate, mode, now)
    expect(finding?.severity).toBe(severity)
    expect(finding?.remedy === undefined).toBe(severity === 'ok')
  })
})

describe("the server's clock", () => {
  const now = Date.parse('2026-11-21T12:00:00.500Z')

  it.each([
    ['2026-11-21T12:00:00.400Z', 'ok'],
    ['2026-11-21T12:00:00Z', 'ok'],
    ['2026-11-21T11:59:58Z', 'ok'],
    ['2026-11-21T11:59:40.000Z', 'warning'],
    ['2026-11-21T12:00:20Z', 'warning'],
  ])('%s is %s', (utc, severity) => {
    expect(judgeClock(utc, now, now + 20).severity).toBe(severity)
  })

  it('that is behind makes this one ahead', () => {
    expect(judgeClock('2026-11-21T11:59:40.000Z', now, now + 20).text).toBe(
      "is 20.5 s ahead of the XMPP server's",
    )
  })

  it('that says nonsense is not judged', () => {
    expect(() => judgeClock('noon', now, now)).toThrow("the server says that it is 'noon'")
  })
})

describe('the pubsub service', () => {
  const pubsub = { identities: [{ type: 'pubsub/service', name: 'Prosody' }], features: [] }
  const other = { identities: [{ type: 'conference/text', name: 'Rooms' }], features: [] }

  it('is one', () => {
    expect(judgePubsub('pubsub.a', pubsub, []).severity).toBe('ok')
  })

  it('that is another has the right one named', () => {
    expect(judgePubsub('rooms.a', other, ['pubsub.a'])).toMatchObject({
      severity: 'broken',
      text: 'rooms.a is no pubsub service',
      remedy: 'set xmpp.pubsub to pubsub.a',
    })
  })

  it('that answers and is nothing was not loaded', () => {
    const empty = { identities: [], features: ['http://jabber.org/protocol/disco#info'] }
    expect(judgePubsub('pubsub.a', empty, [])).toMatchObject({
      severity: 'broken',
      text: 'pubsub.a is no pubsub service',
      remedy: expect.stringMatching(/^if the server has .*lua-dbi-sqlite3.*else let/) as unknown,
    })
  })

  it('that is not there has a way to get one named', () => {
    const error = new StanzaError('remote-server-not-found', 'cancel')
    expect(judgePubsub('pubsub.b', error, [])).toMatchObject({
      severity: 'broken',
      remedy: expect.stringMatching(/^let the server have one/) as unknown,
    })
  })
})

describe('the members', () => {
  const config = {
    isTrusted: compileTrust(['pbx-*@a']),
    cluster: 'asterisk',
    xmpp: { jid: 'pbx-a@a' } as never,
  }
  const item = (id: string, eid: string, publisher?: string) => ({
    id,
    eid,
    name: 'host',
    jid: `${id}/${eid}`,
    service: 'pubsub.a',
    epoch: '0'.repeat(32),
    version: '1',
    ...(publisher !== undefined && { publisher }),
  })
  const own = item('pbx-a@a', '02:00:00:00:00:0a', 'pbx-a@a')

  const judged = (items: Parameters<typeof judgeMembers>[0], overview?: BridgeView) =>
    judgeMembers(items, config, own.eid, overview)
  const rival = item('pbx-b@a', own.eid)
  const bridge = (problems: readonly string[], self: Partial<BridgeView['self']> = {}) => ({
    self: { phase: 'ready', isStreamUp: true, ...self } as const,
    problems: problems.map((key) => ({ key, severity: 'error', text: '', since: '' }) as const),
  })

  it('are fine where each has an entity ID of its own and is trusted', () => {
    const items = [own, item('pbx-b@a', '02:00:00:00:00:0b', 'PBX-B@a/02:00:00:00:00:0b')]
    expect(severities(judged(items))).toEqual(['ok'])
  })

  it('with the entity ID of this Asterisk are named', () => {
    const giveOwn = expect.stringMatching(
      /^give each Asterisk its own entityid.*changes$/,
    ) as unknown
    for (const overview of [
      bridge(['eid:pbx-b@a']),
      bridge([], { phase: 'syncing' }),
      bridge([], { isStreamUp: false }),
    ]) {
      expect(judged([own, rival], overview)).toMatchObject([
        { check: 'entity-id', severity: 'broken', remedy: giveOwn },
      ])
    }
  })

  it('with the entity ID of this Asterisk may be gone where no bridge can tell', () => {
    expect(judged([own, rival])).toMatchObject([
      {
        severity: 'broken',
        remedy: expect.stringContaining('; if that member is gone for good, stop') as unknown,
      },
    ])
  })

  it('with the entity ID of this Asterisk that do not answer its bridge are left over', () => {
    const found = judged([own, rival], bridge(['eid:pbx-c@a']))
    expect(found).toMatchObject([
      {
        check: 'entity-id',
        severity: 'warning',
        text: expect.stringContaining('does not answer') as unknown,
        remedy: expect.stringContaining(
          'or retract the item pbx-b@a from asterisk/members',
        ) as unknown,
      },
    ])
  })

  it('that nobody believes take no entity ID away', () => {
    const items = [own, item('eve@a', own.eid), item('pbx-b@a', own.eid, 'eve@a')]
    expect(severities(judged(items))).toEqual(['warning', 'warning'])
  })

  it('that are not trusted, or speak for another, are named', () => {
    const items = [
      item('mallory@a', '02:00:00:00:00:0c', 'mallory@a'),
      item('pbx-b@a', '02:00:00:00:00:0b', 'mallory@a'),
    ]
    const found = judged(items)
    expect(severities(found)).toEqual(['warning', 'warning'])
    expect(found[1]?.text).toBe(
      'mallory@a has published an item in the name of pbx-b@a; it is not believed',
    )
  })
})

describe('the trial of a node', () => {
  const good = { mostItems: 256, publisher: 'pbx-a@a', writesMs: [1, 2, 90], tripMs: 3 }
  const bad = (trial: Parameters<typeof judgeTrial>[0], devices?: number): Finding[] =>
    judgeTrial(trial, devices).filter(({ severity }) => severity !== 'ok')

  it('is fine where the service does it all', () => {
    expect(bad(good, 256)).toEqual([])
  })

  it('tells of a cap below the number of devices', () => {
    expect(bad(good, 257)).toMatchObject([
      { severity: 'warning', remedy: expect.stringMatching(/^raise pubsub_max_items/) as unknown },
    ])
    expect(bad(good)).toMatchObject([{ severity: 'note' }])
  })

  it.each([
    ['publishers that are not shown', { publisher: undefined }, 'warning', /expose_publisher/],
    ['a slow store', { writesMs: [60, 70, 2] }, 'warning', /faster store/],
    ['a slow notification', { tripMs: 400 }, 'warning', /overloaded/],
    ['no notification', { tripMs: undefined }, 'broken', /log of the XMPP server/],
  ] as const)('tells of %s', (_, change, severity, remedy) => {
    const trial = { ...good, ...change } as Parameters<typeof judgeTrial>[0]
    expect(bad(trial, 1)).toMatchObject([
      { severity, remedy: expect.stringMatching(remedy) as unknown },
    ])
  })

  it('that is refused says who has to allow it', () => {
    expect(judgeRefusal(new StanzaError('forbidden', 'auth'), 'pbx-a@a')).toMatchObject({
      severity: 'broken',
      remedy: expect.stringMatching(/^let pbx-a@a create nodes: Prosody, 'admins'/) as unknown,
    })
  })
})

describe('the rate', () => {
  it('without a limit is worth a note, as one member may then stall the server', () => {
    const finding = judgeRate({ octets: 1_048_576, tookMs: 20 })
    expect(finding).toMatchObject({ severity: 'note' })
    expect(finding.remedy).toMatch(/^a rate of 1 MB a second .*mod_bridge_rate.*c2s_shaper/)
  })

  it('of a server as shipped is fine', () => {
    const sample = { octets: 1_048_576, tookMs: 1_050, octetsPerSecond: 1_000_000 }
    expect(judgeRate(sample)).toMatchObject({
      severity: 'ok',
      text: 'the server reads about 1000 kB a second of this account',
    })
  })

  it('of a far server that is fast enough is fine', () => {
    const sample = { octets: 65_536, tookMs: 900, octetsPerSecond: 80_000 }
    expect(judgeRate(sample).severity).toBe('ok')
  })

  it('that is low is told, with the setting of both servers', () => {
    const finding = judgeRate({ octets: 40_000, tookMs: 8_000, octetsPerSecond: 2_950 })
    expect(finding).toMatchObject({ severity: 'warning' })
    expect(finding.text).toMatch(/about 3\.0 kB a second/)
    expect(finding.remedy).toMatch(/mod_bridge_rate.*c2s_shaper/)
  })
})

describe('a running bridge', () => {
  const overview = (change: object): OverviewAnswer =>
    ({
      self: { phase: 'ready', isAsteriskFound: true },
      members: [{ name: 'pbx-b', life: 'alive' }],
      problems: [],
      readiness: { ready: true, reasons: [] },
      ...change,
    }) as unknown as OverviewAnswer

  it('that is in sync is fine', () => {
    expect(judgeBridge(overview({}))).toEqual([
      { check: 'bridge', severity: 'ok', text: 'it runs and is in sync with 1 of 1 peers' },
    ])
  })

  it('names the peers that it is not in sync with, and forgets who has left', () => {
    const members = [
      { name: 'pbx-b', life: 'alive' },
      { name: 'pbx-c', life: 'dead' },
      { name: 'pbx-d', life: 'alive', refusal: 'it does not answer for its EID' },
      { name: 'pbx-e', life: 'gone' },
    ]
    expect(judgeBridge(overview({ members }))).toMatchObject([
      {
        severity: 'ok',
        text: 'it runs and is in sync with 1 of 3 peers (pbx-c dead, pbx-d refused)',
      },
      { severity: 'warning' },
    ])
  })

  it('warns of a dead peer, with the way to forget it, and of none that has left', () => {
    const members = [
      { name: 'vm', jid: 'pbx-c@a', life: 'dead', reason: 'its stream ended' },
      { name: 'vm', jid: 'pbx-d@a', life: 'gone', reason: 'it said goodbye' },
    ]
    expect(judgeBridge(overview({ members })).slice(1)).toEqual([
      {
        check: 'bridge',
        severity: 'warning',
        text: 'vm (pbx-c@a) is dead (its stream ended): what its phones do does not show here',
        remedy:
          'see whether that machine, its Asterisk and its bridge run; if it is gone for good: hintbridge forget pbx-c@a',
      },
    ])
  })

  it('leaves it to the check of the login to tell that the stream is down', () => {
    const problems = [{ key: 'stream', severity: 'error', text: 'the XMPP stream is down: …' }]
    expect(severities(judgeBridge(overview({ problems })))).toEqual(['ok'])
  })

  it('has its problems told under what they concern, with their own words of remedy', () => {
    const problems = [
      { key: 'fence:device_state', severity: 'error', text: 'the fence … reload' },
      { key: 'mailbox-polled:1@d', severity: 'warning', text: '… pollmailboxes=no' },
    ]
    const readiness = { ready: false, reasons: ['this member is syncing'] }
    expect(
      judgeBridge(overview({ problems, readiness })).map(({ check, severity }) => [
        check,
        severity,
      ]),
    ).toEqual([
      ['bridge', 'warning'],
      ['asterisk-sip', 'broken'],
      ['mailboxes', 'warning'],
    ])
  })

  it('that is none is a warning', () => {
    expect(judgeBridge(undefined)).toMatchObject([{ severity: 'warning' }])
  })
})

describe('who can read the own nodes', () => {
  const config = {
    isTrusted: compileTrust(['pbx-*@example.org']),
    inspectors: ['ops@example.org'],
    xmpp: { jid: 'pbx-a@example.org' },
  }
  const closed = {
    node: 'asterisk/02:00:00:00:00:0a/feed',
    accessModel: 'whitelist',
    affiliations: [
      { jid: 'pbx-a@example.org', affiliation: 'owner' },
      { jid: 'pbx-b@example.org', affiliation: 'member' },
      { jid: 'ops@example.org', affiliation: 'member' },
      { jid: 'eve@example.org', affiliation: 'outcast' },
    ],
    subscribers: ['pbx-b@example.org/02:00:00:00:00:0b', 'ops@example.org/laptop'],
  }

  it('are members and inspectors, and that is well', () => {
    expect(severities(judgeReaders([closed], config))).toEqual(['ok'])
  })

  it('is everybody where a node is open, and what to do is said', () => {
    const [finding] = judgeReaders([{ ...closed, accessModel: 'open' }], config)
    expect(finding).toMatchObject({ severity: 'warning', check: 'readers' })
    expect(finding?.text).toContain('every account that reaches the server reads asterisk/')
    expect(finding?.remedy).toContain('upgrade the bridge')
  })

  it('is a stranger that is named, or subscribed', () => {
    const named = [{ jid: 'eve@example.org', affiliation: 'member' }]
    for (const access of [
      { ...closed, affiliations: named },
      { ...closed, subscribers: ['eve@example.org/x'] },
    ]) {
      const found = judgeReaders([access], config)
      expect(found.map(({ text }) => text)).toEqual([
        'eve@example.org can read who is on the phone here, and is neither trusted nor an inspector',
      ])
    }
  })
})

describe('a server that lets anybody register', () => {
  it.each([
    [false, ['pbx-*@example.org'], 'ok'],
    [true, ['pbx-*@example.org'], 'broken'],
    [true, ['pbx-a@example.org', 'pbx-*@*.org'], 'broken'],
    [true, ['pbx-a@example.org'], 'warning'],
    [true, ['pbx-*@elsewhere.org'], 'ok'],
  ] as const)('(%s) with trust %j is %s', (isOpen, trust, severity) => {
    expect(judgeRegistration(isOpen, trust, 'example.org').severity).toBe(severity)
  })
})
