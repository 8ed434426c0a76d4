/**
 * A believed member that is hostile, or broken: what it can do to the Asterisks of the others. It is a whole bridge, on the
 * real server, beside an Asterisk that has whatever names the test wants.
 */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { residentMiB } from '../../../bench/processes.js'
import { SwarmMember } from '../../../bench/swarm/swarm-member.js'
import { accountOf, type Cluster, createCluster } from '../../../lab/cluster.js'
import { startEjabberd } from '../../../lab/ejabberd.js'
import { type Member, hintbridge } from '../../../lab/member.js'

/** Of different names that member b may give the Asterisk of a. */
const limit = 1_000
/** So many it has in each of its lives. */
const names = 15_000
/** Stands before all others in a snapshot, and comes again in each life. */
const kept = 'Custom:kept'
const timeoutMs = 60_000

describe('a member that comes again and again with other names', () => {
  let cluster: Cluster
  let a: Member
  let b: SwarmMember | undefined
  let peer: string

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'attacks-member',
      startServer: startEjabberd,
      members: { a: { settings: { 'limits.names_per_member': limit } }, b: {} },
    })
    a = cluster.member('a')
    peer = `pbx-b@${cluster.server.domain}`
    await Promise.all([a.asterisk.start(), a.startBridge()])
    await a.awaitReady()
  })

  afterAll(async () => {
    await b?.stop()
    await cluster.stop()
  })

  /** Ends the life of b before, and waits until a has all states of the next one. */
  async function live(life: string, eid: string): Promise<SwarmMember> {
    await b?.stop()
    const { password } = accountOf('b')
    const { service, pubsub, caFile } = cluster.server
    const devices = [kept, ...Array.from({ length: names }, (_, index) => `conf:${life}-${index}`)]
    const stateDir = cluster.scratch.makeFolder(`b-${life}`)
    b = new SwarmMember({ jid: peer, password, eid, service, pubsub, caFile, stateDir, devices })
    b.start()
    await a.awaitMetric(
      'hintbridge_member_states',
      { peer, life: 'alive' },
      (held) => held === names + 1,
      timeoutMs,
    )
    await a.awaitMetric('hintbridge_injection_pending', {}, (pending) => pending === 0, timeoutMs)
    return b
  }

  const memoryMiB = (): number => residentMiB([a.asterisk.running.pid])

  test('gives an Asterisk no more of them than the limit, in all its epochs and EIDs, and the known ones follow', async () => {
    await live('first', '02:00:00:00:00:0b')
    const problem = await a.awaitProblem(`names:${peer}`)
    expect(problem).toContain(`${peer} has given this Asterisk ${limit} different names`)
    expect(problem).toContain(`Most are conf:… (${limit - 1})`)
    const beforeMiB = memoryMiB()
    await live('second', '02:00:00:00:00:0b')
    const last = await live('third', '02:00:00:00:00:1b')
    expect(await a.metric('hintbridge_names')).toBe(limit)
    expect(await a.metric('hintbridge_member_names', { peer })).toBe(limit)
    // 30,000 names of 8 kB and more would be 240 MB.
    expect(memoryMiB() - beforeMiB).toBeLessThan(20)
    last.asterisk.change(kept, 'RINGING')
    await a.asterisk.awaitDeviceState(kept, 'RINGING')
    expect(await a.metric('hintbridge_left_out_names_total', { peer })).toBeGreaterThan(2 * names)
    const why = await hintbridge(['explain', 'conf:third-7', '--config', a.configFile])
    expect(why.replace(/\s+/g, ' ')).toContain(
      'its member has given as many names as limits.names_per_member allows here',
    )
  }, 180_000)

  test('gives no more when the bridge has restarted', async () => {
    await a.killBridge()
    await a.startBridge()
    await a.awaitReady(1, timeoutMs)
    expect(await a.metric('hintbridge_names')).toBe(limit)
    expect(await a.metric('hintbridge_injected')).toBe(1)
    expect(await a.asterisk.deviceState(kept)).toBe('RINGING')
  }, 120_000)

  test('gives as many anew when Asterisk has restarted, which then has none', async () => {
    await a.asterisk.restart()
    await a.awaitMetric('hintbridge_injected', {}, (injected) => injected === limit, timeoutMs)
    await a.asterisk.awaitDeviceState(kept, 'RINGING', timeoutMs)
    expect(await a.metric('hintbridge_names')).toBe(limit)
    expect(readFileSync(a.logFile, 'utf8')).toContain('new names of a member are left out')
  }, 120_000)
})
