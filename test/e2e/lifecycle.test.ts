/** How a member stops, leaves, re-reads its configuration, and learns who its Asterisk is. */
import { chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Cluster, createCluster } from '../../lab/cluster.js'
import { changeSettings, hintbridge, type Member } from '../../lab/member.js'
import { readText } from '../../lab/running.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const mailbox = '1000@default'
const lamp = `MWI:${mailbox}`

/** Far longer than a test: what is withdrawn was withdrawn by a word, not because a stream ended. */
const grace = '25s'

/** A user that is not root. */
const nobody = 65_534

/** Nothing of this waits for a timer. */
const atOnceMs = 2_000

describe.each(xmppServers)('the life of a member with $kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member

  beforeAll(async () => {
    const settings = { 'liveness.grace': grace }
    cluster = await createCluster({
      label: 'lifecycle',
      startServer: start,
      members: {
        a: { settings, mailboxes: [mailbox] },
        b: { settings },
        c: { settings: { ...settings, 'asterisk.eid': undefined } },
      },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    await Promise.all([a, b].flatMap(({ asterisk }) => asterisk.start()))
    await Promise.all([a, b].map((member) => member.startBridge()))
    await Promise.all([a, b].map((member) => member.awaitReady(1)))
  })

  afterAll(() => cluster.stop())

  /** A state and a count of A are at B, a state of B is at A. */
  async function share(): Promise<void> {
    await a.asterisk.setDevice('Custom:a', 'INUSE')
    await b.asterisk.setDevice('Custom:b', 'INUSE')
    a.asterisk.layVoicemail(mailbox, 1)
    await b.asterisk.awaitDeviceState('Custom:a', 'INUSE')
    await b.asterisk.awaitDeviceState(lamp, 'INUSE')
    await a.asterisk.awaitDeviceState('Custom:b', 'INUSE')
  }

  /** All of that is taken back, at both ends. */
  async function awaitWithdrawal(): Promise<void> {
    await b.asterisk.awaitDeviceState('Custom:a', 'UNKNOWN')
    await b.asterisk.awaitDeviceState(lamp, 'NOT_INUSE')
    await a.asterisk.awaitDeviceState('Custom:b', 'UNKNOWN')
  }

  /** Changes a member's configuration file; gives what puts it back, which the end of the test does in any case. */
  function edit({ configFile }: Member, settings: Readonly<Record<string, unknown>>): () => void {
    const before = readFileSync(configFile, 'utf8')
    const undo = () => writeFileSync(configFile, before)
    onTestFinished(undo)
    changeSettings(configFile, settings)
    return undo
  }

  /** Sends SIGHUP, and resolves with the line that tells of the outcome. */
  async function reload(member: Member, outcome: RegExp): Promise<string> {
    const start = readText(member.logFile).length
    member.bridge.signal('SIGHUP')
    const [line] = await member.bridge.logs(outcome, 10_000, start)
    return line
  }

  test('a restart within grace is invisible: the other Asterisk sees no change at all', async () => {
    await share()
    const since = b.asterisk.ami.events.length
    const bridge = a.bridge
    await a.stopBridge()
    expect(await bridge.exited).toEqual({ code: 0, signal: null })
    await a.startBridge()
    await a.awaitReady(1)
    await a.asterisk.setDevice('Custom:fence', 'BUSY')
    await b.asterisk.awaitDeviceState('Custom:fence', 'BUSY')
    const changed = b.asterisk.ami.events
      .slice(since)
      .filter((event) => /^(DeviceStateChange|MessageWaiting)$/.test(event.get('Event') ?? ''))
      .map((event) => event.get('Device') ?? event.get('Mailbox') ?? '')
    // By these the bridge at B sees every 20 s that its Asterisk still publishes.
    const isOwn = (name: string): boolean => /^(MWI:)?hintbridge[:@]/.test(name)
    expect(changed.filter((name) => !isOwn(name))).toEqual(['Custom:fence'])
  })

  test('leave of a running bridge withdraws everything at once, here and at the peers, and ends the bridge', async () => {
    await share()
    const { bridge } = a
    expect(await a.leave()).toContain('has left the cluster')
    expect(await bridge.exited).toEqual({ code: 0, signal: null })
    await awaitWithdrawal()
    await b.awaitReady()
    expect(await b.alivePeers()).toBe(0)
  })

  test('who has left can come again', async () => {
    await a.startBridge()
    await a.awaitReady(1)
    await share()
  })

  test('leave while no bridge runs does the same; run as root it leaves the journal to the service’s user', async () => {
    await a.stopBridge()
    const stateDir = join(dirname(a.configFile), 'state')
    chownSync(stateDir, nobody, nobody)
    expect(await a.leave()).toContain('leaving in its place')
    await awaitWithdrawal()
    const owner = statSync(join(stateDir, 'journal')).uid
    chownSync(stateDir, 0, 0)
    expect(owner).toBe(nobody)
    await a.startBridge()
    await Promise.all([a.awaitReady(1), b.awaitReady(1)])
  })

  test('a leave that cannot reach Asterisk withdraws from the peers all the same, says so and ends with 1', async () => {
    await share()
    await b.stopBridge()
    await b.asterisk.stop()
    const failure = {
      code: 1,
      stderr: expect.stringContaining('Asterisk did not take back all that was injected') as string,
    }
    const leaving = expect(b.leave()).rejects.toMatchObject(failure)
    await a.asterisk.awaitDeviceState('Custom:b', 'UNKNOWN')
    await leaving
    await b.asterisk.start()
    await b.startBridge()
    await b.awaitReady(1)
  })

  test('SIGHUP takes new filters: what they exclude is withdrawn at the peers, and given again after', async () => {
    await share()
    const undo = edit(a, { 'share.device_state.exclude': ['^Custom:a$'] })
    expect(await reload(a, /.*configuration read again.*/)).toContain('share.device_state.exclude')
    await b.asterisk.awaitDeviceState('Custom:a', 'UNKNOWN')
    expect(await b.asterisk.deviceState('Custom:fence')).toBe('BUSY')
    undo()
    await reload(a, /configuration read again/)
    await b.asterisk.awaitDeviceState('Custom:a', 'INUSE')
  })

  test('SIGHUP takes a new trust: who is not named any more is withdrawn, and back when named again', async () => {
    const undo = edit(b, { trust: ['pbx-b@*'] })
    expect(await reload(b, /.*configuration read again.*/)).toContain('"trust"')
    await b.asterisk.awaitDeviceState('Custom:a', 'UNKNOWN')
    // A is told, though nothing of B's failed there.
    const problem = `member:pbx-b@${cluster.server.domain}`
    expect(await a.awaitProblem(problem, true, atOnceMs)).toContain('under trust')
    expect(await a.asterisk.deviceState('Custom:b')).toBe('INUSE')
    undo()
    await reload(b, /configuration read again/)
    await b.asterisk.awaitDeviceState('Custom:a', 'INUSE', atOnceMs)
    await b.asterisk.awaitDeviceState(lamp, 'INUSE')
    await a.awaitProblem(problem, false, atOnceMs)
    await Promise.all([a.awaitReady(1, atOnceMs), b.awaitReady(1, atOnceMs)])
  })

  test('SIGHUP with a bad file keeps the old configuration and names every problem', async () => {
    edit(a, { 'share.device_state.exclude': ['^Custom:a$', '('], 'liveness.grace': 'soon' })
    const line = await reload(a, /.*the old one stays.*/)
    expect(line).toContain('share.device_state.exclude')
    expect(line).toContain('liveness.grace')
    await a.asterisk.setDevice('Custom:a', 'RINGING')
    await b.asterisk.awaitDeviceState('Custom:a', 'RINGING')
  })

  test('a bad configuration ends run with 78 and every problem, a second bridge of one member with 1', async () => {
    const bad = `${a.configFile}.bad`
    writeFileSync(bad, readFileSync(a.configFile))
    changeSettings(bad, { trust: undefined, 'xmpp.jid': 'nobody' })
    const run = (file: string) => hintbridge(['run', '--config', file])
    const failure = { code: 78, stderr: expect.stringMatching(/trust[^]*xmpp\.jid/) as string }
    await expect(run(bad)).rejects.toMatchObject(failure)
    await expect(run(a.configFile)).rejects.toMatchObject({ code: 1 })
    await a.awaitReady(1)
  })

  test('without asterisk.eid a bridge learns it from an idle Asterisk, and keeps it', async () => {
    const c = cluster.member('c')
    await c.asterisk.start()
    await c.startBridge()
    await c.awaitReady(2)
    await c.asterisk.setDevice('Custom:learnt', 'INUSE')
    await a.asterisk.awaitDeviceState('Custom:learnt', 'INUSE')
    await Promise.all([c.stopBridge(), c.asterisk.stop()])
    await c.startBridge()
    await c.bridge.logs(new RegExp(`${c.asterisk.eid}.*stream is up`))
  })
})
