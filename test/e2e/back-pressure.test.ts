/** A server that takes little and a peer that knows no measure: memory is bounded, the last value wins, and it is said. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { setTimeout as delay } from 'node:timers/promises'
import { accountOf, createCluster, type Cluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { startEjabberd } from '../../lab/ejabberd.js'
import { startProsody } from '../../lab/prosody.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import type { DeviceState } from '../../src/bridge/state.js'
import { feedNode, membersNode } from '../../src/nodes/names.js'
import { codecs } from '../../src/nodes/registry.js'
import { encodePage } from '../../src/nodes/snapshot.js'
import { encodeStatus } from '../../src/nodes/status.js'
import { namespace } from '../../src/nodes/strict.js'
import { createNode } from '../../src/pubsub/create-node.js'
import { publish } from '../../src/pubsub/publish.js'
import { XmppConnection } from '../../src/xmpp/connection.js'

const storm: readonly DeviceState[] = ['INUSE', 'RINGING', 'BUSY', 'ONHOLD', 'NOT_INUSE']
const stateOf = (index: number, round: number): DeviceState =>
  storm[(index + round) % storm.length] ?? 'BUSY'
const megabytes = 2 ** 20

/** What the process has in memory, MiB. */
const residentOf = async (member: Member): Promise<number> =>
  (await member.metric('process_resident_memory_bytes')) / megabytes

/** What the default configurations of Debian's Prosody and of ejabberd let an ordinary client send. */
const limited = [
  { kind: 'Prosody', start: startProsody, rate: 10_000 },
  { kind: 'ejabberd', start: startEjabberd, rate: 3_000 },
] as const

describe.each(limited)('a $kind that takes $rate octets a second from each client', (limit) => {
  const devices = Array.from({ length: 300 }, (_, index) => `Custom:busy-${index}`)
  const rounds = 10
  let cluster: Cluster
  let a: Member
  let b: Member

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'throttled',
      startServer: limit.start,
      server: { rate: limit.rate },
      members: { a: {}, b: {} },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    await cluster.start()
  })

  afterAll(() => cluster.stop())

  test('is said with its remedy while 300 devices change every second; the last values arrive, in bounded memory', async () => {
    const before = await residentOf(a)
    for (let round = 0; round < rounds; round += 1) {
      const second = delay(1_000)
      await Promise.all(
        devices.map((device, index) => a.asterisk.setDevice(device, stateOf(index, round))),
      )
      await second
    }
    expect(await a.awaitProblem('feed-lag')).toContain('bridge_rate')
    await Promise.all(
      devices.map((device, index) =>
        b.asterisk.awaitDeviceState(device, stateOf(index, rounds - 1), 45_000),
      ),
    )
    await a.awaitMetric('hintbridge_feed_pending', {}, (pending) => pending === 0, 30_000)
    const growth = (await residentOf(a)) - before
    console.info(
      `throttled: lag ${await a.metric('hintbridge_feed_lag_seconds')} s, resident +${growth.toFixed(1)} MiB`,
    )
    expect(growth).toBeLessThan(50)
    // Nothing was withdrawn, and the stream stood.
    await Promise.all([a.awaitReady(1), b.awaitReady(1)])
    expect((await a.problems()).map(({ key }) => key)).toEqual(['feed-lag'])
  })
})

