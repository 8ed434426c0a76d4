/** What the commands that only look have in common: their options, the running bridge, and where they print. */
import type { Config } from '../config/config.js'
import type { ErrorAnswer } from '../observe/api.js'
import { askControl } from '../observe/control-client.js'
import { configOption } from './config-option.js'
import { type TerminalStyle, terminalStyle } from './table.js'

export const inspectOptions = {
  ...configOption,
  json: { type: 'boolean', default: false, describe: 'print one JSON document' },
} as const

export interface InspectArguments {
  readonly config: string
  readonly json: boolean
}

/** Where a command prints, and how. */
export interface Output {
  readonly print: (text: string) => void
  /** What is said of the answer rather than in it; on standard error, so that it does not mix with it. */
  readonly note: (text: string) => void
  readonly style: TerminalStyle
}

export function standardOutput(): Output {
  return {
    print: (text) => process.stdout.write(`${text}\n`),
    note: (text) => process.stderr.write(`${text}\n`),
    style: terminalStyle(),
  }
}

export function printJson({ print }: Pick<Output, 'print'>, value: unknown): void {
  print(JSON.stringify(value, undefined, 2))
}

/** The path of a question with its query; what is `undefined` is left out. */
export function question(
  path: string,
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const given = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) given.set(name, String(value))
  }
  return given.size === 0 ? path : `${path}?${given.toString()}`
}

/**
 * Asks the running bridge, of this version, as one installation holds both; `undefined` where none runs. Throws with the bridge's
 * own reason where it does not answer 200.
 */
export async function askBridge<Answer>(
  { controlSocket }: Pick<Config, 'controlSocket'>,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<Answer | undefined> {
  const answer = await askControl(controlSocket, method, path)
  if (answer === undefined) return undefined
  if (answer.status !== 200) throw new Error((answer.body as ErrorAnswer).error)
  return answer.body as Answer
}

/** Why a command needs the bridge to run, and how it is started. */
export function noBridge({ stateDir }: Pick<Config, 'stateDir'>, purpose: string): Error {
  return new Error(
    `no bridge runs on ${stateDir}, and only a running one knows ${purpose}: start it with ` +
      `'systemctl start hintbridge', or 'hintbridge run'`,
  )
}
