/** What the schema objects to, as problems that show no secret. */
import type { z } from 'zod'
import type { ConfigProblem } from './config.js'
import { passwordSettings } from './secrets.js'
import { closest, suggest } from './suggest.js'
import { at } from './tree.js'

/** Settings whose value is a password, or may be one by mistake. */
const secretSettings: ReadonlySet<string> = new Set(
  passwordSettings.flatMap((setting) => [setting, `${setting}_file`]),
)
/** Sections in which a password may stand, or a piece of one that quotes would have held together. */
const secretSections: ReadonlySet<string> = new Set(passwordSettings.flatMap(sectionsOf))

/** Of `asterisk.sip.password`: `asterisk` and `asterisk.sip`. */
function sectionsOf(setting: string): string[] {
  const keys = setting.split('.').slice(0, -1)
  return keys.map((_, depth) => keys.slice(0, depth + 1).join('.'))
}

/** One problem for each unknown key, one for any other issue; `lineOf` gives the line of a path. */
export function problemsOf(
  issue: z.core.$ZodIssue,
  tree: unknown,
  lineOf: (path: readonly string[]) => number | undefined,
): ConfigProblem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...withLine(lineOf([...path, key])),
      ...unknownKey(path, key, issue.message),
    }))
  }
  // One value may stand for a list of one: its path is then the key's.
  if (path.at(-1) === '0' && typeof at(tree, path.slice(0, -1).join('.')) === 'string') path.pop()
  const value = at(tree, path.join('.'))
  const isSection = issue.code === 'invalid_type' && issue.expected === 'object'
  const isPrintable = ['string', 'number', 'boolean'].includes(typeof value)
  const mayPrint = isPrintable && !isSection && !secretSettings.has(path.join('.'))
  return [
    {
      path: spell(path),
      ...withLine(lineOf(path)),
      ...(mayPrint && { value: withoutUser(String(value)) }),
      message: issue.message,
    },
  ]
}

/** Before the `@` of a URI a password may stand. */
function withoutUser(value: string): string {
  return value.replace(/^(\w+:\/\/|[^:@]*:).*@/s, '$1…@')
}

function withLine(line: number | undefined): Pick<ConfigProblem, 'line'> {
  return line === undefined ? {} : { line }
}

/** `message` ends with the keys that are known there, after a colon. */
function unknownKey(
  section: readonly string[],
  key: string,
  message: string,
): Pick<ConfigProblem, 'path' | 'message'> {
  const advice = suggest(key, message)
  const isSafe = !secretSections.has(section.join('.')) && /^[\w.-]{1,64}$/.test(key)
  if (isSafe || closest(key, message) !== undefined)
    return { path: spell([...section, key]), message: advice }
  return {
    path: spell(section),
    message: `holds a key, not shown as it may be a secret, that ${advice}`,
  }
}

/** `share.device_state.include[1]` */
function spell(path: readonly string[]): string {
  return path
    .map((key, depth) => (/^\d+$/.test(key) ? `[${key}]` : `${depth > 0 ? '.' : ''}${key}`))
    .join('')
}
