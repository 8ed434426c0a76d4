/**
 * `npm run search` and `npm run fuzz`: run random tests on one new seed after the other, for an hour or as long as
 * `--minutes` says, or `--rounds 10`, and end with 1 at the first failure. `--seed NUMBER` repeats the round of that seed. The
 * tests are those of the files that are named, by default the model of a cluster.
 */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { seedVariable } from './seed.js'

const { values, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '60' },
    rounds: { type: 'string', default: 'Infinity' },
    seed: { type: 'string' },
  },
})
const [minutes, rounds] = [Number(values.minutes), Number(values.rounds)]
const given = values.seed === undefined ? undefined : Number(values.seed)
if (!(minutes > 0) || !(rounds > 0) || !Number.isInteger(given ?? 0)) {
  throw new TypeError('usage: npm run search -- [--minutes N] [--rounds N] [--seed N] [FILE…]')
}
const command = process.env['npm_lifecycle_event'] ?? 'search'
const vitest = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** One run of the tests on that seed; what they printed, where they failed. */
function run(seed: number): Promise<{ readonly isPassed: boolean; readonly output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [vitest, 'run', '--project', 'unit', ...files], {
      env: { ...process.env, [seedVariable]: String(seed) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    process.once('exit', () => child.kill())
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
    }
    child.once('error', reject)
    child.once('close', (code) => resolve({ isPassed: code === 0, output }))
  })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
const endMs = performance.now() + minutes * 60_000
const mostRounds = given === undefined ? rounds : 1
for (let round = 1; round <= mostRounds && performance.now() < endMs; round += 1) {
  const seed = given ?? randomInt(2 ** 31)
  const { isPassed, output } = await run(seed)
  say(`round ${round}: seed ${seed} ${isPassed ? 'passed' : 'failed'}`)
  if (isPassed) continue
  say(output)
  say(`Repeat it with: npm run ${command} -- --seed ${seed}`)
  process.exit(1)
}