describe.each(xmppServers)(
  'a peer that publishes 10,000 changes a second through $kind',
  ({ start }) => {
    const eid = '02:00:00:00:00:0e'
    const epoch = 'e'.repeat(32)
    const devices = Array.from({ length: 1_000 }, (_, index) => `Custom:flood-${index}`)
    const batches = 200
    let cluster: Cluster
    let a: Member
    let b: Member
    let flood: XmppConnection
    let sequence = 0

    beforeAll(async () => {
      const account = accountOf('e')
      cluster = await createCluster({
        label: 'flood',
        startServer: (options) =>
          start({ ...options, accounts: [...(options.accounts ?? []), account] }),
        members: { a: {}, b: {} },
      })
      ;[a, b] = [cluster.member('a'), cluster.member('b')]
      await cluster.start()
      flood = connect(account.user, account.password)
      await new Promise((resolve) => flood.once('online', resolve))
      const pubsub = { iq: flood, service: cluster.server.pubsub, timeoutMs: 10_000 }
      await createNode(pubsub, feedNode('asterisk', eid), { 'pubsub#persist_items': '0' })
      const id = `${account.user}@${cluster.server.domain}`
      const item = { id, eid, name: 'flood', jid: `${id}/${eid}`, service: cluster.server.pubsub }
      await publish(
        pubsub,
        membersNode('asterisk'),
        id,
        codecs.members.encode({ ...item, epoch, version: '1' }),
      )
      await Promise.all([a.awaitReady(2), b.awaitReady(2)])
    })

    afterAll(async () => {
      await flood.stop()
      await cluster.stop()
    })

    /** A member of a few lines: answers for its EID and has nothing but what its feed says. */
    function connect(user: string, password: string): XmppConnection {
      const ignore = (): void => undefined
      const connection = new XmppConnection({
        services: [cluster.server.service],
        jid: `${user}@${cluster.server.domain}`,
        resource: eid,
        password: () => password,
        tls: { mode: 'required', caFile: cluster.server.caFile },
        silenceLimitMs: 60_000,
        conflictWaitMs: 60_000,
        log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
      })
      const status = () => ({ eid, epoch, sequence, phase: 'ready' }) as const
      connection.handle('get', namespace, 'status', () => Promise.resolve(encodeStatus(status())))
      connection.handle('get', namespace, 'snapshot', () =>
        Promise.resolve(encodePage({ ...status(), entries: [], isLast: true })),
      )
      connection.start()
      return connection
    }

    const stateAfter = (index: number, batch: number): DeviceState => stateOf(index, batch >> 1)

    /** Half of the devices a batch, 20 batches a second. */
    async function publishBatch(batch: number): Promise<void> {
      const first = (batch % 2) * 500
      const entries = devices.slice(first, first + 500).map((id, index) => ({
        kind: 'device_state' as const,
        id,
        state: stateAfter(first + index, batch),
        cachable: true,
      }))
      const pubsub = { iq: flood, service: cluster.server.pubsub, timeoutMs: 10_000 }
      sequence += 1
      const payload = codecs.feed.encode({ eid, epoch, sequence, isBye: false, entries })
      await publish(pubsub, feedNode('asterisk', eid), 'batch', payload)
    }

    test('fills no memory, keeps nobody else waiting, and its last values stand', async () => {
      const before = await residentOf(a)
      const began = performance.now()
      for (let batch = 0; batch < batches; batch += 1) {
        const due = delay(Math.max(0, began + batch * 50 - performance.now()))
        if (batch === batches / 2) {
          // In the midst of it the others are heard as ever, both ways.
          const told = performance.now()
          await b.asterisk.setDevice('Custom:calm', 'INUSE')
          await a.asterisk.awaitDeviceState('Custom:calm', 'INUSE', 5_000)
          await a.asterisk.setDevice('Custom:calm-a', 'BUSY')
          await b.asterisk.awaitDeviceState('Custom:calm-a', 'BUSY', 5_000)
          console.info(
            `flood: two changes of others in ${(performance.now() - told).toFixed(0)} ms`,
          )
        }
        await due
        await publishBatch(batch)
      }
      const rate = (batches * 500) / ((performance.now() - began) / 1_000)
      for (const { asterisk } of [a, b]) {
        await Promise.all(
          devices.map((device, index) =>
            asterisk.awaitDeviceState(device, stateAfter(index, batches - 1), 30_000),
          ),
        )
      }
      const growth = (await residentOf(a)) - before
      console.info(`flood: ${rate.toFixed(0)} changes a second, resident +${growth.toFixed(1)} MiB`)
      expect(growth).toBeLessThan(100)
      await Promise.all([a.awaitReady(2), b.awaitReady(2)])
      // On a slow machine Asterisk does take so many changes late, and health is right to say so.
      const problems = (await a.problems()).map(({ key }) => key)
      expect(problems.filter((key) => key !== 'injection-lag')).toEqual([])
    })
  },
)
