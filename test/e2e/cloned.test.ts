/** A machine that was copied with its configuration, and an EID that is none (rules 18 and 20): said loudly, never merged. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountOf, createCluster, type Cluster } from '../../lab/cluster.js'
import { createMember, hintbridge, type Member } from '../../lab/member.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const settings = {
  'liveness.stale_after': '8s',
  'liveness.grace': '2s',
  'liveness.dead_after': '8s',
  'liveness.heartbeat': '4s',
}

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let original: Member
  let clone: Member

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'cloned',
      startServer: start,
      members: { a: { settings }, b: { settings } },
    })
    ;[a, original] = [cluster.member('a'), cluster.member('b')]
    await cluster.start()
    clone = await createMember({
      scratch: cluster.scratch,
      server: cluster.server,
      account: accountOf('b'),
      name: 'clone-of-b',
      eid: original.asterisk.eid,
      settings,
    })
    await clone.asterisk.start()
    await original.asterisk.setDevice('Custom:original', 'INUSE')
    await original.asterisk.setDevice('Custom:shared', 'INUSE')
    await clone.asterisk.setDevice('Custom:clone', 'INUSE')
    await clone.asterisk.setDevice('Custom:shared', 'BUSY')
    await a.asterisk.awaitDeviceState('Custom:shared', 'INUSE')
  })

  afterAll(async () => {
    await clone.stop()
    await cluster.stop()
  })

  const jid = (): string => `pbx-b@${cluster.server.domain}`
  const seenByA = () =>
    Promise.all(
      ['Custom:original', 'Custom:clone', 'Custom:shared'].map((device) =>
        a.asterisk.deviceState(device),
      ),
    )

  test('the server lets one of them in; the other says which JID is used twice, and what to do', async () => {
    await clone.startBridge()
    const text = await original.awaitProblem('stream-conflict', true, 15_000)
    expect(text).toContain(`either another bridge uses the JID ${jid()}`)
    expect(text).toContain('its own account')
    expect(readFileSync(original.logFile, 'utf8')).toContain('ended the stream with conflict')
    expect(await original.awaitProblem('stream')).toContain('own')
    await clone.awaitReady(1)
  })

  test('the others hold the table of one of them, not a mixture', async () => {
    // Each device takes its own way into Asterisk.
    await a.asterisk.awaitDeviceState('Custom:shared', 'BUSY')
    await a.asterisk.awaitDeviceState('Custom:clone', 'INUSE')
    await a.asterisk.awaitDeviceState('Custom:original', 'UNKNOWN')
    expect(await seenByA()).toEqual(['UNKNOWN', 'INUSE', 'BUSY'])
    expect(await a.alivePeers()).toBe(1)
  })

  test('the one that lost waits stale_after and takes its turn; then the alarm stands at both', async () => {
    await clone.awaitProblem('stream-conflict', true, 25_000)
    await a.asterisk.awaitDeviceState('Custom:shared', 'INUSE', 20_000)
    await a.asterisk.awaitDeviceState('Custom:clone', 'UNKNOWN')
    await a.asterisk.awaitDeviceState('Custom:original', 'INUSE')
    expect(await seenByA()).toEqual(['INUSE', 'UNKNOWN', 'INUSE'])
    // It is online again, but has not been so for long.
    await original.awaitProblem('stream', false)
    await original.awaitProblem('stream-conflict')
    const lost = readFileSync(original.logFile, 'utf8').match(
      /the server ended the stream with conflict"/g,
    )
    expect(lost).toHaveLength(1)
  })

  test('with the clone stopped, all is as before', async () => {
    await clone.stopBridge()
    await original.asterisk.setDevice('Custom:shared', 'RINGING')
    await a.asterisk.awaitDeviceState('Custom:shared', 'RINGING')
    expect(await seenByA()).toEqual(['INUSE', 'UNKNOWN', 'RINGING'])
    expect(await a.problems()).toEqual([])
    await original.awaitProblem('stream-conflict', false, 20_000)
  })
})

test('an empty EID is no configuration', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hintbridge-'))
  const answers = ['--jid', 'a@example.org', '--eid', '00:00:00:00:00:00']
  const files = ['--config', join(folder, 'a.yaml'), '--asterisk-conf', join(folder, 'a.conf')]
  await expect(
    hintbridge(['init', '--yes', ...answers, ...files], { HINTBRIDGE_XMPP_PASSWORD: 'secret' }),
  ).rejects.toThrow(/eid/i)
  rmSync(folder, { recursive: true })
})
