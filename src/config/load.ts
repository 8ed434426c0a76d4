import { dirname, isAbsolute, resolve } from 'node:path'
import { buildConfig } from './build.js'
import { checkAcrossKeys } from './checks.js'
import { type Config, ConfigError, type ConfigProblem } from './config.js'
import { problemsOf } from './issues.js'
import { settingsSchema } from './schema.js'
import { readSecret, type SecretReading } from './secrets.js'
import { readPlainFile, reasonUnread } from '../plain-file.js'
import { at } from './tree.js'
import { readYaml, type YamlFile } from './yaml.js'

/** Some times what `readYaml` takes, which says so better. */
const mostOctets = 8_388_608

export interface LoadedConfig {
  readonly config: Config
  /** What works but should not stay so. */
  readonly warnings: readonly ConfigProblem[]
}

export interface ParseOptions {
  /** For messages. */
  readonly source?: string
  /** What relative paths in the file are relative to. */
  readonly folder?: string
  /** The file that holds the text, to warn where it holds a password that others can read. */
  readonly file?: string
  readonly environment?: NodeJS.ProcessEnv
}

/** Reads a configuration file and all that it refers to; throws ConfigError with every problem at once. */
export function loadConfig(
  file: string,
  environment: NodeJS.ProcessEnv = process.env,
): LoadedConfig {
  const path = resolve(file)
  let text: string
  try {
    text = readPlainFile(path, mostOctets)
  } catch (error) {
    const cause = reasonUnread(error)
    throw new ConfigError(path, [
      { path: '', message: `cannot be read (${cause})${advise(cause)}` },
    ])
  }
  return parseConfig(text, { source: path, folder: dirname(path), file: path, environment })
}

/** What to do about a file that cannot be read, where that is known. */
function advise(cause: string): string {
  if (cause === 'ENOENT') return ": 'hintbridge init' writes one"
  const isBarred = cause === 'EACCES' || cause === 'EPERM'
  return isBarred
    ? ": run this as root, or as the service's user (runuser -u hintbridge -- hintbridge …), who must be able to read it"
    : ''
}

/** Checks the text of a configuration; throws ConfigError with every problem at once, each with its path and line. */
export function parseConfig(text: string, options: ParseOptions = {}): LoadedConfig {
  const {
    source = 'configuration',
    folder = process.cwd(),
    environment = process.env,
    file,
  } = options
  const read = readYaml(text)
  if (!('tree' in read)) throw new ConfigError(source, read)
  const { tree, lineOf } = read

  const checked = settingsSchema.safeParse(tree)
  const sources = { folder, environment, ...(file !== undefined && { file }) }
  const xmppPassword = readSecret(tree, 'xmpp.password', sources)
  const sipPassword = readSecret(tree, 'asterisk.sip.password', sources)
  const asteriskPassword = readSecret(tree, 'asterisk.sip.asterisk_password', sources)
  const httpPassword = readSecret(tree, 'http.password', sources)
  const secrets = [xmppPassword, sipPassword, asteriskPassword, httpPassword]
  const hasHttpPassword = httpPassword.secret !== undefined || httpPassword.problems.length > 0
  const ca = readAuthority(tree, folder)
  const problems = [
    ...(checked.error?.issues.flatMap((issue) => problemsOf(issue, tree, lineOf)) ?? []),
    ...secrets.flatMap((secret) => secret.problems),
    ...refuseSameSecret(sipPassword, asteriskPassword),
    ...ca.problems,
    ...checkAcrossKeys(tree, hasHttpPassword),
  ].map((problem) => ({ ...withLine(lineOf, problem.path), ...problem }))
  if (
    problems.length > 0 ||
    !checked.success ||
    xmppPassword.secret === undefined ||
    sipPassword.secret === undefined
  ) {
    throw new ConfigError(
      source,
      problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    )
  }
  const { config, warnings } = buildConfig(checked.data, folder, {
    xmppPassword: xmppPassword.secret,
    sipPassword: sipPassword.secret,
    ...(asteriskPassword.secret !== undefined && { asteriskPassword: asteriskPassword.secret }),
    ...(httpPassword.secret !== undefined && { httpPassword: httpPassword.secret }),
    ...(ca.pem !== undefined && { ca: ca.pem }),
  })
  return { config, warnings: [...secrets.flatMap((secret) => secret.warnings), ...warnings] }
}

/** A secret that serves both directions can be reflected: what one side answers opens the other. */
function refuseSameSecret(
  { secret: own }: SecretReading,
  { secret }: SecretReading,
): ConfigProblem[] {
  if (own === undefined || secret === undefined || !own.equals(secret)) return []
  const message = 'is the same as asterisk.sip.password: give each direction a secret of its own'
  return [{ path: 'asterisk.sip.asterisk_password', message }]
}

function withLine(lineOf: YamlFile['lineOf'], path: string): Pick<ConfigProblem, 'line'> {
  const line = lineOf(path.split(/[.[\]]+/).filter(Boolean))
  return line === undefined ? {} : { line }
}

function readAuthority(
  tree: unknown,
  folder: string,
): { readonly pem?: string; readonly problems: readonly ConfigProblem[] } {
  const path = 'xmpp.tls.ca'
  const value = at(tree, path)
  if (typeof value !== 'string' || value === '') return { problems: [] }
  const file = resolve(folder, value)
  try {
    const pem = readPlainFile(file)
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return { pem, problems: [] }
    const message = 'holds no certificate: it must be a PEM file'
    return { problems: [{ path, value: file, message }] }
  } catch (error) {
    const cause = reasonUnread(error)
    return {
      problems: [
        { path, ...(isAbsolute(value) && { value: file }), message: `cannot be read (${cause})` },
      ],
    }
  }
}
