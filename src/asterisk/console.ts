/** Asterisk's console, asked one command at a time as `asterisk -rx COMMAND` does. */
import { execFile } from 'node:child_process'
import { stripVTControlCharacters } from 'node:util'
import { isRoot } from '../privilege.js'

export interface ConsoleOptions {
  /** The program that is `asterisk`, and arguments that go before the console's own, if any. */
  readonly console: readonly string[]
}

/** How long an answer may take, ms; a console that hangs on its socket says nothing at all. */
const defaultTimeoutMs = 10_000

/** `core show hints` of ten thousand hints is a megabyte. */
const mostOctets = 64 * 2 ** 20

/** Asterisk's console cannot be asked; `remedy` says what the administrator can do. */
export class ConsoleUnusable extends Error {
  override readonly name = 'ConsoleUnusable'

  constructor(
    readonly reason: string,
    readonly remedy: string,
    options?: { cause?: unknown },
  ) {
    super(`failed to ask Asterisk's console: ${reason}; ${remedy}`, options)
  }
}

/**
 * Runs one command on the console of the running Asterisk and gives what it printed, without colours and without the line
 * end at its end; throws `ConsoleUnusable` where there is no console, no right to use it, or no answer in `timeoutMs`.
 */
export function runConsole(
  { console: [program = 'asterisk', ...first] }: ConsoleOptions,
  command: string,
  timeoutMs = defaultTimeoutMs,
): Promise<string> {
  // A line end would be a second command.
  if (/\p{Cc}/u.test(command)) {
    return Promise.reject(new TypeError('a console command is one line without control characters'))
  }
  const args = [...first, '-rx', command]
  const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: mostOctets } as const
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      const output = stripVTControlCharacters(stdout).trimEnd()
      if (error !== null) reject(explain(error, `${stdout}${stderr}`, program, timeoutMs))
      else if (output.startsWith('No such command')) reject(unknownCommand(command))
      else resolve(output)
    })
  })
}

function unknownCommand(command: string): ConsoleUnusable {
  return new ConsoleUnusable(
    `Asterisk knows no command '${command}'`,
    'see whether the module that brings it is loaded',
  )
}

interface ProcessError extends Error {
  readonly code?: string | number | null
  readonly killed?: boolean
}

function explain(
  error: ProcessError,
  output: string,
  program: string,
  timeoutMs: number,
): ConsoleUnusable {
  const fail = (reason: string, remedy: string): ConsoleUnusable =>
    new ConsoleUnusable(reason, remedy, { cause: error })
  if (error.code === 'ENOENT') {
    return fail(`there is no '${program}'`, 'name its program in asterisk.console')
  }
  if (error.code === 'EACCES') {
    return isRoot()
      ? fail(`'${program}' may not be run`, 'make it executable: chmod +x')
      : fail(`'${program}' may not be run by this user`, 'run this as root')
  }
  if (error.killed === true) {
    return fail(
      `'${program}' did not answer within ${timeoutMs} ms`,
      'see whether Asterisk hangs, or run this as a user that may use its console',
    )
  }
  if (/unable to connect to remote asterisk/i.test(output)) {
    return isRoot()
      ? fail(
          'no Asterisk answers on its socket',
          'start Asterisk; where it runs in a container, or with another asterisk.conf, name under asterisk.console a program ' +
            'that reaches its console there',
        )
      : fail(
          'no Asterisk answers on its socket, or this user may not use it',
          'start Asterisk; run this as root or as the user of Asterisk',
        )
  }
  const lines = output.split('\n').filter((line) => line.trim() !== '')
  return fail(
    `'${program}' ended with ${String(error.code)}: ${lines.at(-1)?.slice(0, 200) ?? 'no word'}`,
    `see what '${program} -rx "core show version"' says`,
  )
}
