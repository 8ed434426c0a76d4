/**
 * `npm run soak`: random faults on real servers for minutes on end; see `soak.ts`. Ends non-zero at the first quiet point
 * that is not right. Options: `--minutes 10`, `--server prosody|ejabberd` (both without it), `--seed NUMBER`, `--storm 15-40`
 * (how many seconds one lasts), `--only leaves` (a pattern of the faults that strike; all without it).
 */
import { randomInt } from 'node:crypto'
import { inspect, parseArgs } from 'node:util'
import { xmppServers } from '../../lab/xmpp-servers.js'
import { soak } from './soak.js'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string' },
    server: { type: 'string' },
    storm: { type: 'string', default: '15-40' },
    only: { type: 'string' },
  },
})

const seed = Number(values.seed ?? randomInt(2 ** 31))
const durationMs = Number(values.minutes) * 60_000
const [leastStormS = 0, mostStormS = leastStormS] = values.storm.split('-').map(Number)
const servers = xmppServers.filter(
  ({ kind }) => values.server === undefined || kind.toLowerCase() === values.server.toLowerCase(),
)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

if (!Number.isInteger(seed) || !(durationMs > 0) || !(leastStormS > 0) || servers.length === 0) {
  throw new TypeError(
    'usage: npm run soak -- [--minutes N] [--seed N] [--server prosody|ejabberd] [--storm S-S] [--only PATTERN]',
  )
}
try {
  for (const { kind, start } of servers) {
    say(`${kind}: ${values.minutes} minutes, --seed ${seed}`)
    const result = await soak({
      ...{ startServer: start, seed, durationMs, say },
      stormMs: [leastStormS * 1_000, mostStormS * 1_000],
      ...(values.only !== undefined && { only: new RegExp(values.only) }),
    })
    const { rounds, faults, changes, slowestMs } = result
    say(
      `${kind}: all right at ${rounds} quiet points after ${faults} faults and ${changes} changes; ` +
        `the slowest took ${(slowestMs / 1_000).toFixed(1)} s`,
    )
  }
} catch (error) {
  process.exitCode = 1
  say(`\nThe soak failed: ${inspect(error)}`)
}
// The lab's claims on ports would keep the process.
process.exit()
