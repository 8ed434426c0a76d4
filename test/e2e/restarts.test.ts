/** Whoever comes late or comes back sees the current state: PBXs, bridges and the XMPP server, in any order. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, createCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const mailbox = '1000@default'
const lamp = `MWI:${mailbox}`

describe.each(xmppServers)('late starts and restarts with $kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let c: Member

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'restarts',
      startServer: start,
      members: { a: { mailboxes: [mailbox] }, b: {}, c: {} },
    })
    ;[a, b, c] = [cluster.member('a'), cluster.member('b'), cluster.member('c')]
  })

  afterAll(() => cluster.stop())

  test('an Asterisk that starts before its bridge, one that starts after it, and the XMPP server last', async () => {
    await cluster.server.stop()
    await Promise.all([a.asterisk.start(), b.startBridge()])
    await a.asterisk.setDevice('Custom:before', 'INUSE')
    a.asterisk.layVoicemail(mailbox, 1)
    await Promise.all([a.startBridge(), b.asterisk.start()])
    await b.asterisk.setDevice('Custom:after', 'RINGING')
    await cluster.server.start()
    await b.asterisk.awaitDeviceState('Custom:before', 'INUSE', 20_000)
    await b.asterisk.awaitDeviceState(lamp, 'INUSE')
    await a.asterisk.awaitDeviceState('Custom:after', 'RINGING')
    await Promise.all([a.awaitReady(1), b.awaitReady(1)])
  })

  test('a late joiner sees what changed before it came, of everybody', async () => {
    await a.asterisk.setDevice('Custom:late', 'RINGING')
    await a.asterisk.setDevice('Custom:late', 'ONHOLD')
    await b.asterisk.setDevice('Custom:late-b', 'BUSY')
    await b.asterisk.awaitDeviceState('Custom:late', 'ONHOLD')
    await a.asterisk.awaitDeviceState('Custom:late-b', 'BUSY')
    await Promise.all([c.asterisk.start(), c.startBridge()])
    await c.awaitReady(2)
    // Asterisk answers a PUBLISH before its cache has the sum.
    await c.asterisk.awaitDeviceState('Custom:late', 'ONHOLD', 1_000)
    await c.asterisk.awaitDeviceState('Custom:late-b', 'BUSY', 1_000)
    await c.asterisk.awaitDeviceState(lamp, 'INUSE', 1_000)
  })

  test.each(['stop', 'kill'] as const)(
    'an Asterisk that comes back after a %s sees what changed meanwhile, and is seen',
    async (end) => {
      const kept = `Custom:kept-${end}`
      const changed = `Custom:changed-${end}`
      const own = `Custom:own-${end}`
      await a.asterisk.setDevice(kept, 'INUSE')
      await a.asterisk.setDevice(changed, 'INUSE')
      await b.asterisk.setDevice(own, 'BUSY')
      await b.asterisk.awaitDeviceState(changed, 'INUSE')
      await a.asterisk.awaitDeviceState(own, 'BUSY')
      await b.asterisk[end]()
      await a.asterisk.setDevice(changed, 'RINGING')
      a.asterisk.layVoicemail(mailbox, end === 'stop' ? 0 : 2)
      await c.asterisk.awaitDeviceState(lamp, end === 'stop' ? 'NOT_INUSE' : 'INUSE')
      await c.asterisk.awaitDeviceState(changed, 'RINGING')
      await b.asterisk.start()
      await b.asterisk.awaitDeviceState(changed, 'RINGING')
      await b.asterisk.awaitDeviceState(kept, 'INUSE')
      await b.asterisk.awaitDeviceState(lamp, end === 'stop' ? 'NOT_INUSE' : 'INUSE')
      // Asterisk writes its database a second behind: what a kill took from it is gone at the peers too.
      await a.asterisk.awaitDeviceState(own, end === 'stop' ? 'BUSY' : 'UNKNOWN')
      await b.asterisk.setDevice(own, 'NOT_INUSE')
      await a.asterisk.awaitDeviceState(own, 'NOT_INUSE')
    },
  )

  test.each(['stopBridge', 'killBridge'] as const)(
    'a bridge that comes back after %s gives its PBX what changed meanwhile, and tells what changed there',
    async (end) => {
      const changed = `Custom:changed-${end}`
      const fresh = `Custom:fresh-${end}`
      const own = `Custom:own-${end}`
      await a.asterisk.setDevice(changed, 'INUSE')
      await b.asterisk.setDevice(own, 'BUSY')
      await b.asterisk.awaitDeviceState(changed, 'INUSE')
      await a.asterisk.awaitDeviceState(own, 'BUSY')
      await b[end]()
      await a.asterisk.setDevice(changed, 'NOT_INUSE')
      await a.asterisk.setDevice(fresh, 'RINGINUSE')
      await b.asterisk.setDevice(own, 'ONHOLD')
      await c.asterisk.awaitDeviceState(fresh, 'RINGINUSE')
      expect(await b.asterisk.deviceState(changed)).toBe('INUSE')
      expect(await a.asterisk.deviceState(own)).toBe('BUSY')
      await b.startBridge()
      await b.asterisk.awaitDeviceState(changed, 'NOT_INUSE')
      await b.asterisk.awaitDeviceState(fresh, 'RINGINUSE')
      await a.asterisk.awaitDeviceState(own, 'ONHOLD')
      await c.asterisk.awaitDeviceState(own, 'ONHOLD')
    },
  )

  test('an XMPP server that comes back finds everybody again, with what changed meanwhile', async () => {
    await cluster.server.kill()
    await a.asterisk.setDevice('Custom:meanwhile', 'INUSE')
    await b.asterisk.setDevice('Custom:meanwhile-b', 'RINGING')
    await cluster.server.start()
    await b.asterisk.awaitDeviceState('Custom:meanwhile', 'INUSE', 20_000)
    await c.asterisk.awaitDeviceState('Custom:meanwhile-b', 'RINGING', 20_000)
    await cluster.awaitReady()
  })
})
