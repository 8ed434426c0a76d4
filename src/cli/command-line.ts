import yargs from 'yargs'
import { channelsCommand } from './channels.js'
import { proposeNames } from './completion.js'
import { completionCommand, completionOption } from './completion-script.js'
import { devicesCommand } from './devices.js'
import { doctorCommand } from './doctor.js'
import { Ended, exitCodeOf, exitCodes, type ExitCode } from './exit-code.js'
import { explainCommand } from './explain.js'
import { forgetCommand } from './forget.js'
import { initCommand } from './init.js'
import { leaveCommand } from './leave.js'
import { nodesCommand } from './nodes.js'
import { mailboxesCommand } from './mailboxes.js'
import { membersCommand } from './members.js'
import { runCommand } from './run.js'
import { watchCommand } from './watch.js'
import { suggest } from '../config/suggest.js'
import { readVersion } from '../version.js'

/** Runs one command and gives the exit code; what went wrong stands on standard error by then. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  try {
    if (args[0] === completionOption) await propose(args)
    else await parseStrictly(args)
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof Ended)) process.stderr.write(`hintbridge: ${messageOf(error)}\n`)
    return exitCodeOf(error)
  }
}

/** Prints what may come next on a line: names that the bridge knows, or what yargs itself proposes. */
async function propose(args: readonly string[]): Promise<void> {
  const names = await proposeNames(args.slice(1))
  for (const name of names ?? []) process.stdout.write(`${name}\n`)
  // An unfinished line is no wrong one: nothing of it is an error.
  if (names === undefined) await makeCommandLine(args).fail(false).parseAsync().catch(ignore)
}

/** Of what yargs does not know it names options only: a word too many may be a password that was to follow one. */
function withoutWords(message: string, args: readonly string[]): string {
  const [, listed] = /^Unknown arguments?: (.*)$/s.exec(message) ?? []
  if (listed === undefined) return message
  const isOption = (name: string): boolean =>
    args.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`))
  const options = listed.split(', ').filter(isOption)
  return options.length === 0
    ? 'there is a word too many'
    : `Unknown argument: ${options.map((name) => `--${name}`).join(', ')}`
}

const ignore = (): void => undefined

async function parseStrictly(args: readonly string[]): Promise<void> {
  const [name = ''] = args
  const usage = usages.get(name)
  if (/^\w/.test(name) && usage === undefined) throw unknownCommand(name)
  await makeCommandLine(args)
    .demandCommand(1, 'name a command')
    .strict()
    .fail((message: string | null, error: Error | undefined) => {
      if (error && error.name !== 'YError') throw error
      throw new UsageError(withoutWords(message ?? '', args), usage)
    })
    .parseAsync()
}

/** How each command is called, by its name: `explain <device>`. */
const usages: ReadonlyMap<string, string> = new Map(
  [
    ...[runCommand, initCommand, leaveCommand, membersCommand, channelsCommand, devicesCommand],
    ...[mailboxesCommand, explainCommand, watchCommand, forgetCommand, doctorCommand],
    ...[nodesCommand, completionCommand],
  ].map(({ command }) => [String(command).split(' ')[0] ?? '', String(command)]),
)

function unknownCommand(name: string): UsageError {
  const known = [...usages.keys()].join(', ')
  return new UsageError(suggest(name, `unknown command '${name}'; there are: ${known}`))
}

function makeCommandLine(args: readonly string[]) {
  return (
    yargs([...args])
      .scriptName('hintbridge')
      .usage('$0 COMMAND: makes several Asterisk servers act as one for phone state')
      .command(runCommand)
      .command(initCommand)
      .command(leaveCommand)
      .command(membersCommand)
      .command(channelsCommand)
      .command(devicesCommand)
      .command(mailboxesCommand)
      .command(explainCommand)
      .command(watchCommand)
      .command(forgetCommand)
      .command(doctorCommand)
      .command(nodesCommand)
      .command(completionCommand)
      .example(
        '$0 init',
        'ask for what is needed and write the configuration and the Asterisk side',
      )
      .example('$0 run', 'be the service')
      .example('$0 explain PJSIP/1001', 'say why its lamp is lit')
      .example('$0 leave', 'leave the cluster for good: withdraw everywhere')
      // An alias of one letter would be proposed as `--c`.
      .hide('c')
      .version(readVersion())
      .locale('en')
      .parserConfiguration({ 'duplicate-arguments-array': false })
      .exitProcess(false)
      .wrap(80)
  )
}

/** The command line itself is wrong. */
class UsageError extends Error {
  /** `usage`: of the command that it is for. */
  constructor(message: string, usage?: string) {
    const lines = usage === undefined ? [message] : [message, `Usage: hintbridge ${usage}`]
    super([...lines, "See 'hintbridge --help' and 'hintbridge COMMAND --help'."].join('\n'))
    this.name = 'UsageError'
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
