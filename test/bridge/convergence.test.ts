import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { onSeed } from '../search/seed.js'
import type { Cluster, SimulatedMember } from './cluster-sim.js'
import { eidOf, settings } from './settings.js'
import {
  bystanderStep,
  expectConvergence,
  expectCount,
  expectGone,
  expectNothingFalse,
  expectOneHolder,
  expectReaders,
  expectWithinLimits,
  newCluster,
  perform,
  settle,
  size,
  step,
  strifeStep,
} from './storm.js'

/** How often each property runs on a seed. */
const runs = 3_000

const members = Array.from({ length: size }, (_, index) => index + 1)

/** Between two runs the test's process answers its parent, which else takes it for dead. */
const rest = (): Promise<void> => setImmediate()

describe('a cluster of three, whatever happens to it', () => {
  it('shows every state and count as its origin has it, after the last fault', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(step, { maxLength: 60, size: 'max' }),
        async (seed, steps) => {
          await rest()
          const cluster = newCluster(seed)
          cluster.start()
          for (const each of steps) perform(cluster, each)
          settle(cluster)
          expectConvergence(cluster)
        },
      ),
      onSeed(runs),
    )
  }, 3_600_000)
})

describe('members that have more names than they may give', () => {
  it('give no Asterisk more of them, and nothing that is not so, whatever happens', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { maxLength: 40 }),
        async (seed, namesPerMember, names, steps) => {
          await rest()
          const cluster = newCluster(seed, () => ({ limits: { namesPerMember, names } })).start()
          for (const each of steps) {
            perform(cluster, each)
            expectWithinLimits(cluster)
          }
          settle(cluster)
          expectWithinLimits(cluster)
          expectNothingFalse(cluster)
        },
      ),
      onSeed(runs),
    )
  }, 3_600_000)
})

describe('two newcomers with one EID (rule 18)', () => {
  it('end with one of them in, the same one everywhere, and the other refused loudly', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.integer({ min: 0, max: 30 }),
        fc.boolean(),
        fc.array(strifeStep, { maxLength: 12 }),
        async (seed, apartMs, isFirstLate, steps) => {
          await rest()
          const cluster = newCluster(seed, (number) => (number === 2 ? { eid: eidOf(1) } : {}))
          cluster.member(3).startBridge()
          cluster.member(isFirstLate ? 2 : 1).startBridge()
          cluster.time.pass(apartMs)
          cluster.start()
          for (const each of steps) perform(cluster, each)
          settle(cluster)
          expectOneHolder(cluster)
        },
      ),
      onSeed(runs),
    )
  }, 3_600_000)
})

describe('a mailbox that has moved to another member (rule 5)', () => {
  it('shows its count everywhere, whatever happens to the one where it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(step, { maxLength: 20 }), async (seed, steps) => {
        await rest()
        const cluster = newCluster(seed).start()
        const [before, after] = [cluster.member(1), cluster.member(2)]
        before.asterisk.setSpool('moved@default', 3)
        cluster.time.pass(1_000)
        before.asterisk.setSpool('moved@default', 0)
        cluster.time.pass(1_000)
        after.asterisk.setSpool('moved@default', 2)
        cluster.time.pass(1_000)
        for (const each of steps) perform(cluster, each)
        settle(cluster)
        for (const member of cluster.members) expectCount(member, 'moved@default', 2)
      }),
      onSeed(runs),
    )
  }, 3_600_000)
})

