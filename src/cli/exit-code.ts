import { ConfigError } from '../config/config.js'
import { StateDirUnusable } from '../journal/state-dir.js'

/** What the process ends with: 0 clean, 78 (`EX_CONFIG` of sysexits.h) a bad configuration, 1 anything else. */
export const exitCodes = { ok: 0, failure: 1, badConfiguration: 78 } as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

export function exitCodeOf(error: unknown): ExitCode {
  const isOfConfiguration = error instanceof ConfigError || error instanceof StateDirUnusable
  return isOfConfiguration ? exitCodes.badConfiguration : exitCodes.failure
}
