/** Faults that administrators make, each found with its remedy by `doctor` or `explain` alone. */
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createCluster, type Cluster, type ClusterOptions } from '../../lab/cluster.js'
import { startEjabberd } from '../../lab/ejabberd.js'
import { changeSettings, hintbridge, type Member } from '../../lab/member.js'
import { startProsody } from '../../lab/prosody.js'
import type { ExplainAnswer } from '../../src/observe/api.js'
import { diagnose } from './doctor-process.js'

let cluster: Cluster

afterEach(() => cluster.stop())

async function create(
  members: ClusterOptions['members'],
  options: Partial<ClusterOptions> = {},
): Promise<void> {
  cluster = await createCluster({
    label: 'planted',
    startServer: startProsody,
    ...options,
    members,
  })
}

/** Starts both sides of a member that will not get ready. */
async function startBoth(member: Member): Promise<void> {
  await Promise.all([member.asterisk.start(), member.startBridge()])
}

/** The Asterisk side as init has written it. */
function asteriskSide({ configFile }: Member): string {
  return readFileSync(join(dirname(configFile), 'pjsip_hintbridge.conf'), 'utf8')
}

/** Gives Asterisk another one. */
function spoilAsteriskSide(member: Member, spoil: (text: string) => string): void {
  const right = asteriskSide(member)
  const spoilt = spoil(right)
  if (spoilt === right) throw new Error('nothing was spoilt')
  member.asterisk.writeConfiguration('pjsip_hintbridge.conf', spoilt)
}

/** Does what a remedy says: puts the right one in its place and runs the command for the console that stands in the text. */
async function mend(member: Member, remedy: string): Promise<void> {
  member.asterisk.writeConfiguration('pjsip_hintbridge.conf', asteriskSide(member))
  const command = /'(module reload [^']+)' on Asterisk's console/.exec(remedy)?.[1]
  if (command === undefined) throw new Error(`no command in '${remedy}'`)
  await member.asterisk.cli(command)
  await member.awaitReady()
}

describe('a wrong SIP password', () => {
  test("is found by comparing both sides, and by the bridge where the console isn't to be had", async () => {
    await create({ a: {} })
    const a = cluster.member('a')
    spoilAsteriskSide(a, (text) => text.replace(/^password = .*$/m, 'password = mistyped'))
    await startBoth(a)
    await a.awaitProblem('asterisk-refuses')
    const { exitCode, bad } = await diagnose(a.configFile)
    expect(exitCode).toBe(2)
    expect(bad).toContainEqual({
      check: 'asterisk-secrets',
      severity: 'broken',
      text: "the auth 'hintbridge' of Asterisk has another password than asterisk.sip.password: what is shown there is refused",
      remedy:
        "put the same into asterisk.sip.password (or its file) and the [hintbridge] of type auth in pjsip_hintbridge.conf, or have both made anew: hintbridge init --renew-sip; then 'module reload res_pjsip.so res_pjsip_outbound_publish.so res_pjsip_publish_asterisk.so' on Asterisk's console, and restart the bridge",
    })
    expect(JSON.stringify(bad)).not.toContain('mistyped')
    changeSettings(a.configFile, { 'asterisk.console': '/nowhere/asterisk' })
    const blind = await diagnose(a.configFile)
    expect(blind.bad).toContainEqual(
      expect.objectContaining({
        check: 'asterisk-sip',
        severity: 'broken',
        text: expect.stringMatching(/is asterisk\.sip\.password the one in it/i) as unknown,
      }),
    )
    changeSettings(a.configFile, { 'asterisk.console': a.asterisk.consoleFile })
    await mend(a, bad.find(({ check }) => check === 'asterisk-secrets')?.remedy ?? '')
    expect(await diagnose(a.configFile)).toMatchObject({ exitCode: 0, bad: [] })
  })
})

