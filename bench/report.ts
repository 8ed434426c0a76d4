/** The table for humans, and the files: all figures as JSON, the medians as a chart. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderChart } from './chart.js'
import type { Machine } from './machine.js'
import type { Result } from './scenario.js'
import { spreadOf } from './statistics.js'
import { judgeTargets } from './targets.js'

/** Machine, all figures with their spread over the rounds, and what became of each target that was measured. */
export function renderReport(machine: Machine, results: readonly Result[]): string {
  const { cpu, cores, memoryGiB, kernel, versions, load } = machine
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  return [
    `${cores} cores of ${cpu}, ${memoryGiB} GiB, Linux ${kernel}; ${named.join(', ')}; commit ${machine.commit}`,
    `load ${load.join(' ')} at the end, ${machine.tookS} s in all`,
    '',
    ...table(['scenario', 'subject', 'figure', 'min', 'median', 'max'], figures(results)),
    '',
    ...table(['target', 'wanted', 'got', ''], targetRows(results)),
    '',
  ].join('\n')
}

function figures(results: readonly Result[]): string[][] {
  return results.flatMap(({ scenario, subject, rounds }) =>
    Object.keys(rounds[0] ?? {}).map((metric) => {
      const { min, median, max } = spreadOf(rounds.map((round) => round[metric] ?? NaN))
      return [scenario, subject, metric, shown(min), shown(median), shown(max)]
    }),
  )
}

function targetRows(results: readonly Result[]): string[][] {
  return judgeTargets(results).map(({ what, wanted, got, isMet }) => [
    ...[what, wanted, shown(got), isMet ? 'met' : 'NOT MET'],
  ])
}

function shown(value: number): string {
  if (Number.isNaN(value)) return '-'
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)]
}

/**
 * Writes a file of figures for each scenario, in place of an earlier one, and the chart of all that the folder has; gives
 * the paths.
 */
export function writeResults(
  folder: string,
  machine: Machine,
  results: readonly Result[],
): string[] {
  mkdirSync(folder, { recursive: true })
  const scenarios = [...new Set(results.map(({ scenario }) => scenario))]
  const files = scenarios.map((scenario) => {
    const file = join(folder, `${scenario}.json`)
    const own = results.filter((result) => result.scenario === scenario)
    const text = JSON.stringify({ machine, targets: judgeTargets(own), results: own }, undefined, 2)
    writeFileSync(file, `${text}\n`)
    return file
  })
  const chart = join(folder, 'chart.svg')
  writeFileSync(chart, renderChart(readResults(folder)))
  return [...files, chart]
}

/** What this and earlier runs have written to the folder. */
function readResults(folder: string): Result[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'))
  return files.flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    return (JSON.parse(text) as { results: Result[] }).results
  })
}
