/** A queue's own lamps: who waits in a queue at A, and who is paused there, shows at the others, and nothing echoes. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Asterisk, PhoneAccount } from '../../lab/asterisk.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import { Phone } from '../../lab/phone.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import type { DeviceState } from '../../src/bridge/state.js'

const caller: PhoneAccount = { user: '1002', password: 'secret-1002' }
const agent = 'PJSIP/1001'
const waiting = 'Queue:support'
const paused = `Queue:support_pause_${agent}`
const hints = { waiting, paused }
const queues = { support: [agent] }

describe.each(xmppServers)('the lamps of a queue through $kind', ({ start }) => {
  let cluster: Cluster
  let a: Asterisk
  /** It has no such queue. */
  let b: Asterisk
  /** It has a queue of that name too. */
  let c: Asterisk
  let phone: Phone | undefined

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'queues',
      startServer: start,
      members: { a: { phones: [caller], queues, hints }, b: { hints }, c: { queues, hints } },
    })
    ;[a, b, c] = ['a', 'b', 'c'].map((letter) => cluster.member(letter).asterisk) as [
      Asterisk,
      Asterisk,
      Asterisk,
    ]
  })

  afterEach(async () => {
    await a.hangUpAll()
    await phone?.stop()
    phone = undefined
  })

  afterAll(() => cluster.stop())

  const allShow = async (device: string, state: DeviceState): Promise<void> => {
    await Promise.all([a, b, c].map((pbx) => pbx.awaitDeviceState(device, state)))
  }

  const pause = (pbx: Asterisk): Promise<string> =>
    pbx.cli(`queue pause member ${agent} queue support`)
  const unpause = (pbx: Asterisk): Promise<string> =>
    pbx.cli(`queue unpause member ${agent} queue support`)

  const isPausedAt = async (pbx: Asterisk): Promise<boolean> => {
    const entries = await pbx.ami.list('QueueStatus', { Queue: 'support', Member: agent })
    return entries.some(
      (entry) => entry.get('Event') === 'QueueMember' && entry.get('Paused') === '1',
    )
  }

  test('a pause at A shows at all, and pauses nobody elsewhere', async () => {
    await pause(a)
    await allShow(paused, 'INUSE')
    expect(await isPausedAt(c)).toBe(false)
    await unpause(a)
    await allShow(paused, 'NOT_INUSE')
  })

  test('a pause at two shows until both have ended: none of them comes back as its own echo', async () => {
    await pause(a)
    await pause(c)
    await allShow(paused, 'INUSE')
    await unpause(a)
    // An echo of C would have come before this, which C tells later.
    await c.setDevice('Custom:fence', 'INUSE')
    await a.awaitDeviceState('Custom:fence', 'INUSE')
    expect(await a.deviceState(paused)).toBe('INUSE')
    await unpause(c)
    await allShow(paused, 'NOT_INUSE')
  })

  test('a caller who waits at A shows at all, until he is gone', async () => {
    phone = new Phone(cluster.scratch, caller, a.sipPort)
    await phone.call('queue-support', { holdMs: 600_000 })
    // So Asterisk has it: a lamp that flashes.
    await allShow(waiting, 'RINGING')
    await a.hangUpAll()
    await allShow(waiting, 'NOT_INUSE')
  })

  test('goes out when A has restarted without the pause', async () => {
    await pause(a)
    await allShow(paused, 'INUSE')
    await a.restart()
    await allShow(paused, 'NOT_INUSE')
  })
})
