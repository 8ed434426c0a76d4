/** Alert rules and dashboard against the metrics of real bridges, by Prometheus itself. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parse as parseXml } from 'ltx'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { startCluster, type Cluster } from '../../lab/cluster.js'
import { Onlooker } from '../../lab/onlooker.js'
import { startProsody } from '../../lab/prosody.js'
import { run, type Running } from '../../lab/running.js'
import { claimPort } from '../../lab/scratch.js'
import { membersNode } from '../../src/nodes/names.js'
import { publish } from '../../src/pubsub/publish.js'

const contrib = join(import.meta.dirname, '../../contrib')
const rulesFile = join(contrib, 'prometheus/hintbridge.rules.yml')
const testsFile = join(contrib, 'prometheus/hintbridge.rules.test.yml')
const dashboardFile = join(contrib, 'grafana/hintbridge.json')

const promtool = (...args: readonly string[]) => promisify(execFile)('promtool', args)

const rules = z
  .object({
    groups: z.array(
      z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) }),
    ),
  })
  .parse(parse(readFileSync(rulesFile, 'utf8')))
  .groups.flatMap((group) => group.rules)

const dashboard = z
  .object({
    panels: z.array(
      z.object({
        title: z.string(),
        targets: z.array(z.object({ expr: z.string() })).default([]),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(dashboardFile, 'utf8')))

const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, expr })),
)

describe('the alert rules', () => {
  it('are as Prometheus wants them', async () => {
    await expect(promtool('check', 'rules', rulesFile)).resolves.toMatchObject({
      stdout: expect.stringContaining(`${rules.length} rules found`) as string,
    })
  })

  it('fire on their cause and on nothing else', async () => {
    await promtool('test', 'rules', testsFile)
    const tests = readFileSync(testsFile, 'utf8')
    expect(rules.filter(({ alert }) => !tests.includes(alert))).toEqual([])
  })
})

describe('Prometheus beside two real bridges', () => {
  let cluster: Cluster
  let prometheus: Running
  let address: string

  beforeAll(async () => {
    const guest = { user: 'guest', password: 'secret' }
    const hints = { night: 'Custom:night' }
    cluster = await startCluster({
      label: 'monitoring',
      startServer: startProsody,
      server: { guests: [guest] },
      members: { a: { hints }, b: { hints } },
    })
    const onlooker = await Onlooker.connect(cluster.server, guest)
    await publish(onlooker.pubsub, membersNode('asterisk'), 'nonsense', parseXml('<nonsense/>'))
    await onlooker.stop()
    const folder = cluster.scratch.makeFolder('prometheus')
    const file = join(folder, 'prometheus.yml')
    writeFileSync(file, configuration(cluster))
    const port = await claimPort()
    address = `http://127.0.0.1:${port}`
    prometheus = run({
      name: 'prometheus',
      command: 'prometheus',
      args: [
        `--config.file=${file}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      cwd: folder,
      logFile: join(folder, 'log'),
    })
    await prometheus.logs(/Server is ready to receive web requests/)
  })
  afterAll(async () => {
    await prometheus.stop()
    await cluster.stop()
  })

  /** How many series a query gives. */
  async function seriesOf(query: string): Promise<number> {
    const answer = await fetch(`${address}/api/v1/query?query=${encodeURIComponent(query)}`)
    const body = z
      .object({
        error: z.string().optional(),
        data: z.object({ result: z.array(z.unknown()) }).optional(),
      })
      .parse(await answer.json())
    if (!body.data) throw new Error(`${query}: ${body.error ?? 'no data'}`)
    return body.data.result.length
  }

  /** Resolves when the query gives something; throws after half a minute. */
  async function awaitSeries(query: string): Promise<void> {
    const deadline = performance.now() + 30_000
    while ((await seriesOf(query)) === 0) {
      if (performance.now() > deadline) throw new Error(`${query} gives nothing`)
      await delay(100) // Prometheus is asked, it does not tell
    }
  }

  it('has nothing to complain of in what they expose', async () => {
    const text = await (await fetch(`${cluster.member('a').http}/metrics`)).text()
    const linting = promtool('check', 'metrics')
    linting.child.stdin?.end(text)
    const complaints = await linting.then(
      ({ stderr }) => stderr,
      (failure: unknown) => z.object({ stderr: z.string() }).parse(failure).stderr,
    )
    // `nodejs_…` are prom-client's own names.
    expect(complaints.split('\n').filter((line) => !line.startsWith('nodejs_'))).toEqual([''])
  })

  it('has an answer to every query of the dashboard', async () => {
    await awaitSeries('up{job="hintbridge"} == 1')
    const [a, b] = [cluster.member('a').asterisk, cluster.member('b').asterisk]
    for (const [state, hint] of [
      ['INUSE', 'InUse'],
      ['NOT_INUSE', 'Idle'],
    ] as const) {
      await a.setDevice('Custom:night', state)
      await b.awaitHint('night', hint)
    }
    expect(queries.length).toBeGreaterThan(15)
    await Promise.all(
      queries.map(({ expr }) =>
        awaitSeries(expr.replaceAll('$instance', '.*').replaceAll('$__rate_interval', '1m')),
      ),
    )
  })

  it('knows every metric and label that the alert rules look at', async () => {
    const selectors = rules.flatMap(({ expr }) => [
      ...expr.matchAll(/\b(?:up|hintbridge_[a-z_]+)\b(?:\{[^}]*\})?/g),
    ])
    expect(selectors.length).toBeGreaterThanOrEqual(rules.length)
    for (const [selector] of selectors) {
      // Of a label it is the name that must be there; no member is dead here.
      const names = [...selector.matchAll(/([a-z]+)=/g)].map(([, label = '']) => `${label}!=""`)
      await awaitSeries(`${selector.replace(/\{.*/, '')}{${names.join(',')}}`)
    }
    expect(await seriesOf('ALERTS')).toBe(0)
  })
})

/** Scrapes all members each second, and evaluates the rules. */
function configuration({ members }: Cluster): string {
  const targets = members.map(({ http }) => new URL(http).host)
  return stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rulesFile],
    scrape_configs: [{ job_name: 'hintbridge', static_configs: [{ targets }] }],
  })
}