describe('a duplicate entity ID', () => {
  test('is found at the member that came second, with the name of the first', async () => {
    await create({ a: {}, b: { eid: '02:00:00:00:00:0a' } })
    const [a, b] = [cluster.member('a'), cluster.member('b')]
    await startBoth(a)
    await a.awaitReady()
    await startBoth(b)
    await b.awaitProblem('eid:pbx-a@example.org')
    const { exitCode, bad } = await diagnose(b.configFile)
    expect(exitCode).toBe(2)
    expect(bad).toContainEqual({
      check: 'entity-id',
      severity: 'broken',
      text: expect.stringContaining('pbx-a@example.org (') as unknown,
      remedy:
        'give each Asterisk its own entityid in the [options] of asterisk.conf, and restart the one that changes',
    })

    // As where an Asterisk got another account, and the bridge of the former ended without leave.
    await a.killBridge()
    await b.awaitReady()
    const after = await diagnose(b.configFile)
    expect(after).toMatchObject({
      exitCode: 1,
      bad: [
        {
          check: 'entity-id',
          severity: 'warning',
          text: expect.stringMatching(/^pbx-a@example\.org .* does not answer$/) as unknown,
          remedy: expect.stringContaining('retract the item pbx-a@example.org from ') as unknown,
        },
      ],
    })
  })
})

describe('a throttled account', () => {
  test.each([
    { kind: 'Prosody', startServer: startProsody, rate: 10_000 },
    { kind: 'ejabberd', startServer: startEjabberd, rate: 3_000 },
  ])('is found on $kind at $rate octets a second, measured', async ({ startServer, rate }) => {
    await create({ a: {} }, { startServer, server: { rate } })
    const a = cluster.member('a')
    await startBoth(a)
    await a.awaitReady()
    const { exitCode, bad } = await diagnose(a.configFile)
    expect(exitCode).toBe(1)
    const [found] = bad
    expect(bad).toEqual([expect.objectContaining({ check: 'rate', severity: 'warning' })])
    const measured = Number(/about ([\d.]+) kB a second/.exec(found?.text ?? '')?.[1])
    expect(measured).toBeGreaterThan((rate / 1_000) * 0.5)
    expect(measured).toBeLessThan((rate / 1_000) * 2)
    expect(found?.remedy).toContain(
      "Prosody, bridge_rate of mod_bridge_rate; ejabberd, the bridges' rate",
    )
  })
})

describe('a missing publication', () => {
  const remedy = expect.stringMatching(
    /^include the pjsip_hintbridge\.conf that 'hintbridge init' wrote, unchanged, .*module reload/,
  ) as unknown

  test('from Asterisk to the bridge is found in its files', async () => {
    await create({ a: {} })
    const a = cluster.member('a')
    spoilAsteriskSide(a, (text) =>
      text.replace(
        '[hintbridge-devicestate]\ntype = outbound-publish',
        '[hintbridge-devicestate]\n',
      ),
    )
    await startBoth(a)
    const { exitCode, bad } = await diagnose(a.configFile)
    expect(exitCode).toBe(2)
    expect(bad).toContainEqual({
      check: 'asterisk-publications',
      severity: 'broken',
      text: 'pjsip.conf has no outbound-publish for asterisk-devicestate: Asterisk tells the bridge nothing',
      remedy,
    })
    await mend(a, bad.find(({ check }) => check === 'asterisk-publications')?.remedy ?? '')
    expect(await diagnose(a.configFile)).toMatchObject({ exitCode: 0, bad: [] })
  })

  test('from the bridge to Asterisk, and one that any endpoint may use, too', async () => {
    await create({ a: {}, b: {} })
    const [a, b] = [cluster.member('a'), cluster.member('b')]
    spoilAsteriskSide(a, (text) => text.replace('type = inbound-publication', ''))
    spoilAsteriskSide(b, (text) =>
      text.replace(
        'type = inbound-publication\nendpoint = hintbridge',
        'type = inbound-publication',
      ),
    )
    await Promise.all([startBoth(a), startBoth(b)])
    const [atA, atB] = [await diagnose(a.configFile), await diagnose(b.configFile)]
    expect(atA.bad).toContainEqual({
      check: 'asterisk-publications',
      severity: 'broken',
      text: "pjsip.conf has no inbound-publication 'hintbridge': Asterisk takes nothing of the bridge",
      remedy,
    })
    expect(atB.bad).toContainEqual({
      check: 'asterisk-publications',
      severity: 'broken',
      text: "the inbound-publication 'hintbridge' is bound to no endpoint: any endpoint can set any lamp",
      remedy: expect.stringMatching(/^write 'endpoint = hintbridge' into it/) as unknown,
    })
  })

  test('of which the whole file was never included is found by its endpoint', async () => {
    await create({ a: {} })
    const a = cluster.member('a')
    spoilAsteriskSide(a, () => '')
    await startBoth(a)
    const { bad } = await diagnose(a.configFile)
    expect(bad).toContainEqual({
      check: 'asterisk-endpoint',
      severity: 'broken',
      text: "Asterisk knows no endpoint 'hintbridge'",
      remedy,
    })
  })
})

