import fc from 'fast-check'
import { describe, it } from 'vitest'
import { Cluster } from './cluster-sim.js'
import { expectConvergence, perform, settle, size, step } from './storm.js'

/** Raise it for a long search. */
const numRuns = Number(process.env['CONVERGENCE_RUNS'] ?? 150)

describe('a cluster of three, whatever happens to it', () => {
  it('shows every state and count as its origin has it, after the last fault', () => {
    fc.assert(
      fc.property(fc.integer(), fc.array(step, { maxLength: 60, size: 'max' }), (seed, steps) => {
        const cluster = new Cluster({ seed, size })
        cluster.start()
        for (const each of steps) perform(cluster, each)
        settle(cluster)
        expectConvergence(cluster)
      }),
      // A long search stops at its first finding; shrinking takes longer than finding.
      { numRuns, endOnFailure: numRuns > 1_000 },
    )
  }, 3_600_000)
})
