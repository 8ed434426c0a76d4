import { ConfigError } from '../config/config.js'
import { StateDirUnusable } from '../journal/state-dir.js'

/**
 * What the process ends with: 0 clean, 78 (`EX_CONFIG` of sysexits.h) a bad configuration, 1 anything else; of `doctor`, 1 with
 * warnings and 2 where something is broken.
 */
export const exitCodes = {
  ok: 0,
  failure: 1,
  warnings: 1,
  broken: 2,
  badConfiguration: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** The command has said all that there is to say; only how it ends is left. */
export class Ended extends Error {
  override readonly name = 'Ended'

  constructor(readonly exitCode: ExitCode) {
    super(`ended with ${exitCode}`)
  }
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof Ended) return error.exitCode
  const isUnusable = error instanceof StateDirUnusable && !error.isTemporary
  return isUnusable || error instanceof ConfigError ? exitCodes.badConfiguration : exitCodes.failure
}
