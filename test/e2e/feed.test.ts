/** What passes between the bridges, watched by a client with an account of its own: no echoes, no losses. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Asterisk } from '../../lab/asterisk.js'
import { createCluster, type Cluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { Onlooker } from '../../lab/onlooker.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import type { Batch } from '../../src/bridge/messages.js'
import type { DeviceState } from '../../src/bridge/state.js'
import { feedNode, windowNode } from '../../src/nodes/names.js'
import { codecs } from '../../src/nodes/registry.js'
import { items } from '../../src/pubsub/items.js'
import { subscribe } from '../../src/pubsub/subscribe.js'

const root = 'asterisk'
const looker = { user: 'looker', password: 'secret' }
const windowCap = 100

/** In this order no device has one of them twice, so that whatever is published twice is seen. */
const storm: readonly DeviceState[] = [
  ...(['INUSE', 'RINGING', 'BUSY', 'ONHOLD', 'RINGINUSE', 'UNAVAILABLE', 'NOT_INUSE'] as const),
]

const named = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `Custom:${prefix}-${index}`)

/** Sets devices as fast as AMI takes them, in order. */
async function setAll(
  asterisk: Asterisk,
  changes: readonly (readonly [device: string, state: DeviceState])[],
): Promise<void> {
  for (let start = 0; start < changes.length; start += 100) {
    const chunk = changes.slice(start, start + 100)
    await Promise.all(chunk.map(([device, state]) => asterisk.setDevice(device, state)))
  }
}

async function awaitAll(
  asterisk: Asterisk,
  wanted: readonly (readonly [device: string, state: DeviceState])[],
): Promise<void> {
  for (let start = 0; start < wanted.length; start += 100) {
    const chunk = wanted.slice(start, start + 100)
    await Promise.all(
      chunk.map(([device, state]) => asterisk.awaitDeviceState(device, state, 30_000)),
    )
  }
}

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let onlooker: Onlooker

  beforeAll(async () => {
    const settings = {
      'liveness.heartbeat': '2s',
      'liveness.dead_after': '20s',
      inspectors: [`${looker.user}@example.org`],
    }
    cluster = await createCluster({
      label: 'feed',
      startServer: start,
      server: { guests: [looker], maxItems: windowCap },
      members: { a: { settings }, b: { settings }, c: { settings } },
    })
    a = cluster.member('a')
    b = cluster.member('b')
    await Promise.all([a, b].map((member) => member.asterisk.start()))
    await Promise.all([a, b].map((member) => member.startBridge()))
    await Promise.all([a, b].map((member) => member.awaitReady(1)))
    onlooker = await Onlooker.connect(cluster.server, looker)
    for (const { asterisk } of [a, b]) {
      await subscribe(onlooker.pubsub, feedNode(root, asterisk.eid), onlooker.jid)
    }
  })

  afterAll(async () => {
    await onlooker.stop()
    await cluster.stop()
  })

  /** The batches of a member's feed so far. */
  function batches(member: Member): Batch[] {
    const { eid } = member.asterisk
    return onlooker.notifications
      .filter(({ node }) => node === feedNode(root, eid))
      .map(({ item }) => codecs.feed.decode(item.payload, { eid, id: item.id }))
  }

  /** What a member's feed told of each device so far, in order. */
  function toldBy(member: Member): Map<string, DeviceState[]> {
    const told = new Map<string, DeviceState[]>()
    for (const entry of batches(member).flatMap(({ entries }) => entries)) {
      if (entry.kind !== 'device_state') throw new Error(`${entry.id} is no device`)
      told.set(entry.id, [...(told.get(entry.id) ?? []), entry.state])
    }
    return told
  }

  /** A silent feed has nothing but heartbeats. */
  const isSilent = (member: Member): boolean => {
    const last = batches(member).slice(-2)
    return last.length === 2 && last.every(({ entries }) => entries.length === 0)
  }

  test('after a storm of changes on both, each feed falls silent and told each own change once at most', async () => {
    const ofA = [...named('a', 5), ...named('both', 5)]
    const ofB = [...named('b', 5), ...named('both', 5)]
    const changes = (devices: readonly string[]) =>
      storm.flatMap((state) => devices.map((device) => [device, state] as const))
    await Promise.all([setAll(a.asterisk, changes(ofA)), setAll(b.asterisk, changes(ofB))])
    const settled = [...ofA, ...ofB].map((device) => [device, 'NOT_INUSE'] as const)
    await Promise.all([awaitAll(a.asterisk, settled), awaitAll(b.asterisk, settled)])
    await onlooker.awaitNotifications(() => [a, b].every(isSilent), 20_000)

    for (const [member, devices] of [[a, ofA] as const, [b, ofB] as const]) {
      const told = toldBy(member)
      expect([...told.keys()].sort()).toEqual([...devices].sort())
      for (const states of told.values()) {
        // A subsequence of what was set: the changes that one batch swallows are left out, none comes twice.
        expect(states).toEqual(storm.filter((state) => states.includes(state)))
        expect(states.at(-1)).toBe('NOT_INUSE')
      }
      const numbers = batches(member).map(({ sequence }) => sequence)
      expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
    }
  })

  const burst = named('burst', 1_000)
  /** The nth change of the burst: each device has another state than before, and than its neighbour. */
  const changesOfBurst = (nth: number) =>
    burst.map((device, index) => [device, storm[(index + nth) % storm.length] ?? 'BUSY'] as const)
  const lastOf = changesOfBurst(2)

  test('1,000 devices changed in a burst on A, three times each, are all on B with their last values', async () => {
    await setAll(a.asterisk, [0, 1, 2].flatMap(changesOfBurst))
    await awaitAll(b.asterisk, lastOf)
    for (const [device, states] of toldBy(a)) {
      const wanted = lastOf.find(([name]) => name === device)?.[1] ?? 'NOT_INUSE'
      expect([device, states.at(-1)]).toEqual([device, wanted])
    }
    const held = await b.metric('hintbridge_member_states', {
      peer: `pbx-a@${cluster.server.domain}`,
    })
    expect(held).toBe(await a.metric('hintbridge_own_states'))
  })

  test('with ten times more devices than the server retains, a late joiner has them all, and the window keeps to the cap', async () => {
    const c = cluster.member('c')
    await Promise.all([c.asterisk.start(), c.startBridge()])
    await cluster.awaitReady()
    await awaitAll(c.asterisk, lastOf)
    const window = await items(onlooker.pubsub, windowNode(root, a.asterisk.eid, 'device_state'))
    expect(window.length).toBeGreaterThan(0)
    expect(window.length).toBeLessThanOrEqual(windowCap)
    // Bridges that found their window short would have said so, or mended it for ever.
    expect(await a.problems()).toEqual([])
    await a.asterisk.setDevice('Custom:burst-0', 'BUSY')
    await awaitAll(b.asterisk, [['Custom:burst-0', 'BUSY']])
    await awaitAll(c.asterisk, [['Custom:burst-0', 'BUSY']])
  })
})
