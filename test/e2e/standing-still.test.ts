/** An Asterisk that stands still longer than its bridge waits, and goes on: what it had not read yet must not come last. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { startProsody } from '../../lab/prosody.js'
import type { DeviceState } from '../../src/bridge/state.js'

/** More than there are lanes, so that some wait behind those under way. */
const devices = Array.from({ length: 50 }, (_, index) => `Custom:d${index}`)

describe('an Asterisk that is stopped for longer than 12 s', () => {
  let cluster: Cluster
  let a: Member
  /** Given states by TCP, and by UDP. */
  let stopped: readonly Member[]

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'standing-still',
      startServer: startProsody,
      members: {
        a: {},
        b: { settings: { 'asterisk.sip.transport': 'tcp' } },
        c: { settings: { 'asterisk.sip.transport': 'udp' }, isUdpOnly: false },
      },
    })
    a = cluster.member('a')
    stopped = [cluster.member('b'), cluster.member('c')]
  })

  afterAll(() => cluster.stop())

  async function setAll(state: DeviceState): Promise<void> {
    for (const device of devices) await a.asterisk.setDevice(device, state)
  }

  const isByTcp = (log: string): boolean => log.includes('"msg":"Asterisk is given states by TCP"')

  const signalAll = (signal: NodeJS.Signals): void =>
    stopped.forEach(({ asterisk }) => asterisk.running.signal(signal))

  async function statesAt({ asterisk }: Member): Promise<readonly DeviceState[]> {
    return Promise.all(devices.map((device) => asterisk.deviceState(device)))
  }

  async function awaitAll({ asterisk }: Member, state: DeviceState): Promise<void> {
    await Promise.all(devices.map((device) => asterisk.awaitDeviceState(device, state, 20_000)))
  }

  test('ends with what changed last, by TCP and by UDP, whatever it had not read', async () => {
    await setAll('INUSE')
    await Promise.all(stopped.map((member) => awaitAll(member, 'INUSE')))
    signalAll('SIGSTOP')
    await setAll('RINGING')
    await Promise.all(
      stopped.map((member) =>
        member.awaitMetric('hintbridge_asterisk_up', {}, (up) => up === 0, 20_000),
      ),
    )
    await setAll('ONHOLD')
    signalAll('SIGCONT')
    await Promise.all(stopped.map((member) => awaitAll(member, 'ONHOLD')))
    // What is behind the fences of its resync is behind all that it had not read.
    await Promise.all(stopped.map((member) => member.awaitReady(2)))
    for (const member of stopped) {
      expect(await statesAt(member)).toEqual(devices.map(() => 'ONHOLD'))
    }
    await a.asterisk.setDevice('Custom:d0', 'BUSY')
    await Promise.all(stopped.map(({ asterisk }) => asterisk.awaitDeviceState('Custom:d0', 'BUSY')))
    // Both Asterisks have a TCP transport; it is the setting that decides.
    expect(stopped.map(({ logFile }) => isByTcp(readFileSync(logFile, 'utf8')))).toEqual([
      true,
      false,
    ])
  })
})
