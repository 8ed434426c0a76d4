/** The benchmark works: all subjects are measured, nothing is lost, and the report has its shape. No time is asserted. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createScratch } from '../../lab/scratch.js'

interface Report {
  readonly machine: { readonly cores: number; readonly versions: Record<string, string> }
  readonly targets: readonly { readonly what: string; readonly isMet: boolean }[]
  readonly results: readonly {
    readonly subject: string
    readonly rounds: readonly Record<string, number>[]
  }[]
}

const scenarios = ['rest', 'burst', 'feed', 'cluster'] as const
const pairs = [
  'hintbridge, Prosody',
  'res_xmpp, Prosody',
  'bare relay, Prosody',
  'SIP PUBLISH, direct',
]

describe('npm run bench -- --quick', () => {
  const scratch = createScratch('bench-test')
  const reports = new Map<string, Report>()
  let printed = ''

  beforeAll(async () => {
    const named = scenarios.flatMap((scenario) => ['--scenario', scenario])
    const args = ['run', '--silent', 'bench:run', '--', '--quick', '--server', 'prosody', ...named]
    const { stdout } = await promisify(execFile)('npm', [...args, '--out', scratch.folder])
    printed = stdout
    for (const scenario of scenarios) {
      const text = readFileSync(join(scratch.folder, `${scenario}.json`), 'utf8')
      reports.set(scenario, JSON.parse(text) as Report)
    }
  })

  afterAll(() => scratch.remove())

  test.each([
    ['rest', pairs],
    ['burst', pairs],
    ['feed', ['Prosody']],
    ['cluster', ['Prosody']],
  ] as const)('measures every subject of %s and loses nothing', (scenario, subjects) => {
    const results = reports.get(scenario)?.results ?? []
    expect(results.map(({ subject }) => subject).sort()).toEqual([...subjects].sort())
    for (const { rounds } of results) {
      expect(rounds).toHaveLength(1)
      for (const [metric, value] of Object.entries(rounds[0] ?? {})) {
        expect([metric, Number.isFinite(value)]).toEqual([metric, true])
      }
      expect(rounds[0]?.['lost'] ?? 0).toBe(0)
    }
  })

  test('takes no member for dead while a cluster starts', () => {
    expect(reports.get('cluster')?.results[0]?.rounds[0]?.['false deaths']).toBe(0)
  })

  test('names machine and versions, and prints figures and targets', () => {
    const { machine, targets } = reports.get('rest') ?? {}
    expect(Object.keys(machine?.versions ?? {})).toEqual([
      'node',
      'asterisk',
      'prosody',
      'ejabberd',
    ])
    expect(Object.values(machine?.versions ?? {})).not.toContain('unknown')
    expect(targets?.map(({ what }) => what)).toContain('rest on Prosody / res_xmpp')
    expect(printed).toMatch(/^scenario +subject +figure +min +median +max$/m)
    expect(printed).toMatch(/^target +wanted +got$/m)
  })

  test('draws a chart', () => {
    const chart = readFileSync(join(scratch.folder, 'chart.svg'), 'utf8')
    for (const pair of pairs) expect(chart).toContain(`>${pair}<`)
  })
})
