/** The commands that look, each run as a process beside real bridges, Asterisks and XMPP servers. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Asterisk } from '../../lab/asterisk.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { startEjabberd } from '../../lab/ejabberd.js'
import { startProsody } from '../../lab/prosody.js'
import type {
  ChangeEvent,
  ChannelView,
  MemberView,
  OverviewAnswer,
  StatesAnswer,
} from '../../src/observe/api.js'
import type { Explained } from '../../src/cli/explain-render.js'
import { type Run, runHintbridge } from './doctor-process.js'

const mainFile = join(import.meta.dirname, '..', '..', 'dist', 'main.js')
const ownVersion = /^Asterisk PBX 22\./

/** Runs a command of that member. */
const run = (member: Member, ...args: string[]): Promise<Run> =>
  runHintbridge([...args, '--config', member.configFile])

/** Its output; throws where it failed. */
async function said(member: Member, ...args: string[]): Promise<string> {
  const { exitCode, output, complaint } = await run(member, ...args)
  if (exitCode !== 0) throw new Error(`${args.join(' ')} ended with ${exitCode}: ${complaint}`)
  return output
}

async function document<Shape>(member: Member, ...args: string[]): Promise<Shape> {
  return JSON.parse(await said(member, ...args, '--json')) as Shape
}

interface MembersDocument extends Pick<OverviewAnswer, 'self' | 'members'> {
  readonly source: string
}

/** No line is wider than a terminal, and none has colour where there is none. */
function expectPlain(text: string): void {
  const tooWide = text.split('\n').filter((line) => line.length > 80)
  expect(tooWide).toEqual([])
  expect(text).not.toContain('\u001b')
}

/** `hintbridge watch`, its lines as they come. */
function watching(member: Member, ...args: string[]) {
  const child = spawn(
    process.execPath,
    [mainFile, 'watch', '--config', member.configFile, ...args],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const line: IteratorResult<string, unknown> = await lines.next()
    if (line.done === true) throw new Error('watch has ended')
    return line.value
  }
  return { child, next }
}

