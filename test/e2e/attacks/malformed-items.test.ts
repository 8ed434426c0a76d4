/** Malformed and hostile items: they change nothing on any PBX, crash nothing, and show in the counters (rule 18). */
import { readFileSync } from 'node:fs'
import { parse } from 'ltx'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCluster, type Cluster } from '../../../lab/cluster.js'
import type { Member } from '../../../lab/member.js'
import { Onlooker } from '../../../lab/onlooker.js'
import { startEjabberd } from '../../../lab/ejabberd.js'
import { startProsody } from '../../../lab/prosody.js'
import { feedNode, membersNode, windowNode } from '../../../src/nodes/names.js'
import { codecs } from '../../../src/nodes/registry.js'
import { namespace } from '../../../src/nodes/strict.js'
import { createNode } from '../../../src/pubsub/create-node.js'
import { items } from '../../../src/pubsub/items.js'
import { publish } from '../../../src/pubsub/publish.js'
import { retract } from '../../../src/pubsub/retract.js'
import { subscribe } from '../../../src/pubsub/subscribe.js'
import { StanzaError } from '../../../src/xmpp/errors.js'

const root = 'asterisk'
const eidA = '02:00:00:00:00:0a'
const eidB = '02:00:00:00:00:0b'
const eve = { user: 'eve', password: 'secret' }
/** Hostile items would set it; nobody else does. */
const victim = 'Custom:victim'
const victimMailbox = '6666@default'

const servers = [
  { kind: 'Prosody', start: startProsody, exposePublisher: true, isOwnerOfAll: true },
  {
    kind: 'Prosody that hides publishers',
    start: startProsody,
    exposePublisher: false,
    isOwnerOfAll: true,
  },
  { kind: 'ejabberd', start: startEjabberd, exposePublisher: true, isOwnerOfAll: false },
] as const

interface BatchFields {
  readonly eid?: string
  readonly epoch?: string
  readonly seq?: string
  readonly xmlns?: string
}

const stranger = 'f'.repeat(32)
/**
 * Octets of an attribute that fits into one read of the server. A longer one holds the sender's own stream up: since its
 * update against CVE-2023-52425 libexpat looks at an unfinished token again only when twice as much of it has come.
 */
const longest = 3_000
const busyVictim = `<state id='${victim}'>BUSY</state>`

function batch(fields: BatchFields, entries = busyVictim): string {
  const { xmlns = namespace, ...attributes } = fields
  const text = Object.entries(attributes).map(([name, value]) => ` ${name}='${value}'`)
  return `<batch xmlns='${xmlns}'${text.join('')}>${entries}</batch>`
}

const nested = (depth: number): string => '<x>'.repeat(depth) + '</x>'.repeat(depth)

/** Batches that would set the victim if they were believed, and why each must be refused. */
function malformedBatches(good: Required<Omit<BatchFields, 'xmlns'>>, other: string) {
  const { eid, ...withoutEid } = good
  return [
    ['without EID', 'eid', batch(withoutEid)],
    ['with the EID of another', 'eid', batch({ ...good, eid: other })],
    ['with the empty EID', 'eid', batch({ ...good, eid: '00:00:00:00:00:00' })],
    [
      'with an unknown state',
      'state',
      batch(good, `<state id='${victim}'>ENGAGED</state>${busyVictim}`),
    ],
    [
      'with 200 kB for a state',
      'text',
      batch(good, `<state id='${victim}'>${'B'.repeat(200_000)}</state>`),
    ],
    [
      'with 3 kB for a name',
      'name',
      batch(good, `<state id='${'C'.repeat(longest)}'>BUSY</state>`),
    ],
    [
      'with a name of control characters',
      'name',
      batch(good, `<state id='${victim}&#x85;&#10;'>BUSY</state>`),
    ],
    ['nested 20 levels deep', 'depth', batch(good, `${busyVictim}${nested(20)}`)],
    ['with 10,000 children', 'children', batch(good, busyVictim + '<x/>'.repeat(10_000))],
    ['with an entry of unknown name', 'element', batch(good, `<stat id='${victim}'>BUSY</stat>`)],
    [
      'with a mailbox of -1 messages',
      'count',
      batch(good, `<mailbox id='${victimMailbox}' new='-1' old='0'/>`),
    ],
    ['of another namespace', 'element', batch({ ...good, xmlns: 'urn:example' })],
    ['with an epoch that is none', 'epoch', batch({ ...good, epoch: 'now' })],
    ['with a sequence number that is none', 'sequence', batch({ ...good, seq: '1e3' })],
  ].map(([title = '', reason = '', text = '']) => ({ title, reason, text, eid }))
}

