/**
 * The order of the test files. Vitest begins with what took longest in the last run, or, in a fresh clone, with the largest
 * files; but a small file may be long, and where one runs last the other core stands idle for minutes.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take a minute and more, the longest first. */
const longest = [
  'e2e/faults/ejabberd',
  'e2e/faults/prosody',
  'e2e/images',
  'e2e/doctor',
  'bridge/convergence',
  'e2e/planted-faults',
  'e2e/commands',
  'e2e/status-page',
  'e2e/soak',
  'e2e/back-pressure',
  'e2e/cloned',
  'e2e/subscriptions',
  'e2e/lifecycle',
].map((name) => path.join(import.meta.dirname, `${name}.test.ts`))

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = longest.filter((file) => !existsSync(file))
    if (missing.length > 0)
      throw new Error(`test/long-first.ts names ${missing.join(', ')}: no such file`)
    const rank = new Map(longest.map((file, index) => [file, index]))
    const rankOf = ({ moduleId }: TestSpecification): number => rank.get(moduleId) ?? longest.length
    return (await super.sort(files)).sort((one, other) => rankOf(one) - rankOf(other))
  }
}
