/** Sums: Asterisk adds up what several members say of one device, on both real servers; Asterisk's answer is the judge. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Asterisk } from '../../lab/asterisk.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import { publication, publisher, publishOwnState } from '../../lab/own-states.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import { deviceStates, type DeviceState } from '../../src/bridge/state.js'
import { sumStates } from '../../src/bridge/sum.js'

/** One device for each pair of states that A and B can give it. */
const pairs = deviceStates.flatMap((atA) =>
  deviceStates.map((atB) => ({ atA, atB, device: `Custom:${atA}-and-${atB}` })),
)

const devices = pairs.map(({ device }) => device)

const publishing = { phones: [publisher], pjsip: publication }

const expectedSums = Object.fromEntries(
  pairs.map(({ device, atA, atB }) => [device, sumStates([atA, atB])]),
)

type Sums = Readonly<Record<string, string | undefined>>

/** What `DEVICE_STATE()` answers for every pair. */
async function askedSums(pbx: Asterisk): Promise<Sums> {
  return Object.fromEntries(
    await Promise.all(devices.map(async (id) => [id, await pbx.deviceState(id)] as const)),
  )
}

/** The sum of every pair as Asterisk last told it to hints, queues and its event stream. */
function toldSums(pbx: Asterisk): Sums {
  const told = new Map(
    pbx.ami.events
      .filter((event) => event.get('Event') === 'DeviceStateChange')
      .map((event) => [event.get('Device'), event.get('State')]),
  )
  return Object.fromEntries(devices.map((id) => [id, told.get(id)]))
}

describe.each(xmppServers)('three members through $kind', ({ start }) => {
  let cluster: Cluster
  let a: Asterisk
  let b: Asterisk
  let c: Asterisk

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'sums',
      startServer: start,
      members: { a: publishing, b: publishing, c: { hints: { shared: 'Custom:shared' } } },
    })
    ;[a, b, c] = [
      cluster.member('a').asterisk,
      cluster.member('b').asterisk,
      cluster.member('c').asterisk,
    ]
  })

  afterAll(() => cluster.stop())

  /** Resolves when all that was set at these before has come to all members: feeds keep their order. */
  const awaitArrival = async (...origins: readonly Asterisk[]): Promise<void> => {
    for (const origin of origins) {
      const fence = `Custom:fence-of-${origin.name}`
      const isRaised = (await origin.deviceState(fence)) === 'INUSE'
      const next = isRaised ? 'NOT_INUSE' : 'INUSE'
      await origin.setDevice(fence, next)
      await Promise.all([a, b, c].map((pbx) => pbx.awaitDeviceState(fence, next)))
    }
    await cluster.awaitReady() // the fence may overtake others on the way from a bridge to its Asterisk
  }

  const setState = (pbx: Asterisk, device: string, state: DeviceState): Promise<void> =>
    state === 'UNKNOWN'
      ? publishOwnState(cluster.scratch, pbx, device, state)
      : pbx.setDevice(device, state)

  test('each member sees a device of each of the other two', async () => {
    const states = [
      [a, 'RINGING'],
      [b, 'BUSY'],
      [c, 'ONHOLD'],
    ] as const
    await Promise.all(states.map(([pbx, state]) => pbx.setDevice(`Custom:of-${pbx.name}`, state)))
    for (const [origin, state] of states) {
      await Promise.all(
        [a, b, c].map((pbx) => pbx.awaitDeviceState(`Custom:of-${origin.name}`, state)),
      )
    }
    for (const member of cluster.members) expect(await member.alivePeers()).toBe(2)
  })

  test('a device of two members has their sum at the third, and follows each of them', async () => {
    const steps = [
      { at: a, state: 'INUSE', sum: 'INUSE', hint: 'InUse' },
      { at: b, state: 'RINGING', sum: 'RINGINUSE', hint: 'InUse&Ringing' },
      { at: b, state: 'NOT_INUSE', sum: 'INUSE', hint: 'InUse' },
      { at: b, state: 'BUSY', sum: 'BUSY', hint: 'Busy' },
      { at: a, state: 'NOT_INUSE', sum: 'BUSY', hint: 'Busy' },
      { at: b, state: 'NOT_INUSE', sum: 'NOT_INUSE', hint: 'Idle' },
    ] as const
    for (const { at, state, sum, hint } of steps) {
      await at.setDevice('Custom:shared', state)
      await awaitArrival(at)
      await Promise.all([a, b, c].map((pbx) => pbx.awaitDeviceState('Custom:shared', sum)))
      await c.awaitHint('shared', hint)
    }
  })

  test('every pair of states adds up to what the pure function says', async () => {
    // Asterisk does not store an UNKNOWN that is the first word of an EID on a device: so each has said something before.
    await Promise.all([a, b].flatMap((pbx) => devices.map((id) => pbx.setDevice(id, 'NOT_INUSE'))))
    await awaitArrival(a, b)
    for (const { device, atA, atB } of pairs) {
      await Promise.all([setState(a, device, atA), setState(b, device, atB)])
    }
    await awaitArrival(a, b)
    await expect.poll(() => askedSums(c)).toEqual(expectedSums)
    // A and B themselves are asked for what they told: where a sum is UNKNOWN, DEVICE_STATE() asks the local device alone.
    for (const pbx of [a, b, c]) await expect.poll(() => toldSums(pbx)).toEqual(expectedSums)
  })
})
