/**
 * The regular expressions of the share filters, in time that is linear in the name: peers and callers choose the names, and
 * JavaScript's own engine takes minutes for some. The syntax is RE2's (https://github.com/google/re2/wiki/Syntax). It agrees with
 * JavaScript's in all that names need, and an automaton refuses what it cannot do.
 */
import { createRequire } from 'node:module'

/** A pattern that cannot be used; the message says why and what to do, and begins with a verb. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

/** Makes the test of names of a pattern; throws PatternError. */
export function compileRegex(pattern: string): (name: string) => boolean {
  return testOfPlain(pattern) ?? testOfAutomaton(pattern)
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
    const reason = error instanceof Error ? error.message : String(error)
    throw new PatternError(
      `must be a regular expression that RE2 takes (${reason}): it knows no (?=…), (?!…), (?<=…), (?<!…) and no \\1; write ` +
        'the alternatives out, and under exclude what shall not match',
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
