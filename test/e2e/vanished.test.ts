/** What its PBX no longer has when it comes back is gone at the others, after the fence: the dump does not name it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const mailbox = '1000@default'
const lamp = `MWI:${mailbox}`
const conference = 'confbridge:board'

describe.each(xmppServers)('what vanished while Asterisk was down, with $kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member

  beforeAll(async () => {
    // Longer than the restart: the devices are not withdrawn because their PBX is dead.
    const settings = { 'liveness.grace': '25s' }
    cluster = await startCluster({
      label: 'vanished',
      startServer: start,
      members: {
        a: {
          settings,
          mailboxes: [mailbox],
          dialplan: ['exten => board,1,ConfBridge(board)'],
        },
        b: { settings },
      },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
  })

  afterAll(() => cluster.stop())

  test('a deleted device and a deleted mailbox are gone on B, and what A still has never changes', async () => {
    await a.asterisk.setDevice('Custom:deleted', 'INUSE')
    await a.asterisk.setDevice('Custom:kept', 'INUSE')
    a.asterisk.layVoicemail(mailbox, 2)
    for (const device of ['Custom:deleted', 'Custom:kept', lamp]) {
      await b.asterisk.awaitDeviceState(device, 'INUSE')
    }
    const since = b.asterisk.ami.events.length
    // Asterisk tells nobody of this; it will just not have it the next time.
    await a.asterisk.cli('database del CustomDevstate deleted')
    await a.asterisk.stop()
    a.asterisk.clearVoicemail(mailbox)
    a.asterisk.writeConfiguration('voicemail.conf', '[general]\nformat=gsm\n[default]\n')
    expect(await b.asterisk.deviceState('Custom:deleted')).toBe('INUSE')
    await a.asterisk.start()
    await b.asterisk.awaitDeviceState('Custom:deleted', 'UNKNOWN')
    await b.asterisk.awaitDeviceState(lamp, 'NOT_INUSE')
    expect(await b.asterisk.deviceState('Custom:kept')).toBe('INUSE')
    const changed = b.asterisk.ami.events
      .slice(since)
      .filter((event) => event.get('Event') === 'DeviceStateChange')
      .map((event) => event.get('Device') ?? '')
      // A's endpoints really come up anew, and B's bridge sends fences of its own.
      .filter((device) => !/^(PJSIP\/|(MWI:)?hintbridge[:@])/.test(device))
    expect(changed.sort()).toEqual(['Custom:deleted', lamp])
  })

  test('a conference that went down with A is gone on B', async () => {
    await a.asterisk.ami.action('Originate', {
      ...{ Channel: 'Local/board@default', Application: 'Wait', Data: 600, Async: 'true' },
    })
    await b.asterisk.awaitDeviceState(conference, 'INUSE')
    await a.asterisk.kill()
    await a.asterisk.start()
    await b.asterisk.awaitDeviceState(conference, 'UNKNOWN')
  })

  test.each([
    ['A’s bridge', () => [a], 'Custom:with-origin'],
    ['B’s bridge', () => [b], 'Custom:with-peer'],
    ['both bridges', () => [a, b], 'Custom:with-both'],
  ])('a device that A deleted while %s was down too is gone on B', async (_who, who, device) => {
    await a.asterisk.setDevice(device, 'INUSE')
    await b.asterisk.awaitDeviceState(device, 'INUSE')
    await Promise.all(who().map((member) => member.killBridge()))
    await a.asterisk.cli(`database del CustomDevstate ${device.replace('Custom:', '')}`)
    await a.asterisk.restart()
    expect(await b.asterisk.deviceState(device)).toBe('INUSE')
    await Promise.all(who().map((member) => member.startBridge()))
    await b.asterisk.awaitDeviceState(device, 'UNKNOWN')
  })

  test('who comes later does not see it either', async () => {
    await b.asterisk.restart()
    await b.asterisk.awaitDeviceState('Custom:kept', 'INUSE')
    await b.awaitReady(1)
    expect(await b.asterisk.deviceState('Custom:deleted')).toBe('UNKNOWN')
    // Its own Asterisk says these, as if it had never been told of them.
    expect(await b.asterisk.deviceState(conference)).toBe('INVALID')
    expect(await b.asterisk.deviceState(lamp)).toBe('INVALID')
  })
})
