/** What the fuzz tests share: a corpus of files, and mutations of them that shrink. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { expect } from 'vitest'

/** No input may take longer, ms; what hangs or is worse than linear takes much longer, a loaded machine does not. */
const boundMs = 1_000

/** Some ten times what a property needs on a quiet machine, ms. */
export const timeoutMs = 60_000

/** The files of a folder of the corpus, by name. */
export function corpus(
  folder: 'sip' | 'stream' | 'xml',
): readonly { name: string; text: string }[] {
  const path = join(import.meta.dirname, 'corpus', folder)
  return readdirSync(path)
    .sort()
    .map((name) => ({ name, text: readFileSync(join(path, name), 'utf8') }))
}

/** Puts values into the places of a template, such as `{EID}`. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{([A-Z]+)\}/g, (place, name: string) => values[name] ?? place)
}

/** Runs it and fails where it takes too long. */
export function timed<Value>(act: () => Value): Value {
  const begin = performance.now()
  const value = act()
  expect(performance.now() - begin).toBeLessThan(boundMs)
  return value
}

/** One change of a text: what to do, where (a share of its length), how much, and with what. */
export interface Mutation {
  readonly act: 'insert' | 'delete' | 'repeat' | 'replace' | 'swap' | 'truncate' | 'replaceNumber'
  readonly at: number
  readonly span: number
  readonly token: string
}

/** Words that parsers stumble over, beside those of the grammar itself. */
const commonTokens = [
  ...[
    '',
    ' ',
    '\t',
    '\r\n',
    '\r\n\r\n',
    '\n',
    '\0',
    '\u0085',
    '\u2028',
    '\ufeff',
    '\ud800',
    '\uffff',
  ],
  ...[
    '0',
    '-1',
    '1e9',
    '2147483647',
    '2147483648',
    '9007199254740992',
    '99999999999999999999',
    'NaN',
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'null',
    'true',
    '[]',
    '{}',
    '"',
    "'",
    '\\',
    '%00',
    '/',
  ],
  ...['00:00:00:00:00:00', '02:00:00:00:00:03', '2:0:0:0:0:2', '02:00:00:00:00:0G', 'é😀'],
  'A'.repeat(300),
  'a'.repeat(20_000),
]

export function mutations(tokens: readonly string[]): fc.Arbitrary<Mutation[]> {
  const mutation = fc.record({
    act: fc.constantFrom<Mutation['act']>(
      ...(['insert', 'delete', 'repeat', 'replace', 'swap', 'truncate', 'replaceNumber'] as const),
    ),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    span: fc.oneof(fc.nat(4), fc.nat(60)),
    token: fc.oneof(
      fc.constantFrom(...tokens, ...commonTokens),
      fc.string({ unit: 'binary', maxLength: 12 }),
    ),
  })
  return fc.array(mutation, { minLength: 1, maxLength: 4 })
}

export function mutate(text: string, changes: readonly Mutation[]): string {
  return changes.reduce(mutateOnce, text)
}

function mutateOnce(text: string, { act, at, span, token }: Mutation): string {
  const start = Math.floor(at * text.length)
  const [head, part, tail] = [
    text.slice(0, start),
    text.slice(start, start + span),
    text.slice(start + span),
  ]
  switch (act) {
    case 'insert':
      return head + token + part + tail
    case 'delete':
      return head + tail
    case 'repeat':
      return head + part.repeat(50) + tail
    case 'replace':
      return head + token + tail
    case 'swap':
      return head + tail.slice(0, span) + part + tail.slice(span)
    case 'truncate':
      return head
    case 'replaceNumber':
      return head + (part + tail).replace(/\d+/, () => token)
  }
}
