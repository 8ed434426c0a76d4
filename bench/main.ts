/**
 * `npm run bench`: hintbridge beside res_xmpp, SIP PUBLISH and a bare relay, in one session on one machine; then whole
 * clusters. Prints one table of medians, ratios and targets, and writes the figures and a chart to `bench/results/`.
 */
import { parseArgs } from 'node:util'
import { createCa } from '../lab/ca.js'
import { startEjabberd } from '../lab/ejabberd.js'
import { startProsody } from '../lab/prosody.js'
import { createScratch } from '../lab/scratch.js'
import type { XmppServer, XmppServerOptions } from '../lab/xmpp-server.js'
import { machineOf } from './machine.js'
import {
  type Pair,
  pairAccounts,
  startHintbridge,
  startRelays,
  startResXmpp,
  startSipPublish,
} from './pairs.js'
import { renderReport, writeResults } from './report.js'
import type { PairScenario, Result, ServerScenario, Site } from './scenario.js'
import { pairScenarios, serverScenarios } from './scenarios/index.js'

const { values: options } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    server: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string', default: 'bench/results' },
    help: { type: 'boolean', default: false },
  },
})

const help = `npm run bench -- [OPTIONS]

  --scenario NAME  only that one; may be given again: ${[...pairScenarios, ...serverScenarios].map(({ name }) => name).join(', ')}
  --server NAME    only with prosody, or ejabberd
  --rounds N       of each scenario with pairs (default 3; 1 with --quick), more of short ones; clusters are measured once
  --quick          small and short: shows that all works, measures nothing
  --out FOLDER     where the figures and the chart go (default bench/results)
`

const starters = { prosody: startProsody, ejabberd: startEjabberd } as const
type Kind = keyof typeof starters

const size = options.quick ? 'quick' : 'full'
const rounds = Number(options.rounds ?? (options.quick ? 1 : 3))
const kinds = (Object.keys(starters) as Kind[]).filter(
  (kind) => options.server?.includes(kind) ?? true,
)
const isWanted = ({ name }: { name: string }): boolean => options.scenario?.includes(name) ?? true

const say = (text: string): void => void process.stderr.write(`${text}\n`)

const scratch = createScratch('bench')
const ca = await createCa(scratch)

/** Starts a server as the bench has them all: as shipped, with the SQLite store on Prosody. */
function startServer(
  kind: Kind,
  more: Pick<XmppServerOptions, 'accounts' | 'name' | 'rate'>,
): Promise<XmppServer> {
  return starters[kind]({ scratch, ca, ...more, store: 'sql' })
}

async function measurePairs(scenarios: readonly PairScenario[]): Promise<Result[]> {
  if (scenarios.length === 0) return []
  const servers: XmppServer[] = []
  const pairs: Pair[] = []
  try {
    for (const kind of kinds) {
      const server = await startServer(kind, { accounts: pairAccounts })
      servers.push(server)
      pairs.push(await startHintbridge({ scratch, ca }, server))
      if (kind === 'prosody') {
        pairs.push(await startResXmpp({ scratch, ca }, server))
        pairs.push(await startRelays({ scratch, ca }, server))
      }
    }
    pairs.push(await startSipPublish({ scratch, ca }))
    const results: Result[] = []
    for (const scenario of scenarios) results.push(...(await measureInTurn(scenario, pairs)))
    return results
  } finally {
    await Promise.all(pairs.map((pair) => pair.stop()))
    await Promise.all(servers.map((server) => server.stop()))
  }
}

async function measureInTurn(scenario: PairScenario, pairs: readonly Pair[]): Promise<Result[]> {
  const subjects = pairs.filter(({ processes }) => !scenario.isForBridges || 'bridge' in processes)
  const results = subjects.map(({ name }) => ({
    scenario: scenario.name,
    subject: name,
    rounds: [] as Result['rounds'],
  }))
  const repeats = options.quick ? 1 : (scenario.repeats ?? 1)
  for (let round = 0; round < rounds * repeats; round++) {
    for (const [index, pair] of subjects.entries()) {
      const measured = await scenario.measure(pair, round, size)
      say(`${scenario.name}, round ${round + 1}: ${pair.name} ${brief(measured)}`)
      results[index]?.rounds.push(measured)
    }
  }
  return results
}

async function measureServers(scenarios: readonly ServerScenario[]): Promise<Result[]> {
  const results: Result[] = []
  for (const scenario of scenarios) {
    for (const kind of kinds) {
      let count = 0
      const site: Site = {
        scratch,
        ca,
        startServer: (accounts, more) =>
          startServer(kind, { accounts, name: `${scenario.name}-${kind}-${++count}`, ...more }),
      }
      const measured = await scenario.measure(site, size)
      const subject = kind === 'prosody' ? 'Prosody' : 'ejabberd'
      say(`${scenario.name}: ${subject} ${brief(measured)}`)
      results.push({ scenario: scenario.name, subject, rounds: [measured] })
    }
  }
  return results
}

function brief(measured: Readonly<Record<string, number>>): string {
  return Object.entries(measured)
    .map(([metric, value]) => `${metric} ${value.toPrecision(4)}`)
    .join(', ')
}

async function run(): Promise<void> {
  const startedAt = new Date()
  const pairs = await measurePairs(pairScenarios.filter(isWanted))
  const servers = await measureServers(serverScenarios.filter(isWanted))
  const machine = machineOf(startedAt)
  const results = [...pairs, ...servers]
  process.stdout.write(renderReport(machine, results))
  say(`\nwritten: ${writeResults(options.out, machine, results).join(' ')}`)
}

if (options.help) {
  process.stdout.write(help)
} else {
  try {
    await run()
  } finally {
    scratch.remove()
  }
}
// The lab's claims on ports would keep the process.
process.exit()
