/** Real calls: what phones do at one PBX is what lamps and queues of another know, on both real servers. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { AmiMessage } from '../../lab/ami.js'
import type { Asterisk, PhoneAccount } from '../../lab/asterisk.js'
import { type Cluster, startCluster } from '../../lab/cluster.js'
import { dialogStates, Phone } from '../../lab/phone.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import type { DeviceState } from '../../src/bridge/state.js'

const account = (user: string): PhoneAccount => ({ user, password: `secret-${user}` })
/** Of A. */
const agent = account('1001')
const caller = account('1002')
/** How B calls A. */
const trunk = account('trunk-b')
/** Of B. */
const watcher = account('2001')
const customer = account('2002')

/** Calls from B to the agent go to A, whose address is set when it is known. */
const trunkAtB = `
[trunk]
type = endpoint
context = none
disallow = all
allow = ulaw
outbound_auth = trunk
from_user = ${trunk.user}
[trunk]
type = auth
auth_type = userpass
username = ${trunk.user}
password = ${trunk.password}
`

/** Calls to the agent take the trunk; whether it may be called is what its device at A says. The colleague sits at B. */
const members = {
  Agent: { called: 'Local/agent@default', state: 'PJSIP/1001' },
  Colleague: { called: 'Local/colleague@default', state: 'Custom:colleague' },
} as const
const dialplan = [
  'exten => agent,1,Dial(PJSIP/trunk/sip:1001@${PBX_A})',
  'exten => colleague,1,Answer()',
  'same => n,Wait(600)',
]

/** Longer than any test; a phone goes when its test ends. */
const forEver = 600_000

const hints = { 1001: 'PJSIP/1001' }

const memberName = (event: AmiMessage): string => event.get('MemberName') ?? ''

describe.each(xmppServers)('calls through $kind', ({ start }) => {
  let cluster: Cluster
  let a: Asterisk
  let b: Asterisk
  let phones: Phone[] = []

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'calls',
      startServer: start,
      members: {
        a: { phones: [agent, caller, trunk], hints },
        b: {
          phones: [watcher, customer],
          hints,
          queues: {
            support: Object.entries(members).map(
              ([name, { called, state }]) => `${called},0,${name},${state}`,
            ),
          },
          pjsip: trunkAtB,
          dialplan,
        },
      },
    })
    ;[a, b] = [cluster.member('a').asterisk, cluster.member('b').asterisk]
    await b.ami.action('Setvar', { Variable: 'PBX_A', Value: a.sipAddress })
  })

  afterEach(async () => {
    await Promise.all([a.hangUpAll(), b.hangUpAll()])
    await Promise.all(phones.map((phone) => phone.stop()))
    phones = []
  })

  afterAll(() => cluster.stop())

  const phoneOf = (pbx: Asterisk, of: PhoneAccount): Phone => {
    const phone = new Phone(cluster.scratch, of, pbx.sipPort)
    phones.push(phone)
    return phone
  }

  const registerAgent = async (ringMs: number): Promise<void> => {
    await phoneOf(a, agent).register({ ringMs })
    await b.awaitDeviceState('PJSIP/1001', 'NOT_INUSE')
  }

  test('a lamp at B follows a call at A: ringing, confirmed, terminated, in order', async () => {
    await registerAgent(500)
    const lamp = await phoneOf(b, watcher).subscribeHint('1001')
    const call = await phoneOf(a, caller).call('1001', { holdMs: 500 })
    expect(await call.ended).toEqual({ code: 0, signal: null })
    const states = dialogStates(await lamp.awaitNotifies(({ length }) => length >= 4))
    expect(states).toEqual(['terminated', 'early', 'confirmed', 'terminated'])
  })

  const awaitMember = (name: keyof typeof members, state: DeviceState): Promise<void> =>
    b.awaitQueueMemberStatus('support', members[name].called, state)

  /** Calls the queue at B; gives who was rung and who answered. */
  const callQueue = async (of: PhoneAccount): Promise<{ rung: string[]; answered: string }> => {
    const since = b.ami.events.length
    await phoneOf(b, of).call('queue-support', { holdMs: forEver })
    const connect = await b.ami.awaitEvent(
      (event) => event.get('Event') === 'AgentConnect',
      10_000,
      since,
    )
    const rung = b.ami.events.slice(since).filter((event) => event.get('Event') === 'AgentCalled')
    return { rung: rung.map(memberName), answered: memberName(connect) }
  }

  test('a queue at B does not ring its member in a call at A, and rings it when that has ended', async () => {
    await registerAgent(0)
    await b.setDevice('Custom:colleague', 'NOT_INUSE')
    await awaitMember('Colleague', 'NOT_INUSE')
    await phoneOf(a, caller).call('1001', { holdMs: forEver })
    await awaitMember('Agent', 'INUSE')
    // The queue rings all that are free.
    expect(await callQueue(customer)).toEqual({ rung: ['Colleague'], answered: 'Colleague' })

    await b.setDevice('Custom:colleague', 'INUSE')
    await awaitMember('Colleague', 'INUSE')
    await a.hangUpAll()
    await awaitMember('Agent', 'NOT_INUSE')
    expect(await callQueue(watcher)).toEqual({ rung: ['Agent'], answered: 'Agent' })
    await awaitMember('Agent', 'INUSE')
    expect(await a.deviceState('PJSIP/1001')).toBe('INUSE')
  })
})
