import { ConfigError, type ConfigProblem, formatProblem } from '../../config/config.js'
import type { LoadedConfig } from '../../config/load.js'
import { type Finding, Findings } from '../finding.js'

const findings = new Findings('configuration')

/** The findings on a configuration that can be used. */
export function judgeConfiguration(file: string, { warnings }: LoadedConfig): Finding[] {
  if (warnings.length === 0) return [findings.ok(`${file} is good`)]
  return warnings.map((warning) => findings.warning(formatProblem(warning)))
}

/** The findings on one that cannot: every problem at once. */
export function judgeBadConfiguration(file: string, error: ConfigError): Finding[] {
  return error.problems.map((problem: ConfigProblem) =>
    findings.broken(`${file}: ${formatProblem(problem)}`),
  )
}
