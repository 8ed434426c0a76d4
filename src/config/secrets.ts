import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { readPlainFile, reasonUnread } from '../plain-file.js'
import type { ConfigProblem } from './config.js'
import { Secret } from './secret.js'
import { at, textAt } from './tree.js'

/** The settings that hold a password, and the environment variables that take precedence over the file. */
export const passwordVariables = {
  'xmpp.password': 'HINTBRIDGE_XMPP_PASSWORD',
  'asterisk.sip.password': 'HINTBRIDGE_SIP_PASSWORD',
  'asterisk.sip.asterisk_password': 'HINTBRIDGE_SIP_ASTERISK_PASSWORD',
  'http.password': 'HINTBRIDGE_HTTP_PASSWORD',
} as const

export type PasswordSetting = keyof typeof passwordVariables

/** Every setting that holds a password; `_file` after it is the setting that names a file. */
export const passwordSettings = Object.keys(passwordVariables) as PasswordSetting[]

/** Nothing is said of these where they are missing. */
const optional: ReadonlySet<PasswordSetting> = new Set([
  'asterisk.sip.asterisk_password',
  'http.password',
])

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
 * Reads one password: from the environment, else from the file that the setting with `_file` names (relative to the
 * configuration's folder), else from the setting itself. A file that others can read is warned about.
 */
export function readSecret(
  tree: unknown,
  setting: PasswordSetting,
  { folder, file: configFile, environment }: SecretSources,
): SecretReading {
  const variable = passwordVariables[setting]
  const inEnvironment = environment[variable]
  if (inEnvironment !== undefined) {
    return check(inEnvironment, { path: variable, message: 'is empty: unset it or fill it' })
  }
  const fileSetting = `${setting}_file`
  const file = textAt(tree, fileSetting)
  const hasPassword = at(tree, setting) !== undefined
  if (file !== undefined && hasPassword) {
    const message = `stands beside ${fileSetting.split('.').at(-1)}: keep one of them`
    return { problems: [{ path: setting, message }], warnings: [] }
  }
  if (file !== undefined && file !== '') {
    return readSecretFile(fileSetting, resolve(folder, file))
  }
  if (hasPassword) {
    const clear = textAt(tree, setting)
    if (clear === undefined) return { problems: [], warnings: [] } // of a wrong type: the schema says so
    const reading = check(clear, { path: setting, message: 'is empty' })
    return configFile === undefined
      ? reading
      : { ...reading, warnings: warnIfExposed(setting, configFile) }
  }
  const isWrongType = at(tree, fileSetting) !== undefined
  if (isWrongType || optional.has(setting)) return { problems: [], warnings: [] }
  const message = `is required: name the file that holds it, or write ${setting}, or set ${variable}`
  return { problems: [{ path: fileSetting, message }], warnings: [] }
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
    const text = readPlainFile(file).replace(/\r?\n$/, '')
    const reading = check(text, {
      path,
      value: file,
      message: 'is empty: write the password in it',
    })
    return { ...reading, warnings: warnIfExposed(path, file) }
  } catch (error) {
    const cause = reasonUnread(error)
    const message = `cannot be read (${cause}): make it readable to the user that runs hintbridge`
    return { problems: [{ path, ...shownPath(file), message }], warnings: [] }
  }
}

/**
 * The value of a problem that is the path of a file, where there is one: a password that was written in place of its path is not
 * shown.
 */
function shownPath(file: string): Pick<ConfigProblem, 'value'> {
  const isThere = (path: string): boolean => {
    try {
      return statSync(path, { throwIfNoEntry: false }) !== undefined
    } catch {
      return false
    }
  }
  return isThere(file) ? { value: file } : {}
}

/** A password is one line: Asterisk's configuration and SASLprep (RFC 4013) both refuse control characters. */
function check(text: string, empty: ConfigProblem): SecretReading {
  if (text === '') return { problems: [empty], warnings: [] }
  const isUtf8 = !text.includes('\ufffd')
  if (!isUtf8 || /\p{Cc}/u.test(text)) {
    const { path, value } = empty
    const message = isUtf8
      ? 'must hold the password alone, in one line without control characters'
      : 'is no UTF-8 text: save it as such'
    return { problems: [{ path, ...(value !== undefined && { value }), message }], warnings: [] }
  }
  return { secret: new Secret(text), problems: [], warnings: [] }
}
