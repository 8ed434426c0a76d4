/** Two bridges with one EID (rule 18): the one that is there stays, the newcomer waits, and nothing is merged. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCluster, type Cluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const eid = '02:00:00:00:00:0b'
const devices = ['Custom:incumbent', 'Custom:newcomer', 'Custom:shared'] as const

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let incumbent: Member
  let newcomer: Member

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'eid-conflict',
      startServer: start,
      members: { a: {}, b: { eid }, d: { eid } },
    })
    a = cluster.member('a')
    incumbent = cluster.member('b')
    newcomer = cluster.member('d')
    await Promise.all([a, incumbent, newcomer].map((member) => member.asterisk.start()))
    await Promise.all([a.startBridge(), incumbent.startBridge()])
    await Promise.all([a.awaitReady(1), incumbent.awaitReady(1)])
    await incumbent.asterisk.setDevice('Custom:incumbent', 'INUSE')
    await incumbent.asterisk.setDevice('Custom:shared', 'NOT_INUSE')
    await newcomer.asterisk.setDevice('Custom:newcomer', 'INUSE')
    await newcomer.asterisk.setDevice('Custom:shared', 'BUSY')
    await a.asterisk.awaitDeviceState('Custom:shared', 'NOT_INUSE')
  })

  afterAll(() => cluster.stop())

  const jidOf = (letter: string): string => `pbx-${letter}@${cluster.server.domain}`
  const seenByA = () => Promise.all(devices.map((device) => a.asterisk.deviceState(device)))

  test('the newcomer is refused, and says so on both', async () => {
    await newcomer.startBridge()
    const said = `claims the EID ${eid} of this PBX too`
    expect(await newcomer.awaitProblem(`eid:${jidOf('b')}`)).toContain(`${jidOf('b')} ${said}`)
    expect(await incumbent.awaitProblem(`eid:${jidOf('d')}`)).toContain(`${jidOf('d')} ${said}`)
    await expect(newcomer.awaitReady(0, 0)).rejects.toThrow('this member is syncing')
    await incumbent.awaitReady(1)
  })

  test('nothing of the newcomer reaches the others, and what is the incumbent’s goes on', async () => {
    await newcomer.asterisk.setDevice('Custom:newcomer', 'BUSY')
    await incumbent.asterisk.setDevice('Custom:incumbent', 'RINGING')
    await a.asterisk.awaitDeviceState('Custom:incumbent', 'RINGING')
    expect(await seenByA()).toEqual(['RINGING', 'UNKNOWN', 'NOT_INUSE'])
    expect(await incumbent.asterisk.deviceState('Custom:newcomer')).toBe('UNKNOWN')
    expect(await a.alivePeers()).toBe(1)
  })

  test('the incumbent keeps its EID through a restart within grace', async () => {
    await incumbent.stopBridge()
    await incumbent.startBridge()
    await incumbent.awaitReady(1)
    // The newcomer asks again when grace is over, and is refused again.
    await incumbent.awaitProblem(`eid:${jidOf('d')}`)
    await expect(newcomer.awaitReady(0, 0)).rejects.toThrow('this member is syncing')
    expect(await seenByA()).toEqual(['RINGING', 'UNKNOWN', 'NOT_INUSE'])
  })

  test('when the incumbent leaves, the newcomer is taken, and its states are those of the EID', async () => {
    await incumbent.leave()
    await newcomer.awaitReady(1)
    await a.awaitReady(1)
    await a.asterisk.awaitDeviceState('Custom:shared', 'BUSY')
    await a.asterisk.awaitDeviceState('Custom:newcomer', 'BUSY')
    expect(await seenByA()).toEqual(['UNKNOWN', 'BUSY', 'BUSY'])
    await newcomer.awaitProblem(`eid:${jidOf('b')}`, false)
    expect(await a.problems()).toEqual([])
  })
})
