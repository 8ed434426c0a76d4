/**
 * The regular expressions of the share filters, in time that is linear in the name: peers and callers choose the names, and
 * JavaScript's own engine goes back and forth for minutes over some. A pattern is JavaScript's with the flag `u` (ECMA-262), and
 * means here what it means there; what an automaton cannot do is refused.
 */
import { createRequire } from 'node:module'

/** A pattern that cannot be used; the message says why and what to do, and begins with a verb. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

/** Makes the test of names of a pattern; throws PatternError. */
export function compileRegex(pattern: string): (name: string) => boolean {
  try {
    new RegExp(pattern, 'u')
  } catch (error) {
    throw new PatternError('must be a regular expression that compiles (JavaScript, unicode)', {
      cause: error,
    })
  }
  return testOfPlain(pattern) ?? testOfAutomaton(toRe2(pattern))
}

/** Text that stands for itself, with the ends that it may be bound to: `^Queue:`, `@sales$`, `.*`. */
const plain = /^(\^|\.\*|)((?:[^\\^$.*+?()[\]{}|]|\\[\\^$.*+?()[\]{}|/])*)(\$|\.\*|)$/u

/** The test of a pattern that needs no engine, as nearly all do. */
function testOfPlain(pattern: string): ((name: string) => boolean) | undefined {
  const [, start, escaped = '', end] = plain.exec(pattern) ?? [undefined]
  if (start === undefined) return undefined
  const text = escaped.replace(/\\(.)/gu, '$1')
  if (start === '^' && end === '$') return (name) => name === text
  if (text === '' && start !== '^' && end !== '$') return () => true
  if (start === '^') return (name) => name.startsWith(text)
  if (end === '$') return (name) => name.endsWith(text)
  return (name) => name.includes(text)
}

/** RE2's automata in JavaScript. Loaded by whom a pattern needs it: it takes 50 ms and 2 MB. */
const loadRe2 = (): typeof import('re2js') =>
  createRequire(import.meta.url)('re2js') as typeof import('re2js')

function testOfAutomaton(pattern: string): (name: string) => boolean {
  const { RE2JS } = loadRe2()
  try {
    const compiled = RE2JS.compile(pattern)
    return remembering((name) => compiled.test(name))
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('`')[0] : String(error)
    throw new PatternError(
      `is a regular expression that RE2 does not take (${reason ?? ''}): write it without repeats of more than ` +
        '1000 in all, and Unicode properties by their short names (\\p{L})',
      { cause: error },
    )
  }
}

/** So many names are remembered of each pattern: the same are asked for at every change. */
const mostRemembered = 10_000

/** An automaton in JavaScript takes up to a microsecond for a name, ten times what it takes to look the answer up. */
function remembering(test: (name: string) => boolean): (name: string) => boolean {
  const known = new Map<string, boolean>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    if (known.size >= mostRemembered) known.clear()
    const answer = test(name)
    known.set(name, answer)
    return answer
  }
}

/** An escape. */
const escapes = String.raw`\\(?:u\{[\da-f]+\}|u[\da-f]{4}(?:\\u[\da-f]{4})?|x[\da-f]{2}|c[a-z]|k<[^>]+>|p\{[^}]+\}|[1-9]\d*|.)`
/** One token of a pattern that compiles: an escape, a class, the start of a group, a character. */
const tokens = new RegExp(
  String.raw`${escapes}|\[(?:\\.|[^\]\\])*\]|\((?:\?(?:[a-z-]*:|<?[=!]|<[^>]+>))?|.`,
  'gisu',
)
const tokensOfClass = new RegExp(`${escapes}|.`, 'gisu')

/** White space and line ends as ECMA-262 has them (`\s`), and all else, as ranges of a class. */
const space =
  '\\t-\\r \\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}\\x{FEFF}'
const noSpace =
  '\\x00-\\x08\\x0E-\\x1F!-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}\\x{202A}-\\x{202E}' +
  '\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{FEFE}\\x{FF00}-\\x{10FFFF}'

/** Writes a pattern of JavaScript, which compiles, in the syntax of RE2; throws PatternError for what RE2 does not have. */
function toRe2(pattern: string): string {
  return pattern.replaceAll(tokens, (token) => {
    if (token === '.') return '[^\\n\\r\\x{2028}\\x{2029}]'
    if (token.startsWith('[')) return toRe2Class(token)
    if (token.startsWith('(')) return toRe2Group(token)
    if (token === '\\s') return `[${space}]`
    if (token === '\\S') return `[${noSpace}]`
    return toRe2Escape(token)
  })
}

/** Nothing is captured, so that a name of a group has no use. */
function toRe2Group(token: string): string {
  if (!/^\(\?<?[=!]$/.test(token)) return token.endsWith(':') ? token : '(?:'
  throw new PatternError(
    `looks ahead or behind with '${token}', which no automaton can: write what shall not match under exclude`,
  )
}

/** In JavaScript a bracket in a class is a character; in RE2 it may begin a POSIX class. */
function toRe2Class(token: string): string {
  if (token === '[^]') return '(?s:.)'
  if (token === '[]') throw new PatternError('holds [], which matches nothing: leave it out')
  const start = token.startsWith('[^') ? 2 : 1
  const inner = token.slice(start, -1).replaceAll(tokensOfClass, (part) => {
    if (part === '[') return '\\['
    if (part === '\\b') return '\\x08'
    if (part === '\\s') return space
    if (part === '\\S') return noSpace
    return toRe2Escape(part)
  })
  return `${token.slice(0, start)}${inner}]`
}

/** An escape that RE2 spells otherwise; other tokens as they are. */
function toRe2Escape(token: string): string {
  if (/^\\[1-9k]/.test(token)) {
    throw new PatternError(
      `refers back with '${token}', which no automaton can: write the alternatives out`,
    )
  }
  const [, hex = ''] = /^\\u\{?([\da-f]+)\}?$/i.exec(token) ?? []
  if (hex !== '') return `\\x{${hex}}`
  if (token.startsWith('\\u')) return JSON.parse(`"${token}"`) as string
  if (token === '\\0') return '\\x00'
  if (/^\\c[a-z]$/i.test(token)) return `\\x{${(token.charCodeAt(2) % 32).toString(16)}}`
  return token
}
