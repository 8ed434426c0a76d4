import type { CommandModule } from 'yargs'
import { ConfigError } from '../config/config.js'
import { type LoadedConfig, loadConfig } from '../config/load.js'
import { type Check, examine } from '../doctor/check.js'
import { judgeBadConfiguration, judgeConfiguration } from '../doctor/checks/configuration.js'
import type { DoctorContext } from '../doctor/context.js'
import { type Finding, worst } from '../doctor/finding.js'
import { type ConfigArguments, configOption } from './config-option.js'
import { renderFinding, renderSummary } from './doctor-report.js'
import { Ended, exitCodes } from './exit-code.js'
import { terminalStyle, type TerminalStyle } from './table.js'

const options = {
  ...configOption,
  json: {
    type: 'boolean',
    default: false,
    describe: 'print one JSON document: the worst severity and all findings',
  },
} as const

export const doctorCommand: CommandModule<object, ConfigArguments & { readonly json: boolean }> = {
  command: 'doctor',
  describe: 'Check Asterisk, bridge and XMPP server end to end, and say what to do',
  builder: (yargs) =>
    yargs
      .options(options)
      .example('$0 doctor', 'after init, and whenever something is odd')
      .example('$0 doctor --json', 'for a script')
      .epilogue(
        'Safe while the bridge runs, and works where it does not. Run it as root, or as a user that may use both the bridge and the console of Asterisk. Ends with 0 where all is fine, 1 with warnings, 2 where something is broken.',
      ),
  handler: async ({ config: file, json }) => {
    const { checks } = await import('../doctor/checks.js')
    const { filesCheck } = await import('../doctor/checks/files.js')
    const { Surroundings } = await import('../doctor/context.js')
    await diagnose({
      file,
      load: () => loadConfig(file),
      makeContext: ({ config }) => new Surroundings(config),
      checks: [filesCheck(file), ...checks],
      isJson: json,
      style: terminalStyle(),
      print: (line) => process.stdout.write(`${line}\n`),
    })
  },
}

export interface DiagnoseOptions {
  readonly file: string
  /** Throws ConfigError with every problem. */
  readonly load: () => LoadedConfig
  readonly makeContext: (loaded: LoadedConfig) => DoctorContext & { close(): Promise<void> }
  readonly checks: readonly Check[]
  readonly isJson: boolean
  readonly style: TerminalStyle
  readonly print: (line: string) => void
}

/** Makes all checks and prints what they find; throws `Ended` with 1 or 2 where not all is fine. */
export async function diagnose(options: DiagnoseOptions): Promise<void> {
  const { isJson, style, print } = options
  const show = (findings: readonly Finding[]): void => {
    if (!isJson) for (const finding of findings) print(renderFinding(finding, style))
  }
  const findings = await findAll(options, show)
  const severity = worst(findings)
  print(
    isJson
      ? JSON.stringify({ severity, findings }, undefined, 2)
      : `\n${renderSummary(findings, style)}`,
  )
  if (severity === 'warning') throw new Ended(exitCodes.warnings)
  if (severity === 'broken') throw new Ended(exitCodes.broken)
}

async function findAll(
  { file, load, makeContext, checks }: DiagnoseOptions,
  show: (findings: readonly Finding[]) => void,
): Promise<Finding[]> {
  let loaded: LoadedConfig
  try {
    loaded = load()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const found = judgeBadConfiguration(file, error)
    show(found)
    return found
  }
  const found = judgeConfiguration(file, loaded)
  show(found)
  const context = makeContext(loaded)
  try {
    return [...found, ...(await examine(checks, context, show))]
  } finally {
    await context.close()
  }
}
