import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { Cluster } from './cluster-sim.js'
import { eidOf } from './settings.js'
import {
  expectConvergence,
  expectOneHolder,
  perform,
  settle,
  size,
  step,
  strifeStep,
} from './storm.js'

/** Raise it for a long search. */
const numRuns = Number(process.env['CONVERGENCE_RUNS'] ?? 3_000)

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
          const cluster = new Cluster({ seed, size })
          cluster.start()
          for (const each of steps) perform(cluster, each)
          settle(cluster)
          expectConvergence(cluster)
        },
      ),
      // A long search stops at its first finding; shrinking takes longer than finding.
      { numRuns, endOnFailure: numRuns > 10_000 },
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
          const cluster = new Cluster({
            seed,
            size,
            settings: (number) => (number === 2 ? { eid: eidOf(1) } : {}),
          })
          cluster.member(3).startBridge()
          cluster.member(isFirstLate ? 2 : 1).startBridge()
          cluster.time.pass(apartMs)
          cluster.start()
          for (const each of steps) perform(cluster, each)
          settle(cluster)
          expectOneHolder(cluster)
        },
      ),
      { numRuns, endOnFailure: numRuns > 10_000 },
    )
  }, 3_600_000)
})
