/** `hintbridge doctor` as a process, and what it said. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import type { Finding, Severity } from '../../src/doctor/finding.js'

const mainFile = join(import.meta.dirname, '..', '..', 'dist', 'main.js')

export interface Run {
  readonly exitCode: number
  readonly output: string
  readonly complaint: string
}

export interface Diagnosis {
  readonly exitCode: number
  readonly severity: Severity
  readonly findings: readonly Finding[]
  /** The findings that are not fine. */
  readonly bad: readonly Finding[]
}

/** Runs a command to its end, whatever its exit code is. */
export function runHintbridge(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Run> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env } }
    execFile(process.execPath, [mainFile, ...args], options, (error, output, complaint) => {
      resolve({ exitCode: error === null ? 0 : Number(error.code), output, complaint })
    })
  })
}

/** `doctor --json` with that configuration. */
export async function diagnose(
  configFile: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Diagnosis> {
  const { exitCode, output } = await runHintbridge(
    ['doctor', '--json', '--config', configFile],
    env,
  )
  const said = JSON.parse(output) as Pick<Diagnosis, 'severity' | 'findings'>
  const bad = said.findings.filter(
    ({ severity }) => severity === 'warning' || severity === 'broken',
  )
  return { exitCode, ...said, bad }
}
