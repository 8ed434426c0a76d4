/** What may happen to a cluster, as fast-check draws it, and what must be true when it has passed. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { deviceStates } from '../../src/bridge/state.js'
import { bareJid, type BridgeSettings } from '../../src/bridge/context.js'
import { Cluster, type SimulatedMember } from './cluster-sim.js'
import { jidOf, settings } from './settings.js'
import { noRefusals, uncachable } from './simulated-asterisk.js'
import { noFaults } from './simulated-service.js'

/** Members of the cluster. */
export const size = 3
const cachable = ['PJSIP/1', 'PJSIP/2', 'PJSIP/3', 'PJSIP/4', 'Custom:night', 'SCCP/1', 'weird']
const devices = [...cachable, uncachable]

const memberNumber = fc.integer({ min: 1, max: size })
const { heartbeatMs, deadAfterMs, graceMs, staleAfterMs } = settings().liveness
/** What takes so long has a bridge's timer pass in the midst of it, or just before or after. */
const aroundTimersMs = fc
  .tuple(
    fc.constantFrom(heartbeatMs, deadAfterMs, graceMs, staleAfterMs),
    fc.oneof(fc.integer({ min: -12, max: 12 }), fc.integer({ min: -700, max: 700 })),
  )
  .map(([timerMs, offMs]) => timerMs + offMs)
const downMs = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 30 }) },
  { weight: 3, arbitrary: fc.integer({ min: 30, max: 4_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 4_000, max: 40_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 55_000, max: 130_000 }) },
  { weight: 3, arbitrary: aroundTimersMs },
)
const chance = fc.constantFrom(0, 0, 0.1, 0.5, 1)
const often = fc.constantFrom(true, true, false)

/** One thing that happens. */
export const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('setDevice' as const),
      member: memberNumber,
      id: fc.constantFrom(...devices),
      state: fc.constantFrom(...deviceStates),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('setSpool' as const),
      // A mailbox lives on one member (rule 5), so the member is part of its name.
      member: memberNumber,
      box: fc.integer({ min: 1, max: 2 }),
      count: fc.integer({ min: 0, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('pollEmpty' as const),
      member: memberNumber,
      owner: memberNumber,
      box: fc.integer({ min: 1, max: 2 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(
        // Within a pull, within the retries, beyond the timers.
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 12 }) },
        { weight: 2, arbitrary: fc.integer({ min: 12, max: 700 }) },
        { weight: 1, arbitrary: fc.integer({ min: 700, max: 20_000 }) },
        { weight: 1, arbitrary: aroundTimersMs },
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('disturbFeeds' as const),
      faults: fc.record({
        lose: chance,
        duplicate: chance,
        delay: chance,
        swallow: fc.constantFrom(0, 0, 0.1),
        slow: chance,
      }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('cut' as const), member: memberNumber, downMs }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('killBridge' as const), member: memberNumber, downMs }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('killAsterisk' as const),
      member: memberNumber,
      downMs,
      isNoticed: fc.boolean(),
      kept: fc.subarray(devices),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('dropSubscription' as const),
      member: memberNumber,
      of: memberNumber,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deleteFeed' as const), of: memberNumber }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wipe' as const), downMs }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('reconfigure' as const),
      member: memberNumber,
      /** So long the configuration is another. */
      forMs: downMs,
      publish: often,
      subscribe: often,
      shared: fc.subarray(devices),
      isSharingCounts: fc.boolean(),
      distrusted: fc.option(memberNumber),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('leave' as const),
      member: memberNumber,
      /** `leave` runs as a process of its own after the service was stopped. */
      isAnew: fc.boolean(),
      /** Then it is started again, and killed if it has not left by then. */
      downMs,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('forget' as const),
      member: memberNumber,
      other: memberNumber,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('refuse' as const),
      member: memberNumber,
      forMs: downMs,
      chance: fc.constantFrom(0.2, 0.5, 1),
      permanent: fc.constantFrom(0, 0.5, 1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('reloadModule' as const), member: memberNumber }),
  },
)

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What may happen to the others, and to the network, while one member goes: nobody has the one that goes do anything. */
export const bystanderStep = step.filter(
  (each) =>
    each.do === 'cut' ||
    ['pass', 'disturbFeeds'].includes(each.do) ||
    (['killBridge', 'killAsterisk', 'reconfigure', 'refuse', 'reloadModule'].includes(each.do) &&
      'member' in each &&
      each.member !== size),
)

/** What happens while two members quarrel about one EID: they come and go, and their phones are used. */
export const strifeStep = step.filter(({ do: what }) =>
  ['setDevice', 'pass', 'cut', 'killBridge', 'killAsterisk', 'wipe'].includes(what),
)

/** A cluster before anything happens to it: it shares what no cache holds too. */
export function newCluster(
  seed: number,
  changed: (number: number) => Partial<BridgeSettings> = () => ({}),
): Cluster {
  const shared = { sharesUncachable: true }
  return new Cluster({ seed, size, settings: (number) => ({ ...shared, ...changed(number) }) })
}