describe('a device that is stuck busy because its origin says so', () => {
  test('is laid to its origin by explain, whose remedy there puts it right', async () => {
    const hints = { door: 'Custom:door' }
    await create({ a: { hints }, b: { hints } })
    await cluster.start()
    const [a, b] = [cluster.member('a'), cluster.member('b')]
    await a.asterisk.setDevice('Custom:door', 'INUSE')
    await b.asterisk.awaitHint('door', 'InUse')
    const args = ['explain', 'Custom:door', '--config', b.configFile]
    const explained = JSON.parse(await hintbridge([...args, '--json'])) as ExplainAnswer
    const name = explained.parts.find(({ eid }) => eid === a.asterisk.eid)?.name ?? ''
    expect(explained.remarks).toContainEqual({
      severity: 'note',
      text: `Custom:door is INUSE because ${name} says INUSE`,
      remedy:
        'if that is wrong, it is wrong there: a Custom: device stays as it was set: ' +
        `devstate change Custom:door NOT_INUSE on the console of ${name}`,
    })
    expect((await hintbridge(args)).replaceAll(/\s+/g, ' ')).toContain(
      'devstate change Custom:door NOT_INUSE on the console',
    )
    await a.asterisk.cli('devstate change Custom:door NOT_INUSE')
    await b.asterisk.awaitHint('door', 'Idle')
  })
})

describe('an identify that matches loopback', () => {
  test('is named as what takes the requests of the bridge away', async () => {
    const trunk =
      '[trunk]\ntype=endpoint\ncontext=none\n[trunk]\ntype=identify\nendpoint=trunk\nmatch=127.0.0.0/8\n'
    await create({ a: { pjsip: trunk } })
    const a = cluster.member('a')
    await startBoth(a)
    const { bad } = await diagnose(a.configFile)
    expect(bad).toContainEqual(
      expect.objectContaining({
        check: 'asterisk-endpoint',
        severity: 'broken',
        text: expect.stringContaining(
          "the identify 'trunk' gives what comes from 127.0.0.1",
        ) as unknown,
        remedy: expect.stringMatching(/^narrow the match of \[trunk\]/) as unknown,
      }),
    )
  })
})

describe('a certificate that has expired', () => {
  test('is told where the server shows it, and nothing is said to that server', async () => {
    const startServer: ClusterOptions['startServer'] = async (options) =>
      startProsody({ ...options, certificate: await options.ca.issueExpired('example.org') })
    await create({ a: {} }, { startServer })
    const { exitCode, bad } = await diagnose(cluster.member('a').configFile)
    expect(exitCode).toBe(2)
    expect(bad).toContainEqual({
      check: 'login',
      severity: 'broken',
      text: expect.stringMatching(/certificate has expired \(certificate-date\)$/) as unknown,
      remedy: "renew the server's certificate, or set the clocks of both machines right",
    })
  })
})

describe('a configuration with faults', () => {
  test('has every fault told at once', async () => {
    await create({ a: {} })
    const { configFile } = cluster.member('a')
    writeFileSync(configFile, "trust: []\nxmpp: { jid: 'pbx-a' }\n")
    const { exitCode, findings } = await diagnose(configFile)
    expect(exitCode).toBe(2)
    expect(findings.map(({ check, severity }) => [check, severity])).toContainEqual([
      'configuration',
      'broken',
    ])
    expect(findings.length).toBeGreaterThan(2)
  })
})
