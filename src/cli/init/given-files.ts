/** What `init` takes from files and from who types: the XMPP password, and the SIP secret of an earlier `init`. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { passwordVariables } from '../../config/secrets.js'
import { readPlainFile } from '../../plain-file.js'
import type { InitOptions } from './initialise.js'

/** The content of a file that an option names; throws an Error that says which and what to do. */
export function readGiven(option: string, path: string): string {
  try {
    return readFileSync(resolve(path), 'utf8')
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    // A password may stand there in place of its file: what looks like none is not shown.
    const shown = path.includes('/') ? `'${path}' ` : ''
    throw new Error(
      `--${option}: ${shown}cannot be read (${code}): name a file that is there and that you can read`,
      { cause },
    )
  }
}

/** From the file that is named, else from the environment; `undefined` where neither is. Throws an Error that names the file. */
export function readXmppPassword({
  given,
  environment,
}: Pick<InitOptions, 'given' | 'environment'>): string | undefined {
  const file = given['xmpp-password-file']
  if (file === undefined) return environment[passwordVariables['xmpp.password']] || undefined
  const password = withoutLineEnd(readGiven('xmpp-password-file', file))
  if (password !== '') return password
  throw new Error(
    `--xmpp-password-file: '${file}' is empty: write the password of the account in it`,
  )
}

export const passwordNeeded = `the password of the XMPP account is needed: --xmpp-password-file FILE, or ${passwordVariables['xmpp.password']} in the environment`

/** Asks until there is a password that nothing speaks against; throws an Error where nobody can be asked. */
export async function askXmppPassword(
  { terminal, print }: Pick<InitOptions, 'terminal' | 'print'>,
  jid: string,
  complain: (password: string) => readonly string[],
): Promise<string> {
  if (terminal === undefined) throw new Error(passwordNeeded)
  for (;;) {
    const password = await terminal.askSecret(`\nPassword of ${jid} (not shown)`)
    const complaints = password === '' ? ['must not be empty'] : complain(password)
    if (complaints.length === 0) return password
    for (const complaint of complaints) print(`  the password ${complaint}`)
  }
}

export interface SipPassword {
  readonly password: string
  /** It was there: Asterisk may run with it. */
  readonly isKept: boolean
}

/** The secret that the file holds, if it may be kept and is one; else a fresh one. */
export function findSipPassword(file: string, mayKeep: boolean): SipPassword {
  const held = mayKeep ? readIfThere(file) : ''
  const isKept = held !== '' && !/\p{Cc}/u.test(held)
  return { password: isKept ? held : makeSecret(), isKept }
}

/** 192 random bits as 32 characters that no configuration file takes for anything else. */
export function makeSecret(): string {
  return randomBytes(24).toString('base64url')
}

function readIfThere(file: string): string {
  try {
    return withoutLineEnd(readPlainFile(file))
  } catch {
    // What is no file, or not readable, is told with the other targets.
    return ''
  }
}

function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '')
}