/** Has it happen. */
export function perform(cluster: Cluster, what: Step): void {
  const { service, time } = cluster
  switch (what.do) {
    case 'setDevice':
      return cluster.member(what.member).asterisk.setDevice(what.id, what.state)
    case 'setSpool':
      return cluster
        .member(what.member)
        .asterisk.setSpool(mailboxOf(what.member, what.box), what.count)
    case 'pollEmpty':
      if (what.member !== what.owner) {
        cluster.member(what.member).asterisk.pollEmpty(mailboxOf(what.owner, what.box))
      }
      return
    case 'pass':
      return time.pass(what.ms)
    case 'disturbFeeds':
      service.faults = what.faults
      return
    case 'cut':
      return cluster.member(what.member).cut(what.downMs)
    case 'killBridge': {
      const member = cluster.member(what.member)
      member.killBridge()
      return time.after(what.downMs, () => member.startBridge())
    }
    case 'killAsterisk': {
      const { asterisk } = cluster.member(what.member)
      // What lasts longer is always noticed: OPTIONS are not answered.
      asterisk.kill(what.isNoticed || what.downMs > 3_000)
      return time.after(what.downMs, () => asterisk.start((id) => what.kept.includes(id)))
    }
    case 'dropSubscription':
      service.subscribers
        .get(cluster.member(what.of).settings.eid)
        ?.delete(cluster.member(what.member).fullJid)
      return
    case 'deleteFeed':
      return service.deleteFeed(cluster.member(what.of).settings.eid)
    case 'wipe':
      service.wipe()
      for (const member of cluster.members) member.cut(1 + what.downMs * cluster.random())
      return
    case 'reconfigure': {
      const member = cluster.member(what.member)
      member.reload(changedBy(what))
      return time.after(what.forMs, () => member.reload())
    }
    case 'leave': {
      const member = cluster.member(what.member)
      if (what.isAnew) {
        member.killBridge()
        member.startBridge()
      }
      member.leave()
      return time.after(what.downMs, () => {
        member.killBridge()
        member.startBridge()
      })
    }
    case 'forget':
      return cluster.member(what.member).forget(cluster.member(what.other))
    case 'refuse': {
      const { asterisk } = cluster.member(what.member)
      asterisk.refusals = what
      return time.after(what.forMs, () => (asterisk.refusals = noRefusals))
    }
    case 'reloadModule':
      return cluster.member(what.member).asterisk.reload()
  }
}

/** The filters and the trust that a `reconfigure` gives. */
function changedBy(what: Step & { do: 'reconfigure' }): Partial<BridgeSettings> {
  const { publish, subscribe, shared, isSharingCounts, distrusted } = what
  const first = settings()
  return {
    share: {
      device_state: { publish, subscribe, isShared: (id) => shared.includes(id) },
      message_waiting: { publish, subscribe, isShared: () => isSharingCounts },
    },
    sharesUncachable: shared.includes(uncachable),
    isTrusted: (jid) => first.isTrusted(jid) && (distrusted === null || jid !== jidOf(distrusted)),
  }
}

function mailboxOf(member: number, box: number): string {
  return `${member}00${box}@default`
}

/**
 * Every fault ends, what ends by itself after 130 s; after so long all is well again: a death, the re-reading of members,
 * an audit. What no cache holds is said once more, for who restarted meanwhile has no way to know it (rule 4).
 */
export function settle(cluster: Cluster): void {
  cluster.service.faults = noFaults
  for (const { asterisk } of cluster.members) asterisk.start(() => true)
  cluster.time.pass(140_000)
  for (const { asterisk } of cluster.members) asterisk.sayUncachable()
  cluster.time.pass(190_000)
}

function isWithdrawn(id: string, state: string): boolean {
  if (id === uncachable) return state === 'NOT_INUSE'
  return state === (!id.includes('/') && id.includes(':') ? 'UNKNOWN' : 'INVALID')
}

/** What a member's Asterisk and journal hold of another member, less what is withdrawn. */
function view(member: SimulatedMember, origin: SimulatedMember): unknown {
  const table = member.asterisk.injected.get(origin.settings.eid) ?? new Map<string, string>()
  const journaled = new Set(member.journaled(origin.settings.eid, 'device_state'))
  const held = [...table].filter(([id, state]) => journaled.has(id) || !isWithdrawn(id, state))
  return { devices: Object.fromEntries(held.sort()), journal: [...journaled].sort() }
}

function truth(origin: SimulatedMember): unknown {
  const entries = [...origin.asterisk.devices].sort()
  return { devices: Object.fromEntries(entries), journal: entries.map(([id]) => id) }
}

