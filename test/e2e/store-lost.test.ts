/** The XMPP server loses its store while nobody is connected: whoever is ready afterwards hears of every change. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

/** A change that is told by the feed comes in milliseconds; one that is found by asking takes seconds. */
const atOnceMs = 1_500

describe.each(xmppServers)('a store lost while all are away, with $kind', ({ start }) => {
  let cluster: Cluster
  let members: readonly Member[]

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'store-lost',
      startServer: start,
      members: { a: {}, b: {} },
    })
    members = cluster.members
  })

  afterAll(() => cluster.stop())

  test.each([1, 2, 3])('readiness is no promise that is not kept (time %i)', async (time) => {
    const [a, b] = [cluster.member('a'), cluster.member('b')]
    await cluster.server.stop()
    await Promise.all(members.map((member) => member.awaitProblem('stream')))
    await cluster.server.losePubsubStore()
    await cluster.server.start()
    // At once, and both together.
    for (const member of members) member.bridge.signal('SIGHUP')
    await cluster.awaitReady()
    for (const state of ['INUSE', 'RINGING', 'BUSY'] as const) {
      const began = performance.now()
      await Promise.all([
        a.asterisk.setDevice(`Custom:a${time}`, state),
        b.asterisk.setDevice(`Custom:b${time}`, state),
      ])
      await Promise.all([
        b.asterisk.awaitDeviceState(`Custom:a${time}`, state),
        a.asterisk.awaitDeviceState(`Custom:b${time}`, state),
      ])
      expect(performance.now() - began).toBeLessThan(atOnceMs)
    }
    for (const member of members) expect(await member.problems()).toEqual([])
  })
})
