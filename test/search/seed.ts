/**
 * The seed on which every random test runs: properties, fuzzing, the soak. `npm test` always takes the same, so that it
 * fails for what was changed and for nothing else; `npm run search`, `npm run fuzz` and `npm run soak` try new ones.
 */
import type { Parameters } from 'fast-check'

/** Names the seed of a search, an integer. */
export const seedVariable = 'HINTBRIDGE_SEED'

const searched = process.env[seedVariable]

export const seed = Number(searched ?? 7)
if (!Number.isInteger(seed)) throw new RangeError(`${seedVariable} is no integer: ${searched}`)

/** The parameters of a property that runs so often on that seed. A search stops at its first finding: the seed repeats it. */
export function onSeed(numRuns: number): Parameters<unknown> {
  return { seed, numRuns, endOnFailure: searched !== undefined }
}
