/** `doctor` and `nodes` on real servers: right where all is well, safe on a live cluster, useful where no bridge runs. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountOf, createCluster, startCluster, type Cluster } from '../../lab/cluster.js'
import { changeSettings, hintbridge, type Member } from '../../lab/member.js'
import { Onlooker } from '../../lab/onlooker.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import { createNode } from '../../src/pubsub/create-node.js'
import { discoItems } from '../../src/pubsub/disco.js'
import { diagnose, runHintbridge } from './doctor-process.js'

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member

  beforeAll(async () => {
    const hints = { night: 'Custom:night' }
    cluster = await startCluster({
      label: 'doctor',
      startServer: start,
      members: { a: { hints }, b: { hints } },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    await a.asterisk.setDevice('Custom:night', 'INUSE')
    await b.asterisk.awaitHint('night', 'InUse')
  })

  afterAll(() => cluster.stop())

  const warningsOf = ({ logFile }: Member): string[] =>
    readFileSync(logFile, 'utf8')
      .split('\n')
      .filter((line) => /"level":"(warn|error)"|may be gone/.test(line))

  const nodeNames = async (onlooker: Onlooker): Promise<(string | undefined)[]> => {
    const { iq, service, timeoutMs } = onlooker.pubsub
    return (await discoItems(iq, service, timeoutMs)).map(({ node }) => node).sort()
  }

  test('finds nothing bad at a member that is in sync, and ends with 0', async () => {
    const { exitCode, severity, findings, bad } = await diagnose(a.configFile)
    expect(bad).toEqual([])
    expect([exitCode, severity === 'warning' || severity === 'broken']).toEqual([0, false])
    const sure = findings.filter((finding) => finding.severity === 'ok').map(({ check }) => check)
    for (const check of [
      ...['configuration', 'bridge', 'asterisk-modules', 'entity-id', 'asterisk-endpoint'],
      ...['asterisk-publications', 'asterisk-sip', 'mailboxes', 'login', 'certificate'],
      'clock',
      ...['pubsub-service', 'members', 'readers', 'registration', 'nodes', 'rate'],
    ]) {
      expect(sure).toContain(check)
    }
  })

  test('changes nothing that a member of a live cluster can see', async () => {
    const onlooker = await Onlooker.connect(cluster.server, accountOf('b'), 'counter')
    try {
      const nodes = await nodeNames(onlooker)
      const events = [a, b].map((member) => member.asterisk.ami.events.length)
      const warnings = [a, b].map(warningsOf)
      const sequences = await Promise.all([a, b].map((member) => member.metric('hintbridge_ready')))
      await Promise.all([diagnose(a.configFile), diagnose(b.configFile)])
      expect(await nodeNames(onlooker)).toEqual(nodes)
      const changes = [a, b].flatMap((member, index) =>
        member.asterisk.ami.events
          .slice(events[index])
          .filter((event) => event.get('Event') === 'DeviceStateChange')
          // What a bridge sends for itself, all the while.
          .filter((event) => !/^(MWI:)?hintbridge[:@]/.test(event.get('Device') ?? '')),
      )
      expect(changes).toEqual([])
      expect([a, b].map(warningsOf)).toEqual(warnings)
      expect(sequences).toEqual([1, 1])
      expect(await a.metric('hintbridge_ready')).toBe(1)
      expect(await Promise.all([a.alivePeers(), b.alivePeers()])).toEqual([1, 1])
      expect(await b.asterisk.hint('night')).toBe('InUse')
    } finally {
      await onlooker.stop()
    }
  })

  test('says it in 80 columns', async () => {
    const { output } = await runHintbridge(['doctor', '--config', a.configFile])
    // Only a path or an address without a space may be longer.
    const long = output.split('\n').filter((line) => line.length > 80 && line.trim().includes(' '))
    expect(long).toEqual([])
    expect(output).toMatch(/\n\n(\d+ notes?, )?\d+ ok\n$/)
  })

  test('names the remedy for a password that the XMPP server refuses, and ends with 2', async () => {
    const { exitCode, bad } = await diagnose(a.configFile, { HINTBRIDGE_XMPP_PASSWORD: 'wrong' })
    expect(exitCode).toBe(2)
    expect(bad).toEqual([
      expect.objectContaining({
        check: 'login',
        severity: 'broken',
        remedy: expect.stringMatching(
          /^check xmpp.jid and its password, and that the account exists on the server/,
        ) as unknown,
      }),
    ])
  })

  test('where no bridge runs, takes its port for a moment and has the fence returned', async () => {
    await b.stopBridge()
    try {
      const { exitCode, bad, findings } = await diagnose(b.configFile)
      expect(bad).toEqual([
        expect.objectContaining({
          check: 'bridge',
          remedy: 'start it: systemctl start hintbridge',
        }),
      ])
      expect(exitCode).toBe(1)
      const fences = findings.filter(({ check }) => check === 'asterisk-sip')
      expect(fences.map(({ severity }) => severity)).toEqual(['ok', 'ok'])

      await a.bridge.logs(/"msg":"member is dead/)
      const ofPeer = await diagnose(a.configFile)
      expect(ofPeer.bad).toEqual([
        expect.objectContaining({
          check: 'bridge',
          severity: 'warning',
          remedy: expect.stringMatching(
            /^see whether that machine, .*hintbridge forget pbx-b@example\.org$/,
          ) as unknown,
        }),
      ])
      expect(ofPeer.exitCode).toBe(1)
    } finally {
      await b.startBridge()
      await cluster.awaitReady()
    }
  })

  test("without Asterisk's console says what could not be checked, and how to", async () => {
    changeSettings(a.configFile, { 'asterisk.console': '/nowhere/asterisk' })
    try {
      const { exitCode, findings } = await diagnose(a.configFile)
      expect(exitCode).toBe(0)
      expect(findings).toContainEqual({
        check: 'entity-id',
        severity: 'note',
        text: "could not be checked: there is no '/nowhere/asterisk'",
        remedy: 'name its program in asterisk.console',
      })
    } finally {
      changeSettings(a.configFile, { 'asterisk.console': a.asterisk.consoleFile })
    }
  })

  test("at another Asterisk's console says so first, and judges nothing by it", async () => {
    changeSettings(a.configFile, { 'asterisk.console': b.asterisk.consoleFile })
    try {
      const { exitCode, bad, findings } = await diagnose(a.configFile)
      expect(bad).toEqual([
        {
          check: 'entity-id',
          severity: 'warning',
          text: expect.stringMatching(
            / is the console of another Asterisk: it says 02:.*:0b, /,
          ) as unknown,
          remedy: expect.stringContaining("the bridge's own in asterisk.console") as unknown,
        },
      ])
      expect(exitCode).toBe(1)
      const ofConsole = findings.filter(({ check }) => /^asterisk-[mep]/.test(check))
      expect(ofConsole.map(({ severity }) => severity)).toEqual(['note', 'note', 'note'])
    } finally {
      changeSettings(a.configFile, { 'asterisk.console': a.asterisk.consoleFile })
    }
  })

  test('without the XMPP server says so once, with the remedy, and nothing bad of Asterisk', async () => {
    await cluster.server.stop()
    try {
      await a.awaitProblem('stream')
      const { exitCode, bad, findings } = await diagnose(a.configFile)
      expect(exitCode).toBe(2)
      expect(bad.map(({ check, severity }) => `${check} ${severity}`)).toEqual([
        'bridge warning',
        'login broken',
      ])
      expect(bad[1]?.remedy).toBeDefined()
      expect(findings).toContainEqual(
        expect.objectContaining({ check: 'asterisk-sip', severity: 'ok' }),
      )
    } finally {
      await cluster.server.start()
      await cluster.awaitReady()
    }
  })

  test('nodes lists what the server has, and shows configuration, owners and items of one', async () => {
    const list = await hintbridge(['nodes', '--config', a.configFile])
    expect(list).toMatch(/^asterisk\/members +2\b/m)
    expect(list).toMatch(/^asterisk\/02:00:00:00:00:0a\/device_state +\d+ /m)
    const node = '02:00:00:00:00:0a/device_state'
    const text = await hintbridge(['nodes', node, '--config', a.configFile])
    expect(text).toMatch(/^persist_items +1$/m)
    expect(text).toMatch(/^pbx-a@example\.org +owner$/m)
    expect(text).toMatch(/^Custom:night +INUSE +pbx-a@example\.org/m)
    const json = JSON.parse(
      await hintbridge(['nodes', node, '--json', '--config', a.configFile]),
    ) as { items: unknown[] }
    expect(json.items).toContainEqual(
      expect.objectContaining({ id: 'Custom:night', text: 'INUSE' }),
    )
    const raw = await hintbridge(['nodes', node, '--raw', '--config', a.configFile])
    expect(raw).toMatch(/<item [^>]*id=["']Custom:night["']/)
  })
})

describe.each(xmppServers)('$kind that lets anybody register', ({ start }) => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'doctor-registration',
      startServer: start,
      server: { isRegistrationOpen: true },
      members: { a: {} },
    })
  })

  afterAll(() => cluster.stop())

  test('is named where trust matches any number of accounts there, and where it names them too', async () => {
    const { configFile } = cluster.member('a')
    const registration = async (): Promise<string | undefined> => {
      const { findings } = await diagnose(configFile)
      return findings.find(({ check }) => check === 'registration')?.severity
    }
    expect(await registration()).toBe('broken')
    changeSettings(configFile, { trust: ['pbx-a@example.org'] })
    expect(await registration()).toBe('warning')
  })
})

describe.each(xmppServers)('$kind with nodes of an older bridge', ({ start }) => {
  let cluster: Cluster

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'doctor-open',
      startServer: start,
      members: { a: { settings: { 'asterisk.eid': '02:00:00:00:00:0a' } } },
    })
  })

  afterAll(() => cluster.stop())

  test('are said to be open to everybody', async () => {
    const owner = await Onlooker.connect(cluster.server, accountOf('a'))
    for (const name of ['feed', 'device_state', 'message_waiting']) {
      await createNode(owner.pubsub, `asterisk/02:00:00:00:00:0a/${name}`, {
        'pubsub#access_model': 'open',
      })
    }
    await owner.stop()
    const { bad } = await diagnose(cluster.member('a').configFile)
    const said = bad.filter(({ check }) => check === 'readers')
    expect(said.map(({ severity }) => severity)).toEqual(['warning', 'warning', 'warning'])
  })
})
