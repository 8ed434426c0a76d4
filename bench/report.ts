/** The table for humans, and the files: all figures as JSON, the medians as a chart. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderChart } from './chart.js'
import type { Machine } from './machine.js'
import type { Result } from './scenario.js'
import { spreadOf } from './statistics.js'
import { judgeTargets } from './targets.js'

/** Metrics whose name and value go into one line; the others are in the JSON. */
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

/** Writes `bench.json` and `bench.svg`; gives the path of the first. */
export function writeResults(folder: string, machine: Machine, results: readonly Result[]): string {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'bench.json')
  const targets = judgeTargets(results)
  writeFileSync(file, `${JSON.stringify({ machine, targets, results }, undefined, 2)}\n`)
  writeFileSync(join(folder, 'bench.svg'), renderChart(results))
  return file
}
