/** Device states: each of the nine that arises at one PBX is what the hints of another show, on both real servers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Asterisk, PhoneAccount } from '../../lab/asterisk.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import { publication, publisher, publishOwnState } from '../../lab/own-states.js'
import { Phone } from '../../lab/phone.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import type { DeviceState } from '../../src/bridge/state.js'

/** Each state, and how a hint shows it. Source: Asterisk `main/pbx.c`, `ast_devstate_to_extenstate`, `extension_states`. */
const hints = {
  NOT_INUSE: 'Idle',
  INUSE: 'InUse',
  BUSY: 'Busy',
  INVALID: 'Unavailable',
  RINGING: 'Ringing',
  UNAVAILABLE: 'Unavailable',
  RINGINUSE: 'InUse&Ringing',
  UNKNOWN: 'Idle',
  ONHOLD: 'Hold',
} as const satisfies Record<DeviceState, string>

const states = Object.keys(hints) as DeviceState[]

/** What a channel driver says of a device: Asterisk's `chan_pjsip_devicestate` has no way to UNKNOWN. */
type ChannelState = Exclude<DeviceState, 'UNKNOWN'>

const channelStates = states.filter((state): state is ChannelState => state !== 'UNKNOWN')

const account = (user: string): PhoneAccount => ({ user, password: `secret-${user}` })
const callee = account('1001')
const oneCallPhone = { ...account('1002'), busyAt: 1 }
const doomedPhone = account('1003')
const caller = account('2001')
const secondCaller = account('2002')
const phonesOfA = [callee, oneCallPhone, doomedPhone, caller, secondCaller, publisher]

const devices = {
  '1001': 'PJSIP/1001',
  '1002': 'PJSIP/1002',
  '1003': 'PJSIP/1003',
  published: 'PJSIP/published',
  lamp: 'Custom:lamp',
} as const

type Exten = keyof typeof devices

/** Longer than any test; a phone goes when its test ends. */
const forEver = 600_000

describe.each(xmppServers)('device states through $kind', ({ start }) => {
  let cluster: Cluster
  let a: Asterisk
  let b: Asterisk
  let phones: Phone[] = []

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'device-states',
      startServer: start,
      members: {
        a: { phones: phonesOfA, hints: devices, pjsip: publication },
        b: { hints: devices },
      },
    })
    ;[a, b] = [cluster.member('a').asterisk, cluster.member('b').asterisk]
  })

  afterEach(async () => {
    await a.hangUpAll()
    await Promise.all(phones.map((phone) => phone.stop()))
    phones = []
  })

  afterAll(() => cluster.stop())

  const phoneOf = (of: PhoneAccount): Phone => {
    const phone = new Phone(cluster.scratch, of, a.sipPort)
    phones.push(phone)
    return phone
  }

  const registered = async (of: PhoneAccount, ringMs = 0): Promise<Phone> => {
    const phone = phoneOf(of)
    await phone.register({ ringMs })
    return phone
  }

  const awaitAtB = async (exten: Exten, state: DeviceState): Promise<void> => {
    await b.awaitDeviceState(devices[exten], state)
    await b.awaitHint(exten, hints[state])
  }

  const awaitBoth = async (exten: Exten, state: DeviceState): Promise<void> => {
    await a.awaitDeviceState(devices[exten], state)
    await awaitAtB(exten, state)
  }

  /** Brings a PJSIP device of A into a state. */
  const arrange: Record<ChannelState, () => Promise<Exten>> = {
    NOT_INUSE: async () => {
      await registered(callee)
      return '1001'
    },
    UNAVAILABLE: async () => {
      const phone = await registered(callee)
      await awaitBoth('1001', 'NOT_INUSE')
      await phone.unregister()
      return '1001'
    },
    RINGING: async () => {
      await registered(callee, forEver)
      await phoneOf(caller).call('1001')
      return '1001'
    },
    INUSE: async () => {
      await registered(callee)
      await phoneOf(caller).call('1001', { holdMs: forEver })
      return '1001'
    },
    RINGINUSE: async () => {
      const phone = await registered(callee)
      await phoneOf(caller).call('1001', { holdMs: forEver })
      await awaitBoth('1001', 'INUSE')
      await phone.register({ ringMs: forEver })
      await phoneOf(secondCaller).call('1001')
      return '1001'
    },
    ONHOLD: async () => {
      await registered(callee)
      await phoneOf(caller).callOnHold('1001', { holdMs: forEver })
      return '1001'
    },
    BUSY: async () => {
      await registered(oneCallPhone)
      await phoneOf(caller).call('1002', { holdMs: forEver })
      return '1002'
    },
    INVALID: async () => {
      await registered(doomedPhone)
      await phoneOf(caller).call('1003', { holdMs: forEver })
      await awaitBoth('1003', 'INUSE')
      await a.setPhones(phonesOfA.filter((each) => each !== doomedPhone))
      await a.hangUpAll() // its device is asked for once more, and is not in the configuration any more
      return '1003'
    },
  }

  test.each(channelStates)(
    'a PJSIP/ device that becomes %s at A is so in the hint of B',
    async (state) => {
      await awaitBoth(await arrange[state](), state)
    },
  )

  test('a PJSIP/ device that is published as UNKNOWN at A is so to B, and B asks its own channel driver', async () => {
    const device = devices.published
    await publishOwnState(cluster.scratch, a, device, 'INUSE')
    await awaitBoth('published', 'INUSE')
    const told = b.ami.awaitEvent(
      (event) =>
        event.get('Event') === 'DeviceStateChange' &&
        event.get('Device') === device &&
        event.get('State') !== 'INUSE',
    )
    await publishOwnState(cluster.scratch, a, device, 'UNKNOWN')
    expect((await told).get('State')).toBe('UNKNOWN')
    // Asterisk's `_ast_device_state` takes an UNKNOWN sum for none, and PJSIP has no endpoint of that name.
    await Promise.all([a, b].map((pbx) => pbx.awaitHint('published', 'Unavailable')))
  })

  test.each(states)(
    'a Custom: device that becomes %s at A is so in the hint of B',
    async (state) => {
      const before = state === 'INUSE' ? 'BUSY' : 'INUSE'
      await a.setDevice(devices.lamp, before)
      await awaitAtB('lamp', before)
      if (state === 'UNKNOWN') await publishOwnState(cluster.scratch, a, devices.lamp, state)
      else await a.setDevice(devices.lamp, state)
      await awaitAtB('lamp', state)
    },
  )
})