/** Member items that say something else than who they are, or nothing that can be read. */
function malformedMembers(id: string, service: string) {
  const good = {
    eid: '02:00:00:00:00:0e',
    name: 'eve',
    jid: `${id}/eve`,
    service,
    epoch: stranger,
    version: '1',
  }
  const item = (
    fields: Readonly<Record<string, string>>,
    inner = '',
    xmlns: string = namespace,
  ) => {
    const text = Object.entries(fields).map(([name, value]) => ` ${name}='${value}'`)
    return `<member xmlns='${xmlns}'${text.join('')}>${inner}</member>`
  }
  const { eid, ...withoutEid } = good
  return {
    good: item(good),
    as: (fields: Partial<typeof good>) => item({ ...good, ...fields }),
    malformed: [
      ['eid', item(withoutEid)],
      ['eid', item({ ...good, eid: eid.repeat(longest / 20) })],
      ['jid', item({ ...good, jid: `pbx-a@example.org/${eidA}` })],
      ['name', item({ ...good, name: 'n'.repeat(longest) })],
      ['name', item({ ...good, name: '&#x85;' })],
      ['depth', item(good, nested(10))],

      ['children', item(good, '<x/>'.repeat(10_000))],
      ['element', item(good, '', 'urn:example')],
      ['element', item(good, '<extra/>')],
      ['epoch', item({ ...good, epoch: '' })],
    ] as const,
  }
}

const tally = (reasons: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const reason of reasons) counts[reason] = (counts[reason] ?? 0) + 1
  return counts
}