describe('with running bridges around Prosody', () => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let c: Member
  let pbxA: Asterisk
  let pbxB: Asterisk

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'commands',
      startServer: startProsody,
      members: {
        a: {
          hints: { lamp: 'Custom:lamp' },
          mailboxes: ['1000@default'],
          settings: { 'share.device_state.exclude': [] },
        },
        b: { hints: { lamp: 'Custom:lamp' } },
        c: { mailboxes: ['3000@default'], settings: { 'liveness.grace': '100ms' } },
      },
    })
    ;[a, b, c] = [cluster.member('a'), cluster.member('b'), cluster.member('c')]
    ;[pbxA, pbxB] = [a.asterisk, b.asterisk]
    await pbxA.setDevice('Custom:lamp', 'INUSE')
    await pbxB.setDevice('Custom:lamp', 'NOT_INUSE')
    await pbxB.awaitDeviceState('Custom:lamp', 'INUSE')
    pbxA.layVoicemail('1000@default', 2)
    c.asterisk.layVoicemail('3000@default', 1)
    await b.awaitMetric('hintbridge_injected', {}, (injected) => injected >= 4)
  })

  afterAll(() => cluster.stop())

  test('members names each with its addresses, its Asterisk, its counts and its delay', async () => {
    const { source, self, members } = await document<MembersDocument>(b, 'members')
    expect(source).toBe('bridge')
    expect(self).toMatchObject({
      jid: 'pbx-b@example.org',
      eid: pbxB.eid,
      name: 'pbx-b',
      phase: 'ready',
      asterisk: expect.stringMatching(ownVersion) as unknown,
    })
    expect(members.map(({ name, jid, eid, life }) => [name, jid, eid, life])).toEqual(
      expect.arrayContaining([
        ['pbx-a', 'pbx-a@example.org', pbxA.eid, 'alive'],
        ['pbx-c', 'pbx-c@example.org', c.asterisk.eid, 'alive'],
      ]),
    )
    const told = members.find(({ name }) => name === 'pbx-a') as MemberView
    expect(told).toMatchObject({ isBelieved: true, isSynced: true, isStale: false, mailboxes: 1 })
    expect(told.pbxVersion).toMatch(ownVersion)
    expect(told.devices).toBeGreaterThan(0)
    expect(told.delayMs).toBeGreaterThanOrEqual(0)
    expect(told.delayMs).toBeLessThan(60_000)
    expect(Date.parse(told.aliveSince ?? '')).toBeLessThanOrEqual(
      Date.parse(told.lastHeardAt ?? ''),
    )
    const table = await said(b, 'members')
    expectPlain(table)
    expect(table).toMatch(/^NAME +STATE +ALIVE +HEARD +DEVICES +BOXES +BATCH +DELAY$/m)
    expect(table).toMatch(/^pbx-b +ready /m)
    expect(table).toMatch(/^pbx-a +alive /m)
    expect(table).toMatch(/^ {2}pbx-a@example\.org, 02:00:00:00:00:0a, Asterisk PBX 22/m)
  })

  test('channels says what goes out and comes in, and how much of it from whom', async () => {
    const { channels } = await document<{ channels: ChannelView[] }>(b, 'channels')
    expect(channels.map(({ kind }) => kind)).toEqual(['device_state', 'message_waiting'])
    const [devices, mailboxes] = channels
    expect(devices).toMatchObject({
      publish: true,
      subscribe: true,
      include: ['.*'],
      exclude: ['^Local/'],
    })
    expect(mailboxes?.injected).toBe(2)
    expect(mailboxes?.perMember).toEqual(
      expect.arrayContaining([{ jid: 'pbx-a@example.org', name: 'pbx-a', states: 1 }]),
    )
    const text = await said(b, 'channels')
    expectPlain(text)
    expect(text).toMatch(/^exclude +\^Local\/$/m)
  })

  test("devices shows the sum and each member's part", async () => {
    const { matched, states } = await document<StatesAnswer>(b, 'devices', 'custom:*')
    expect(matched).toBe(1)
    const [lamp] = states
    expect(lamp).toMatchObject({ id: 'Custom:lamp', kind: 'device_state', sum: 'INUSE' })
    expect(lamp?.parts).toEqual([
      expect.objectContaining({ name: 'pbx-b', isOwn: true, state: 'NOT_INUSE', standing: 'own' }),
      expect.objectContaining({ name: 'pbx-a', state: 'INUSE', standing: 'injected' }),
    ])
    const text = await said(b, 'devices', 'Custom:lamp')
    expectPlain(text)
    expect(text).toMatch(
      /^Custom:lamp +INUSE +\d+\.?\d* s +pbx-b NOT_INUSE, pbx-a INUSE\n1 device of \d+$/m,
    )
    const busy = await document<StatesAnswer>(b, 'devices', '--busy')
    expect(busy.states[0]?.id).toBe('Custom:lamp')
    expect(await said(b, 'devices', 'nothing-like-it')).toMatch(/^0 devices of \d+$/m)
  })

  test('mailboxes shows the counts and whose they are', async () => {
    const { states } = await document<StatesAnswer>(b, 'mailboxes')
    expect(states.map(({ id, sum }) => [id, sum])).toEqual([
      ['1000@default', { newMessages: 2, oldMessages: 0 }],
      ['3000@default', { newMessages: 1, oldMessages: 0 }],
    ])
    expect(await said(b, 'mailboxes', '1000')).toMatch(/^1000@default +2\/0 .* pbx-a 2\/0$/m)
  })

  test('explain goes through the addition, what Asterisk was given and what it answers', async () => {
    const lamp = await document<Explained>(b, 'explain', 'Custom:lamp')
    expect(lamp).toMatchObject({ id: 'Custom:lamp', sum: 'INUSE', isKnown: true })
    expect(lamp.steps).toEqual([
      expect.objectContaining({ name: 'pbx-b', state: 'NOT_INUSE', sumSoFar: 'NOT_INUSE' }),
      expect.objectContaining({
        name: 'pbx-a',
        state: 'INUSE',
        sumSoFar: 'INUSE',
        why: 'stronger than NOT_INUSE: it takes its place',
      }),
    ])
    expect(lamp.injections).toEqual([
      expect.objectContaining({ eid: pbxA.eid, state: 'INUSE', status: '200' }),
    ])
    expect(lamp.local).toEqual({ state: 'INUSE', isAsExpected: true })
    expect(lamp.remarks).toEqual([
      {
        severity: 'note',
        text: 'Custom:lamp is INUSE because pbx-a says INUSE',
        remedy:
          'if that is wrong, it is wrong there: a Custom: device stays as it was set: devstate change Custom:lamp NOT_INUSE on the console of pbx-a',
      },
    ])
    const text = await said(b, 'explain', 'Custom:lamp')
    expectPlain(text)
    expect(text).toContain('This Asterisk answers INUSE: as it should')
    const unknown = await document<Explained>(b, 'explain', 'PJSIP/nobody')
    expect(unknown.isKnown).toBe(false)
    expect(unknown.remarks.map((remark) => remark.text)).toContain(
      'no member tells of PJSIP/nobody',
    )
    const mailbox = await document<Explained>(b, 'explain', '1000@default')
    expect(mailbox.steps).toEqual([
      expect.objectContaining({ name: 'pbx-a', state: '2/0', sumSoFar: '2/0' }),
    ])
    expect(mailbox.local).toEqual({ hasNewMessages: true, isAsExpected: true })
    const none = await document<Explained>(b, 'explain', '4000@default')
    expect(none.local).toEqual({ hasNewMessages: false, isAsExpected: true })
    await pbxB.ami.action('ModuleLoad', { Module: 'res_mwi_devstate.so', LoadType: 'unload' })
    expect((await document<Explained>(b, 'explain', '1000@default')).local).toEqual({
      failure: expect.stringContaining('res_mwi_devstate is not loaded') as unknown,
    })
    await pbxB.ami.action('ModuleLoad', { Module: 'res_mwi_devstate.so', LoadType: 'load' })
  })

  test('explain leaves no device behind, neither in the cluster nor in the Asterisk that is asked about a hint', async () => {
    const known = ['Custom:lamp', 'PJSIP/hintbridge']
    const devicesOf = async (pbx: Asterisk): Promise<string[]> =>
      (await pbx.ami.list('DeviceStateList', {}))
        .map((event) => event.get('Device') ?? '')
        // The fences, which come when Asterisk is to show that it moves.
        .filter((device) => !device.startsWith('hintbridge:'))
    const before = (await devicesOf(pbxA)).sort()
    const atPeer = (await devicesOf(pbxB)).sort()
    for (let count = 0; count < 5; count += 1) {
      for (const device of known) await said(a, 'explain', device)
    }
    expect((await devicesOf(pbxA)).sort()).toEqual(before)
    for (let count = 0; count < 5; count += 1) await said(a, 'explain', 'PJSIP/nobody')
    // What is told after it shows that all before it has passed.
    await pbxA.setDevice('Custom:lamp', 'RINGING')
    await pbxB.awaitDeviceState('Custom:lamp', 'RINGING')
    await pbxA.setDevice('Custom:lamp', 'INUSE')
    await pbxB.awaitDeviceState('Custom:lamp', 'INUSE')
    for (const member of [a, b]) {
      expect((await document<StatesAnswer>(member, 'devices', 'CLIEval')).matched).toBe(0)
    }
    expect((await devicesOf(pbxB)).sort()).toEqual(atPeer)
    await a.awaitMetric('hintbridge_window_pending', {}, (pending) => pending === 0)
    expect(await said(a, 'nodes', `${pbxA.eid}/device_state`)).not.toContain('CLIEval')
  })

  test('explain knows a device in another case and a mailbox without its context', async () => {
    const device = await document<Explained>(a, 'explain', 'custom:lamp')
    expect(device.alike).toEqual([{ kind: 'device_state', id: 'Custom:lamp' }])
    expect(device.local).toEqual({ state: 'INUSE' })
    expect(device.remarks.map(({ severity, text }) => [severity, text])).toEqual([
      ['warning', 'no member tells of custom:lamp, but of Custom:lamp'],
      ['note', expect.stringMatching(/^INUSE is what .*; the device is Custom:lamp$/) as unknown],
    ])
    const mailbox = (await said(b, 'explain', '1000')).replaceAll(/\s+/g, ' ')
    expect(mailbox).toContain('no member tells of 1000, but of 1000@default')
    expect(mailbox).toContain('hintbridge explain 1000@default')
  })

  test('watch shows changes as they pass, of one member and one pattern where asked', async () => {
    const all = watching(b, '--json')
    const ofA = watching(b, 'custom:*', '--from', 'pbx-a')
    // Whoever watches from the start sees the first change only once it listens: the devices flap until both do.
    const over = new AbortController()
    const flapping = (async () => {
      while (!over.signal.aborted) {
        await pbxB.setDevice('Custom:b-only', 'BUSY')
        await pbxA.setDevice('Custom:a-only', 'RINGING')
        await pbxB.setDevice('Custom:b-only', 'NOT_INUSE')
        await pbxA.setDevice('Custom:a-only', 'NOT_INUSE')
      }
    })()
    const changes: ChangeEvent[] = []
    const isSeen = (id: string, after: string): boolean =>
      changes.some((change) => change.id === id && change.after === after)
    while (!isSeen('Custom:a-only', 'RINGING') || !isSeen('Custom:b-only', 'BUSY')) {
      changes.push(JSON.parse(await all.next()) as ChangeEvent)
    }
    const lines = [await ofA.next(), await ofA.next()]
    over.abort()
    await flapping
    const told = changes.find(({ id, after }) => id === 'Custom:a-only' && after === 'RINGING')
    expect(told).toMatchObject({
      name: 'pbx-a',
      kind: 'device_state',
      isOwn: false,
      sum: 'RINGING',
    })
    expect(told?.delayMs).toBeGreaterThanOrEqual(0)
    expect(changes.find(({ id }) => id === 'Custom:b-only')).toMatchObject({ isOwn: true })
    for (const line of lines) {
      expect(line).toMatch(
        /^\d\d:\d\d:\d\d\.\d{3} {2}pbx-a {2}Custom:a-only {2}\S+ → \S+ {2}sum \S+ {2}\d/,
      )
    }
    all.child.kill('SIGINT')
    expect(await once(all.child, 'exit')).toEqual([0, null])
  })

  test('forget refuses a member that lives', async () => {
    const { exitCode, complaint } = await run(b, 'forget', 'pbx-a')
    expect(exitCode).toBe(1)
    expect(complaint).toContain(
      'pbx-a (pbx-a@example.org) is alive: forget is for members that are gone for good. Run hintbridge leave there, or stop its bridge first',
    )
    const nobody = await run(b, 'forget', 'pbx-x@example.org')
    expect([nobody.exitCode, nobody.complaint]).toEqual([
      1,
      "hintbridge: nothing is kept of 'pbx-x@example.org': see hintbridge members\n",
    ])
  })

  test('the metrics count what passes, by kind, peer and way', async () => {
    expect(
      await b.metric('hintbridge_changes_in_total', { peer: 'pbx-a@example.org' }),
    ).toBeGreaterThan(0)
    expect(
      await b.metric('hintbridge_changes_out_total', { kind: 'device_state' }),
    ).toBeGreaterThan(0)
    expect(await b.metric('hintbridge_injections_total')).toBeGreaterThan(0)
    expect(await b.metric('hintbridge_injection_delay_seconds_count')).toBeGreaterThan(0)
    expect(await b.metric('hintbridge_batch_entries_count', { way: 'in' })).toBeGreaterThan(0)
    expect(await b.metric('hintbridge_stream_starts_total')).toBe(1)
    expect(await b.metric('hintbridge_members', { condition: 'alive' })).toBe(2)
    expect(await b.metric('hintbridge_member_synced')).toBe(2)
    expect(await b.metric('hintbridge_member_stale')).toBe(0)
  })

  test('completion proposes commands, devices and members', async () => {
    const proposals = async (...words: string[]): Promise<string[]> => {
      const args = ['--get-yargs-completions', 'hintbridge', ...words]
      const { output } = await runHintbridge(args)
      return output.split('\n')
    }
    expect(await proposals('ex')).toContain('explain')
    const config = ['--config', b.configFile]
    expect(await proposals('explain', ...config, 'Cust')).toContain('Custom:lamp')
    expect(await proposals('forget', ...config, 'pbx-')).toEqual(
      expect.arrayContaining(['pbx-a', 'pbx-c@example.org']),
    )
    expect(await proposals('watch', ...config, '--from', 'pbx-')).toEqual(
      expect.arrayContaining(['pbx-a', 'pbx-b', 'pbx-c@example.org']),
    )
    expect((await runHintbridge(['completion'])).output).toContain('--get-yargs-completions')
  })

  test('a member that is gone is dead with its reason, and forgotten with its message counts', async () => {
    await c.killBridge()
    await a.awaitMetric('hintbridge_members', { condition: 'dead' }, (dead) => dead === 1, 20_000)
    await b.awaitMetric('hintbridge_members', { condition: 'dead' }, (dead) => dead === 1, 20_000)
    expect(await said(b, 'members')).toMatch(/^pbx-c +dead .*\n.*\n {2}dead: its stream ended$/m)
    expect(await said(b, 'mailboxes')).toContain('3000@default')
    const why = async (...args: string[]): Promise<string> =>
      (await said(b, 'explain', ...args)).replaceAll(/\s+/g, ' ')
    expect(await why('Custom:c-only')).toContain(
      'warning: pbx-c (pbx-c@example.org) is dead (its stream ended), not heard for ',
    )
    expect(await why('3000@default')).toMatch(
      /1\/0 of pbx-c \(pbx-c@example\.org\) stays as it was: that member is dead .* hintbridge forget pbx-c@example\.org drops its counts/,
    )
    expect(await said(b, 'forget', 'pbx-c')).toMatch(
      /^pbx-c@example\.org is forgotten: what this Asterisk had of it is withdrawn, and its item is gone from \S+\/members\n$/,
    )
    expect(await said(b, 'mailboxes')).not.toContain('3000@default')
    expect((await run(b, 'forget', 'pbx-c')).complaint).toBe(
      'hintbridge: pbx-c (pbx-c@example.org) is gone already, and nothing is kept of it: it was forgotten\n',
    )
    expect((await run(b, 'forget', 'pbx-b')).complaint).toContain('pbx-b is this member')
  })

  test('where the bridge stopped, the XMPP server is asked, and what only a bridge knows is refused with how to start it', async () => {
    await b.stopBridge()
    const members = await run(b, 'members')
    expect(members.exitCode).toBe(0)
    expect(members.complaint).toContain('this is what the XMPP server has retained')
    expect(members.output).toMatch(/^pbx-a +pbx-a@example\.org +02:00:00:00:00:0a +Asterisk PBX/m)
    expectPlain(members.output)
    expect(await document(b, 'channels')).toMatchObject({ source: 'server' })
    expect(await document(b, 'devices', 'Custom:lamp')).toMatchObject({
      source: 'server',
      states: [{ id: 'Custom:lamp', sum: 'INUSE' }],
    })
    expect(await said(b, 'devices', 'Custom:lamp')).toContain('pbx-a INUSE, pbx-b NOT_INUSE')
    expect(await said(b, 'mailboxes')).toMatch(/^1000@default +- +pbx-a 2\/0$/m)
    for (const command of [['explain', 'Custom:lamp'], ['watch'], ['forget', 'pbx-a']]) {
      const { exitCode, complaint } = await run(b, ...command)
      expect([command, exitCode]).toEqual([command, 1])
      expect(complaint).toMatch(/no bridge runs on .*start it with 'systemctl start hintbridge'/)
    }
  })

  test('a bad configuration ends each with 78', async () => {
    for (const command of [['members'], ['channels'], ['devices'], ['explain', 'x'], ['watch']]) {
      const { exitCode } = await runHintbridge([...command, '--config', '/nowhere/hintbridge.yaml'])
      expect([command, exitCode]).toEqual([command, 78])
    }
  })
})