/** Of members 1 and 2, who have one EID, one is in: everybody has its states, and the other says why it is not. */
export function expectOneHolder(cluster: Cluster): void {
  const rivals = [cluster.member(1), cluster.member(2)]
  const phases = rivals.map(({ bridge }) => bridge?.overview().phase)
  expect([...phases].sort()).toEqual(['ready', 'syncing'])
  const [holder, refused] = phases[0] === 'ready' ? rivals : rivals.toReversed()
  const onlooker = cluster.member(3)
  if (!holder || !refused) throw new RangeError('there are no two rivals')
  expect([...cluster.service.members.keys()].sort()).toEqual(
    [holder.settings.jid, onlooker.settings.jid].sort(),
  )
  const believed = onlooker.bridge?.overview().members.filter(({ isBelieved }) => isBelieved)
  expect(believed?.map(({ jid }) => jid)).toEqual([holder.settings.jid])
  expect(view(onlooker, holder)).toEqual(truth(holder))
  for (const rival of rivals) expect(view(rival, onlooker)).toEqual(truth(onlooker))
  for (const [member, other] of [
    [holder, refused],
    [refused, holder],
  ] as const) {
    expect(healthOf(member, `eid:${other.settings.jid}`)).toContain(
      `${member === holder ? 'it' : 'this member'} is refused`,
    )
  }
}

/** The health problem that stands under a key. */
function healthOf(member: SimulatedMember, key: string): string | undefined {
  const said = member.observed.filter((each) => each.do === 'health' && each.key === key).at(-1)
  return said?.do === 'health' ? said.text : undefined
}

/** The others hold no device any more of a member that is gone, and of its mailboxes these counts. */
export function expectGone(
  cluster: Cluster,
  gone: SimulatedMember,
  counts: Readonly<Record<string, number>>,
): void {
  for (const member of cluster.members) {
    if (member === gone) continue
    const where = `${gone.settings.jid} as seen at ${member.settings.jid}`
    expect(view(member, gone), where).toEqual({ devices: {}, journal: [] })
    for (const [mailbox, count] of Object.entries(counts)) expectCount(member, mailbox, count)
  }
}

/** These members, and nobody else, may read what that one says, and nobody else is told of it. */
export function expectReaders(
  { service }: Cluster,
  origin: SimulatedMember,
  readers: readonly SimulatedMember[],
): void {
  const { jid, eid } = origin.settings
  const wanted = readers.map(({ settings }) => settings.jid).sort()
  expect([...(service.readers.get(eid) ?? [])].sort(), `readers of ${jid}`).toEqual(wanted)
  const subscribed = [...(service.subscribers.get(eid) ?? [])].map(bareJid).sort()
  expect(subscribed, `subscribers of ${jid}`).toEqual(wanted)
}

/** The lamp of a mailbox at a member. */
export function expectCount(member: SimulatedMember, mailbox: string, count: number): void {
  const where = `${mailbox} as seen at ${member.settings.jid}`
  expect(member.asterisk.counts.get(mailbox) ?? 0, where).toBe(count)
}

/** No Asterisk was given more names since it started than the limits allow. */
export function expectWithinLimits(cluster: Cluster): void {
  for (const { asterisk, settings } of cluster.members) {
    const { namesPerMember, names } = settings.limits
    const all = new Set<string>()
    for (const [eid, given] of asterisk.names) {
      expect(given.size, `names of ${eid} at ${settings.jid}`).toBeLessThanOrEqual(namesPerMember)
      for (const name of given) all.add(name)
    }
    expect(all.size, `names at ${settings.jid}`).toBeLessThanOrEqual(names)
  }
}

/** What every Asterisk has been given is as its origin has it, whatever was left out. */
export function expectNothingFalse(cluster: Cluster): void {
  for (const member of cluster.members) {
    for (const origin of cluster.members) {
      if (member === origin) continue
      const given = member.journaled(origin.settings.eid, 'device_state')
      const { devices } = origin.asterisk
      const table = member.asterisk.injected.get(origin.settings.eid)
      const where = `${origin.settings.jid} as seen at ${member.settings.jid}`
      for (const id of given) expect(table?.get(id), `${id} of ${where}`).toBe(devices.get(id))
    }
  }
}

/** Every Asterisk, journal and window agrees with every origin's truth. */
export function expectConvergence(cluster: Cluster): void {
  for (const origin of cluster.members) {
    for (const member of cluster.members) {
      const where = `${origin.settings.jid} as seen at ${member.settings.jid}`
      if (member !== origin) expect(view(member, origin), where).toEqual(truth(origin))
      for (const [mailbox, count] of origin.asterisk.spool) expectCount(member, mailbox, count)
    }
    expect(origin.bridge?.overview()).toMatchObject({
      phase: 'ready',
      feedPending: 0,
      injectionPending: 0,
    })
    const window = cluster.service.window(origin.settings.eid, 'device_state')
    const items = [...(window ?? [])].map(([id, entry]) => [id, 'state' in entry && entry.state])
    const others = cluster.members.filter((member) => member !== origin)
    expectReaders(cluster, origin, others)
    expect(Object.fromEntries(items.sort()), `window of ${origin.settings.jid}`).toEqual(
      Object.fromEntries([...origin.asterisk.devices].sort()),
    )
  }
}