describe.each(servers)('$kind', ({ start, exposePublisher, isOwnerOfAll }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let outsider: Onlooker
  /** With the account of the member B, beside its bridge. */
  let insider: Onlooker
  let bridges: number[]

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'hostile',
      startServer: start,
      server: { guests: [eve], exposePublisher },
      members: { a: {}, b: {} },
    })
    a = cluster.member('a')
    b = cluster.member('b')
    bridges = [a, b].map(({ bridge }) => bridge.pid)
    await a.asterisk.setDevice('Custom:lamp', 'INUSE')
    await b.asterisk.setDevice('Custom:door', 'RINGING')
    await follow()
    outsider = await Onlooker.connect(cluster.server, eve)
    insider = await Onlooker.connect(
      cluster.server,
      { user: 'pbx-b', password: 'secret-b' },
      'insider',
    )
  })

  afterAll(async () => {
    await Promise.all([outsider.stop(), insider.stop()])
    await cluster.stop()
  })

  const jidOf = (letter: string): string => `pbx-${letter}@${cluster.server.domain}`
  const refused = (member: Member, kind: string, reason?: string) =>
    member.metric('hintbridge_refused_items_total', {
      kind,
      ...(reason === undefined ? {} : { reason }),
    })

  /** A change on each, seen on the other: it comes after all that was sent before. */
  async function follow(): Promise<void> {
    for (const [from, to, device] of [
      [a, b, 'Custom:fence-a'],
      [b, a, 'Custom:fence-b'],
    ] as const) {
      const next = (await from.asterisk.deviceState(device)) === 'INUSE' ? 'NOT_INUSE' : 'INUSE'
      await from.asterisk.setDevice(device, next)
      await to.asterisk.awaitDeviceState(device, next)
    }
  }

  /** All is as before the test: states on both PBXs, the processes and their streams. */
  async function expectUnharmed(): Promise<void> {
    await follow()
    for (const member of [a, b]) {
      const { asterisk } = member
      expect(await asterisk.deviceState('Custom:lamp')).toBe('INUSE')
      expect(await asterisk.deviceState('Custom:door')).toBe('RINGING')
      expect(await asterisk.deviceState(victim)).toBe('UNKNOWN')
      const touched = asterisk.ami.events.filter((event) =>
        [victim, `MWI:${victimMailbox}`].includes(event.get('Device') ?? ''),
      )
      expect(touched).toEqual([])
      expect(await member.alivePeers()).toBe(1)
      expect(readFileSync(member.logFile, 'utf8')).not.toMatch(/stream is down|member is dead/)
    }
    expect([a, b].map(({ bridge }) => [bridge.pid, bridge.isRunning])).toEqual(
      bridges.map((pid) => [pid, true]),
    )
  }

  /** What B's feed would carry next, to the number. */
  async function nextOf(member: Member) {
    const { eid } = member.asterisk
    const found = await items(outsider.pubsub, membersNode(root))
    const item = found
      .map(({ id, payload }) => codecs.members.decode(payload, { id }))
      .find((each) => each.eid === eid)
    const sequence = await member.metric('hintbridge_feed_sequence')
    return { eid, epoch: item?.epoch ?? '', seq: String(sequence + 1) }
  }

  const condition = async (attempt: Promise<unknown>): Promise<string> => {
    try {
      await attempt
      return 'taken'
    } catch (error) {
      if (error instanceof StanzaError) return error.condition
      throw error
    }
  }

  test('malformed batches in a member’s feed are dropped, and counted by reason', async () => {
    const batches = malformedBatches(await nextOf(b), eidA)
    for (const { text } of batches) {
      await publish(insider.pubsub, feedNode(root, eidB), 'hostile', parse(text))
    }
    await expectUnharmed()
    const counted: Record<string, number> = {}
    for (const reason of new Set(batches.map((each) => each.reason)))
      counted[reason] = await refused(a, 'feed', reason)
    expect(counted).toEqual(tally(batches.map(({ reason }) => reason)))
  })

  test('a batch so deep that the stream passes over it sets nothing', async () => {
    const deep = batch(await nextOf(b), `${busyVictim}${nested(2_000)}`)
    await publish(insider.pubsub, feedNode(root, eidB), 'hostile', parse(deep))
    await expectUnharmed()
    expect(readFileSync(a.logFile, 'utf8')).toContain('a stanza was too big')
  })

  test('a batch of another epoch sets nothing', async () => {
    const next = await nextOf(b)
    await publish(
      insider.pubsub,
      feedNode(root, eidB),
      'hostile',
      parse(batch({ ...next, epoch: stranger })),
    )
    await publish(
      insider.pubsub,
      feedNode(root, eidB),
      'hostile',
      parse(batch({ ...next, epoch: stranger, seq: '1' })),
    )
    await expectUnharmed()
  })

  test('a stranger can write to no feed and make no node', async () => {
    const forged = parse(batch(await nextOf(a)))
    expect(await condition(publish(outsider.pubsub, feedNode(root, eidA), 'hostile', forged))).toBe(
      'forbidden',
    )
    expect(
      await condition(createNode(outsider.pubsub, feedNode(root, '02:00:00:00:00:0e'), {})),
    ).toBe('forbidden')
    expect(
      await condition(
        retract(outsider.pubsub, windowNode(root, eidA, 'device_state'), 'Custom:lamp'),
      ),
    ).toBe('forbidden')
    await expectUnharmed()
  })

  test('a member can set nothing in the name of another', async () => {
    const forged = parse(batch(await nextOf(a)))
    const answer = await condition(publish(insider.pubsub, feedNode(root, eidA), 'hostile', forged))
    // On Prosody too, though it is an administrator of the component: what A has admitted it to counts for more.
    expect(answer).toBe('forbidden')
    await expectUnharmed()
  })

  test('malformed member items are dropped and counted', async () => {
    const { malformed } = malformedMembers(`eve@${cluster.server.domain}`, cluster.server.pubsub)
    for (const [, text] of malformed) {
      await publish(outsider.pubsub, membersNode(root), `eve@${cluster.server.domain}`, parse(text))
    }
    await expectUnharmed()
    for (const [reason, count] of Object.entries(tally(malformed.map(([reason]) => reason)))) {
      for (const member of [a, b]) {
        // What stands in `members` is counted again whenever a bridge reads that.
        expect(await refused(member, 'members', reason), reason).toBeGreaterThanOrEqual(count)
      }
    }
  })

  test('a well-formed member item of an account that trust does not name is refused', async () => {
    const id = `eve@${cluster.server.domain}`
    const { as } = malformedMembers(id, cluster.server.pubsub)
    for (const eid of ['02:00:00:00:00:0e', eidA, eidB]) {
      await publish(outsider.pubsub, membersNode(root), id, parse(as({ eid })))
    }
    await expectUnharmed()
    for (const member of [a, b]) {
      const untrusted = await refused(member, 'members', 'trust does not name its JID')
      expect(untrusted).toBeGreaterThanOrEqual(3)
      expect(await member.awaitProblem('members')).toContain(id)
    }
  })

  test('a stranger’s item in the name of a member moves that member nowhere', async () => {
    const id = jidOf('b')
    const { as } = malformedMembers(id, cluster.server.pubsub)
    await subscribe(outsider.pubsub, membersNode(root), outsider.jid)
    const forgeries = [
      as({ eid: eidB, jid: `${id}/elsewhere` }),
      as({ eid: eidB, jid: `${id}/${eidB}`, service: 'pubsub.example.net' }),
      as({ eid: '02:00:00:00:00:0e' }),
      as({ eid: eidA }),
    ]
    for (const forged of forgeries) {
      const answer = await condition(publish(outsider.pubsub, membersNode(root), id, parse(forged)))
      expect(answer).toBe(isOwnerOfAll ? 'taken' : 'forbidden')
      await expectUnharmed()
    }
    if (!isOwnerOfAll) return
    const objection = exposePublisher
      ? 'another account published it'
      : 'its full JID does not vouch for it'
    // B reads `members` after each, and so does A where presence makes it: the last may be counted more than once.
    expect(await refused(a, 'members', objection)).toBeGreaterThanOrEqual(3)
    // The member finds its item written over, and mends it.
    await outsider.awaitNotifications((all) => {
      const last = all.findLast(({ node, item }) => node === membersNode(root) && item.id === id)
      return (
        last?.item.payload?.attrs['jid'] === `${id}/${eidB}` &&
        last.item.payload.attrs['epoch'] !== stranger
      )
    })
  })

  test('a stranger’s item of a member that never was changes nothing', async () => {
    const id = jidOf('z')
    const { as } = malformedMembers(id, cluster.server.pubsub)
    for (const eid of ['02:00:00:00:00:0e', eidA, eidB]) {
      const forged = parse(as({ eid, jid: `${id}/${eid}` }))
      await publish(outsider.pubsub, membersNode(root), id, forged)
      await expectUnharmed()
    }
  })

  test('a stranger’s requests are forbidden, and counted', async () => {
    for (const letter of ['a', 'b']) {
      const member = cluster.member(letter)
      const bridge = `${jidOf(letter)}/${member.asterisk.eid}`
      const ask = (payload: string) => condition(outsider.ask(bridge, payload))
      expect(await ask(`<status xmlns='${namespace}'/>`)).toBe('forbidden')
      expect(await ask(`<snapshot xmlns='${namespace}' max='500'/>`)).toBe('forbidden')
      expect(await ask(`<snapshot xmlns='${namespace}' max='all'/>`)).not.toBe('taken')
      expect(await ask(`<other xmlns='${namespace}'/>`)).toBe('service-unavailable')
      expect(await member.metric('hintbridge_refused_requests_total')).toBeGreaterThanOrEqual(2)
    }
    await expectUnharmed()
  })

  test('what a stranger sends in the shape of notifications and presence is not taken for theirs', async () => {
    const { as } = malformedMembers(jidOf('b'), cluster.server.pubsub)
    const to = `${jidOf('a')}/${eidA}`
    const event = (node: string, content: string) =>
      `<message to='${to}'><event xmlns='http://jabber.org/protocol/pubsub#event'>` +
      `<items node='${node}'>${content}</items></event></message>`
    const forged = batch(await nextOf(b))
    const mine = `publisher='${jidOf('b')}'`
    outsider.send(event(feedNode(root, eidB), `<item id='batch' ${mine}>${forged}</item>`))
    outsider.send(
      event(membersNode(root), `<item id='${jidOf('b')}' ${mine}>${as({ eid: eidB })}</item>`),
    )
    outsider.send(event(membersNode(root), `<retract id='${jidOf('b')}'/>`))
    outsider.send(`<presence to='${to}'/>`)
    outsider.send(`<presence to='${to}' type='unavailable'/>`)
    outsider.send(`<presence to='${to}' type='subscribe'/>`)
    // Its answer comes after all of these have been taken.
    expect(await condition(outsider.ask(to, `<status xmlns='${namespace}'/>`))).toBe('forbidden')
    expect(await refused(a, 'feed', 'another service')).toBe(1)
    expect(await refused(a, 'members', 'service')).toBe(1)
    await expectUnharmed()
  })

  test('a stranger’s item that is too deep to be read keeps nobody from joining', async () => {
    const deep = `<member xmlns='${namespace}'>${nested(50)}</member>`
    await publish(outsider.pubsub, membersNode(root), 'deep', parse(deep))
    await b.stopBridge()
    await b.startBridge()
    await b.awaitReady(1)
    expect(await refused(b, 'members', 'size')).toBeGreaterThanOrEqual(1)
  })
})
