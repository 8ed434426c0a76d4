import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { buildConfig } from './build.js'
import { checkAcrossKeys } from './checks.js'
import { type Config, ConfigError, type ConfigProblem } from './config.js'
import { settingsSchema } from './schema.js'
import { readSecret, type SecretReading } from './secrets.js'
import { suggest } from './suggest.js'
import { at } from './tree.js'

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
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? String(error)
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
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  if (document.errors.length > 0) throw new ConfigError(source, document.errors.map(syntaxProblem))
  const tree: unknown = document.toJS() ?? {}

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
    ...(checked.error?.issues.flatMap((issue) => schemaProblems(issue, tree)) ?? []),
    ...secrets.flatMap((secret) => secret.problems),
    ...refuseSameSecret(sipPassword, asteriskPassword),
    ...ca.problems,
    ...checkAcrossKeys(tree, hasHttpPassword),
  ].map((problem) => withLine(problem, document, lines))
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

function syntaxProblem(error: {
  readonly message: string
  readonly linePos?: readonly [{ readonly line: number }, ...unknown[]]
}): ConfigProblem {
  const line = error.linePos?.[0].line
  const [message = ''] = error.message.split('\n')
  return { path: '', ...(line !== undefined && { line }), message: `is not YAML: ${message}` }
}

/** One problem for each unknown key, one for any other issue. */
function schemaProblems(issue: z.core.$ZodIssue, tree: unknown): ConfigProblem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: spell([...path, key]),
      message: suggest(key, issue.message),
    }))
  }
  // One value may stand for a list of one: its path is then the key's.
  if (path.at(-1) === '0' && typeof at(tree, path.slice(0, -1).join('.')) === 'string') path.pop()
  const value = at(tree, path.join('.'))
  const isPrintable = ['string', 'number', 'boolean'].includes(typeof value)
  const mayPrint = isPrintable && path.at(-1)?.endsWith('password') !== true
  return [{ path: spell(path), ...(mayPrint && { value: String(value) }), message: issue.message }]
}

/** `share.device_state.include[1]` */
function spell(path: readonly string[]): string {
  return path
    .map((key, depth) => (/^\d+$/.test(key) ? `[${key}]` : `${depth > 0 ? '.' : ''}${key}`))
    .join('')
}

/** Adds the line of the key, or of the innermost section that is there. */
function withLine(problem: ConfigProblem, document: Document, lines: LineCounter): ConfigProblem {
  const path = problem.path
    .split(/[.[\]]+/)
    .filter(Boolean)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  for (; path.length > 0; path.pop()) {
    const node: unknown = document.getIn(path, true)
    if (!isNode(node) || !node.range) continue
    return { ...problem, line: lines.linePos(node.range[0]).line }
  }
  return problem
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
    const pem = readFileSync(file, 'utf8')
    if (pem.includes('-----BEGIN CERTIFICATE-----')) return { pem, problems: [] }
    const message = 'holds no certificate: it must be a PEM file'
    return { problems: [{ path, value: file, message }] }
  } catch (error) {
    const cause = (error as NodeJS.ErrnoException).code ?? String(error)
    return { problems: [{ path, value: file, message: `cannot be read (${cause})` }] }
  }
}