describe('a member that goes for good', () => {
  const steps = fc.array(bystanderStep, { maxLength: 12 })
  const mailboxes = { '3001@default': 2, '3002@default': 1 }

  /** It goes, after what happened to the others and before what will. */
  function goingFor(
    go: (member: SimulatedMember) => void,
    expectAfterwards: (cluster: Cluster, gone: SimulatedMember) => void,
  ): fc.IAsyncProperty<unknown> {
    return fc.asyncProperty(fc.integer(), steps, steps, async (seed, before, after) => {
      await rest()
      const cluster = newCluster(seed).start()
      const gone = cluster.member(size)
      gone.asterisk.setDevice('PJSIP/1', 'INUSE')
      for (const [mailbox, count] of Object.entries(mailboxes))
        gone.asterisk.setSpool(mailbox, count)
      // Until its counts are in its window: what was not written when it died is nowhere.
      cluster.time.pass(20_000)
      for (const each of before) perform(cluster, each)
      go(gone)
      for (const each of after) perform(cluster, each)
      settle(cluster)
      expectAfterwards(cluster, gone)
    })
  }

  it('takes its device states along when it dies, and leaves its message counts (rule 22)', async () => {
    const property = goingFor(
      (member) => member.killBridge(),
      (cluster, gone) => expectGone(cluster, gone, mailboxes),
    )
    await fc.assert(property, onSeed(runs))
  }, 3_600_000)

  it('takes everything along when it leaves (rule 24)', async () => {
    const property = goingFor(
      (member) => member.leave(),
      (cluster, gone) => {
        if (gone.leftBehind?.length !== 0) {
          // It says so, and is to be run again.
          gone.startBridge()
          gone.leave()
          settle(cluster)
        }
        expect(gone.leftBehind).toEqual([])
        const [one, other] = [cluster.member(1), cluster.member(2)]
        expectReaders(cluster, one, [other])
        expectReaders(cluster, other, [one])
        expectGone(cluster, gone, { '3001@default': 0, '3002@default': 0 })
      },
    )
    await fc.assert(property, onSeed(runs))
  }, 3_600_000)
})

describe('an XMPP server that is away for less than stale_after', () => {
  it('darkens nothing where each member is back within 5 s more, however far apart they are (rule 23)', async () => {
    const { staleAfterMs } = settings().liveness
    // One that cannot reach a server tries at least every 5 s; one that is turned away may wait for 30 s.
    const latesMs = fc.tuple(...members.map(() => fc.integer({ min: 0, max: 30_000 })))
    const property = fc.asyncProperty(
      fc.integer(),
      fc.integer({ min: 0, max: staleAfterMs }),
      latesMs,
      fc.option(fc.constantFrom(...members)),
      fc.integer({ min: 0, max: staleAfterMs }),
      async (seed, awayMs, lates, restarted, downMs) => {
        await rest()
        const cluster = newCluster(seed).start()
        for (const { asterisk } of cluster.members) asterisk.setDevice('PJSIP/1', 'INUSE')
        cluster.time.pass(5_000)
        for (const [index, member] of cluster.members.entries()) {
          member.injections.length = 0
          member.cut(Math.min(awayMs + (lates[index] ?? 0), staleAfterMs + 5_000))
        }
        if (restarted !== null) {
          const member = cluster.member(restarted)
          member.killBridge()
          const startMs = Math.min(downMs, awayMs)
          const lateMs = Math.min(lates[restarted - 1] ?? 0, 5_000)
          cluster.time.after(startMs, () => member.startBridge(awayMs - startMs + lateMs))
        }
        cluster.time.pass(200_000)
        for (const { injections, settings: own } of cluster.members) {
          const dark = injections.filter(({ entry }) => 'state' in entry && entry.state !== 'INUSE')
          expect(dark, `at ${own.jid}`).toEqual([])
        }
        expectConvergence(cluster)
      },
    )
    await fc.assert(property, onSeed(runs))
  }, 3_600_000)
})

describe('a member that is no longer trusted', () => {
  it('is told nothing more, whatever happens around it', async () => {
    const steps = fc.array(strifeStep, { maxLength: 12 })
    const property = fc.asyncProperty(fc.integer(), steps, steps, async (seed, before, after) => {
      await rest()
      const cluster = newCluster(seed).start()
      const [wary, other, distrusted] = [cluster.member(1), cluster.member(2), cluster.member(3)]
      for (const each of before) perform(cluster, each)
      wary.reload({ isTrusted: (jid) => jid !== distrusted.settings.jid })
      for (const each of after) perform(cluster, each)
      settle(cluster)
      expectReaders(cluster, wary, [other])
      expectReaders(cluster, other, [wary, distrusted])
    })
    await fc.assert(property, onSeed(runs))
  }, 3_600_000)
})
