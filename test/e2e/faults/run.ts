/**
 * `npm run faults`: brings every fault about on real servers, twice, on Prosody and on ejabberd, and prints how long peers
 * were wrong against how long they may be. Ends with 1 where a row is outside its bound. Words restrict it:
 * `npm run faults -- --server ejabberd --only leave --rounds 1`.
 */
import { parseArgs } from 'node:util'
import { xmppServers } from '../../../lab/xmpp-servers.js'
import { describeMeasured, isWithinBound, type FaultGroup, type Measured } from './fault.js'
import { faultGroups } from './groups.js'
import { Site } from './site.js'
import { formatTable } from './table.js'

const { values: options } = parseArgs({
  options: {
    server: { type: 'string', default: '' },
    group: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '2' },
  },
})

interface Outcome {
  readonly fault: string
  readonly server: string
  readonly bound: string
  readonly rounds: (Measured | Error)[]
}

const outcomes = new Map<string, Outcome>()

const say = (text: string): void => void process.stderr.write(`${text}\n`)

function note(server: string, fault: FaultGroup['faults'][number], result: Measured | Error): void {
  const key = `${fault.name}\n${server}`
  const outcome = outcomes.get(key) ?? {
    fault: fault.name,
    server,
    bound: fault.bound,
    rounds: [],
  }
  outcome.rounds.push(result)
  outcomes.set(key, outcome)
  say(`  ${isGood(result) ? 'ok  ' : 'MISS'} ${fault.name}: ${describe(result)}`)
}

const isGood = (result: Measured | Error): boolean =>
  !(result instanceof Error) && isWithinBound(result)

const describe = (result: Measured | Error): string =>
  result instanceof Error ? `failed: ${result.message.split('\n')[0]}` : describeMeasured(result)

async function tryGroup(group: FaultGroup, server: (typeof xmppServers)[number]): Promise<void> {
  const faults = group.faults.filter(({ name }) => name.includes(options.only))
  let site: Site | undefined
  try {
    for (const fault of faults) {
      site ??= await Site.start(group, server.start)
      const result = await tryFault(fault, site)
      note(server.kind, fault, result)
      if (!(result instanceof Error)) continue
      // What it left behind must not spoil the next.
      await site.stop()
      site = undefined
    }
  } finally {
    await site?.stop()
  }
}

/** What was measured, unless it could not be, or not all was right again afterwards. */
async function tryFault(
  fault: FaultGroup['faults'][number],
  site: Site,
): Promise<Measured | Error> {
  try {
    const measured = await fault.run(site)
    await site.heal()
    return measured
  } catch (error) {
    return toError(error)
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

/** The bound in words, and in seconds where it is one of time: the last round's, as some follow from what happened. */
function describeBound({ bound, rounds }: Outcome): string {
  const timed = rounds.findLast((result) => !(result instanceof Error) && 'ms' in result)
  return timed !== undefined && 'boundMs' in timed
    ? `${bound} = ${(timed.boundMs / 1_000).toFixed(2)} s`
    : bound
}

const rounds = Number(options.rounds)
for (let round = 1; round <= rounds; round++) {
  for (const server of xmppServers) {
    if (!server.kind.includes(options.server)) continue
    for (const group of faultGroups) {
      if (!group.name.includes(options.group)) continue
      say(`round ${round}, ${server.kind}, ${group.name}`)
      await tryGroup(group, server)
    }
  }
}

const rows = [...outcomes.values()].map((outcome) => [
  outcome.fault,
  outcome.server,
  describeBound(outcome),
  ...outcome.rounds.map(describe),
  outcome.rounds.every(isGood) ? 'within' : 'OUTSIDE',
])
const header = ['fault', 'server', 'bound', ...numbered(rounds), 'verdict']
process.stdout.write(`${formatTable([header, ...rows])}\n`)

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `round ${index + 1}`)
}

const isAllGood = [...outcomes.values()].every(({ rounds: results }) => results.every(isGood))
// The lab's claims on ports would keep the process.
process.exit(isAllGood && outcomes.size > 0 ? 0 : 1)
