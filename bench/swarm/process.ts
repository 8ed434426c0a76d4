/** One process of the swarm: some of its members. Compiled before it runs, so that it is what a bridge runs. */
import type { EntityId, StateEntry } from '../../src/bridge/state.js'
import type { FromSwarm, Schedule, ToSwarm } from './messages.js'
import { SwarmMember } from './swarm-member.js'

let members: SwarmMember[] = []
let memberCount = 0

/** How long after the last change is waited for what is missing, at most, ms. */
const settleMs = 10_000
/** So many changes a turn of the event loop, so that what leaves and comes is handled meanwhile. */
const floodSlice = 50

function tell(message: FromSwarm): void {
  process.send?.(message)
}

const wallMs = (): number => performance.timeOrigin + performance.now()

process.on('message', (message: ToSwarm) => {
  switch (message.do) {
    case 'start':
      memberCount = message.memberCount
      members = message.plans.map((plan) => new SwarmMember(plan))
      for (const member of members) member.start()
      return
    case 'look':
      return look()
    case 'change':
      void change(message.schedule)
      return
    case 'flood':
      return flood()
    case 'count':
      return count(message.injections)
    case 'stop':
      void Promise.all(members.map((member) => member.stop())).then(() => tell({ told: 'stopped' }))
  }
})

function look(): void {
  let [states, injected, deaths, synced] = [0, 0, 0, 0]
  for (const member of members) {
    const { members: peers, injected: given, injectionPending, phase } = member.overview
    states += peers.reduce((sum, peer) => sum + peer.states, 0)
    injected += given - injectionPending
    deaths += member.deaths
    const isSynced = peers.length === memberCount - 1 && peers.every((peer) => peer.isSynced)
    if (isSynced && phase === 'ready') synced++
  }
  tell({ told: 'held', states, injected, deaths, synced })
}

/** When the member of that EID changes its device of that index. */
function plannedMs(schedule: Schedule, eid: EntityId, index: number): number {
  const phase = (parseInt(eid.slice(-2), 16) % 50) / 50
  return schedule.startsAtMs + ((index + phase) * 1_000) / schedule.perSecond
}

/** Each member changes one device after the other, each device once; every receiver knows when. */
async function change(schedule: Schedule): Promise<void> {
  const count = schedule.perSecond * schedule.seconds
  const delaysMs: number[] = []
  for (const member of members) {
    member.asterisk.watch((eid: EntityId, entry: StateEntry) => {
      const index = Number(entry.id.slice(entry.id.lastIndexOf('-') + 1))
      delaysMs.push(wallMs() - plannedMs(schedule, eid, index))
    })
  }
  await Promise.all(members.map((member) => changeInTime(member, schedule, count)))
  const expected = members.length * (memberCount - 1) * count
  const deadlineMs = wallMs() + settleMs
  while (delaysMs.length < expected && wallMs() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  tell({ told: 'measured', delaysMs, lost: expected - delaysMs.length })
}

async function changeInTime(member: SwarmMember, schedule: Schedule, count: number): Promise<void> {
  const { eid, devices } = member.plan
  for (let index = 0; index < count; index++) {
    const aheadMs = plannedMs(schedule, eid, index) - wallMs()
    if (aheadMs > 0) await new Promise((resolve) => setTimeout(resolve, aheadMs))
    member.asterisk.change(devices[index] ?? '', 'INUSE')
  }
}

function flood(): void {
  const [member] = members
  const names = member?.plan.devices ?? []
  tell({ told: 'flooded', atMs: wallMs() })
  const next = (from: number): void => {
    for (const id of names.slice(from, from + floodSlice)) member?.asterisk.change(id, 'INUSE')
    if (from + floodSlice < names.length) setImmediate(() => next(from + floodSlice))
  }
  next(0)
}

function count(injections: number): void {
  let seen = 0
  members[0]?.asterisk.watch(() => {
    seen++
    if (seen === injections) tell({ told: 'counted', atMs: wallMs() })
  })
}