describe('around ejabberd', () => {
  test('the commands say the same, with the bridge and without it', async () => {
    const cluster = await startCluster({
      label: 'commands-ejabberd',
      startServer: startEjabberd,
      members: { a: {}, b: {} },
    })
    onTestFinished(() => cluster.stop())
    const [a, b] = [cluster.member('a'), cluster.member('b')]
    await a.asterisk.setDevice('Custom:lamp', 'BUSY')
    await b.asterisk.awaitDeviceState('Custom:lamp', 'BUSY')
    expect(await said(b, 'members')).toMatch(/^pbx-a +alive /m)
    expect(await said(b, 'devices', 'lamp')).toMatch(/^Custom:lamp +BUSY .* pbx-a BUSY$/m)
    expect((await document<Explained>(b, 'explain', 'Custom:lamp')).local).toEqual({
      state: 'BUSY',
      isAsExpected: true,
    })
    await a.awaitMetric('hintbridge_window_pending', {}, (pending) => pending === 0)
    await b.stopBridge()
    expect(await said(b, 'members')).toMatch(/^pbx-a +pbx-a@example\.org/m)
    expect(await said(b, 'devices', 'lamp')).toMatch(/^Custom:lamp +BUSY +pbx-a BUSY$/m)
  }, 180_000)
})
