import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { ConfigProblem } from './config.js'
import { Secret } from './secret.js'
import { at, textAt } from './tree.js'

/** The environment variables that take precedence over the file. */
export const passwordVariables = {
  xmpp: 'HINTBRIDGE_XMPP_PASSWORD',
  'asterisk.sip': 'HINTBRIDGE_SIP_PASSWORD',
  http: 'HINTBRIDGE_HTTP_PASSWORD',
} as const

export type SecretSection = keyof typeof passwordVariables

/** Nothing is said of these where they are missing. */
const optional: ReadonlySet<SecretSection> = new Set(['http'])

/** Where passwords are looked for. */
export interface SecretSources {
  /** What relative paths are relative to. */
  readonly folder: string
  /** The configuration file, where there is one. */
  readonly file?: string
  readonly environment: NodeJS.ProcessEnv
}

/** What was found of one password, and what is to be said about it. */
export interface SecretReading {
  readonly secret?: Secret
  readonly problems: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
}

/**
 * Reads one password: from the environment, else from `password_file` (relative to the configuration's folder), else
 * from `password`. A file that others can read is warned about.
 */
export function readSecret(
  tree: unknown,
  section: SecretSection,
  { folder, file: configFile, environment }: SecretSources,
): SecretReading {
  const variable = passwordVariables[section]
  const inEnvironment = environment[variable]
  if (inEnvironment !== undefined) {
    return check(inEnvironment, { path: variable, message: 'is empty: unset it or fill it' })
  }
  const file = textAt(tree, `${section}.password_file`)
  const hasPassword = at(tree, `${section}.password`) !== undefined
  if (file !== undefined && hasPassword) {
    const message = 'stands beside password_file: keep one of them'
    return { problems: [{ path: `${section}.password`, message }], warnings: [] }
  }
  if (file !== undefined && file !== '') {
    return readSecretFile(`${section}.password_file`, resolve(folder, file))
  }
  if (hasPassword) {
    const clear = textAt(tree, `${section}.password`)
    if (clear === undefined) return { problems: [], warnings: [] } // of a wrong type: the schema says so
    const path = `${section}.password`
    const reading = check(clear, { path, message: 'is empty' })
    return configFile === undefined
      ? reading
      : { ...reading, warnings: warnIfExposed(path, configFile) }
  }
  const isWrongType = at(tree, `${section}.password_file`) !== undefined
  if (isWrongType || optional.has(section)) return { problems: [], warnings: [] }
  const message = `is required: name the file that holds it, or write ${section}.password, or set ${variable}`
  return { problems: [{ path: `${section}.password_file`, message }], warnings: [] }
}

/** A warning where others than owner and group can read or write a file that holds a secret. */
function warnIfExposed(path: string, file: string): ConfigProblem[] {
  const mode = statSync(file).mode & 0o777
  if ((mode & 0o006) === 0) return []
  const message = `holds a secret and everybody on this machine can read it (mode ${mode.toString(8)}): chmod o= it`
  return [{ path, value: file, message }]
}

function readSecretFile(path: string, file: string): SecretReading {
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    const reading = check(text, {
      path,
      value: file,
      message: 'is empty: write the password in it',
    })
    return { ...reading, warnings: warnIfExposed(path, file) }
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? String(error)
    const message = `cannot be read (${cause}): make it readable to the user that runs hintbridge`
    return { problems: [{ path, value: file, message }], warnings: [] }
  }
}

/** A password is one line: Asterisk's configuration and SASLprep (RFC 4013) both refuse control characters. */
function check(text: string, empty: ConfigProblem): SecretReading {
  if (text === '') return { problems: [empty], warnings: [] }
  if (/\p{Cc}/u.test(text)) {
    const { path, value } = empty
    const message = 'must hold the password alone, in one line without control characters'
    return { problems: [{ path, ...(value !== undefined && { value }), message }], warnings: [] }
  }
  return { secret: new Secret(text), problems: [], warnings: [] }
}
