/** A bridge joins a cluster that has many states: how long until its Asterisk has them? */
import { setTimeout as delay } from 'node:timers/promises'
import { createMember, type Member } from '../../lab/member.js'
import { residentMiB } from '../processes.js'
import type { Measured, ServerScenario, Site } from '../scenario.js'
import { Swarm, swarmAccounts } from '../swarm/swarm.js'

const joiner = { user: 'joiner', password: 'secret-joiner' }
const memberCount = 10
const timeoutMs = 240_000
const lookMs = 50

export const join: ServerScenario = {
  name: 'join',
  about: 'a bridge joins ten members with 10,000 and with 100,000 states',
  async measure(site, size) {
    const few = await joinStates(site, size === 'quick' ? 200 : 10_000, 'few')
    const many = await joinStates(site, size === 'quick' ? 500 : 100_000, 'many')
    return {
      '10,000 injected s': few.injectedS,
      '100,000 held s': many.heldS,
      '100,000 injected s': many.injectedS,
      'RSS MiB, 100,000': many.rssMiB,
      lost: few.lost + many.lost,
    }
  },
}

interface Joined extends Measured {
  readonly heldS: number
  readonly injectedS: number
  readonly rssMiB: number
  readonly lost: number
}

async function joinStates(site: Site, states: number, name: string): Promise<Joined> {
  const { scratch, startServer } = site
  const server = await startServer([...swarmAccounts(memberCount), joiner])
  const devicesEach = states / memberCount
  const swarm = Swarm.start({ scratch, server, memberCount, devicesEach, processCount: 1 })
  const member = await createMember({
    ...{ scratch, server, account: joiner },
    name: `join-${server.kind}-${name}`,
    eid: '02:00:00:00:05:0a',
    settings: { trust: [`*@${server.domain}`], 'asterisk.sip.transport': 'tcp' },
  })
  try {
    await member.asterisk.start()
    await swarm.awaitHeld(timeoutMs)
    const startedMs = performance.now()
    await member.startBridge()
    const heldMs = await awaitSum(member, 'hintbridge_member_states', states)
    const injectedMs = await awaitInjected(member, states)
    return {
      heldS: (heldMs - startedMs) / 1_000,
      injectedS: (injectedMs - startedMs) / 1_000,
      rssMiB: residentMiB([member.bridge.pid]),
      lost: states - (await member.metric('hintbridge_injected')),
    }
  } finally {
    await member.stop()
    await swarm.stop()
    await server.stop()
  }
}

/** When the samples of that name added up to so much, by `performance.now()`. */
async function awaitSum(member: Member, name: string, wanted: number): Promise<number> {
  await member.awaitMetric(name, {}, (sum) => sum === wanted, timeoutMs)
  return performance.now()
}

/** When Asterisk had answered for all of them. */
async function awaitInjected(member: Member, wanted: number): Promise<number> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const samples = await member.metrics()
    const valueOf = (name: string): number =>
      samples.find((sample) => sample.name === name)?.value ?? NaN
    const isPending = valueOf('hintbridge_injection_pending') > 0
    if (!isPending && valueOf('hintbridge_injected') === wanted) return performance.now()
    if (performance.now() > deadline) throw new Error(`${wanted} states were not injected in time`)
    await delay(lookMs)
  }
}
