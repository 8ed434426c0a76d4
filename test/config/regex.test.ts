import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileRegex, PatternError } from '../../src/config/regex.js'
import { onSeed } from '../search/seed.js'
import { costGrowth, type TextOf } from './linear.js'

describe('a pattern of a share filter', () => {
  it.each([
    ['.*', ['', 'a', 'PJSIP/1'], []],
    ['^Queue:', ['Queue:a'], ['queue:a', 'aQueue:']],
    ['^Local/', ['Local/1@a'], ['Locals', 'SIP/Local/']],
    ['@sales$', ['1@sales'], ['1@salesmen']],
    ['^PJSIP/100$', ['PJSIP/100'], ['PJSIP/1000', 'aPJSIP/100']],
    ['-trunk', ['SIP/a-trunk-b'], ['trunk']],
    ['^PJSIP/.*', ['PJSIP/1'], ['SIP/1']],
    ['.*@sales', ['1@salesmen'], ['sales']],
    ['^SIP/a\\.b', ['SIP/a.b'], ['SIP/aXb']],
    ['^', ['', 'a'], []],
    ['^$', [''], ['a']],
    ['^PJSIP/[0-9]{3,4}$', ['PJSIP/100', 'PJSIP/1000'], ['PJSIP/10', 'PJSIP/10000']],
    ['^(PJSIP|SIP)/1', ['SIP/1', 'PJSIP/12'], ['IAX2/1']],
    ['^(?<technology>PJSIP)/', ['PJSIP/1'], ['SIP/1']],
    ['[[:alpha:]$', ['[', 'a:'], ['b', 'z']],
    ['^a\\sb$', ['a b', 'a\u00a0b', 'a\u3000b'], ['a\u0085b', 'axb']],
    ['^[^\\S-]$', [' '], ['-', 'a']],
    ['^\\u{1F600}\\u0061$', ['😀a'], ['a']],
  ])('%s means what it means in JavaScript', (pattern, matched, others) => {
    const test = compileRegex(pattern)
    const native = new RegExp(pattern, 'u')
    const names = [...matched, ...others]
    expect(names.filter(test)).toEqual(matched)
    expect(names.filter((name) => native.test(name))).toEqual(matched)
  })

  it('means what it means in JavaScript, whatever it is made of', () => {
    const atom = fc.constantFrom(
      ...['a', 'b', '1', '2', '/', ':', '@', '-', ' ', 'é', '😀', '.', '^', '$', '[^]'],
      ...[
        '\\d',
        '\\w',
        '\\s',
        '\\D',
        '\\W',
        '\\S',
        '\\b',
        '\\B',
        '\\.',
        '\\/',
        '\\*',
        '\\\\',
        '\\[',
      ],
      ...[
        '\\u0061',
        '\\u{1F600}',
        '\\uD83D\\uDE00',
        '\\x61',
        '\\cA',
        '\\0',
        '\\t',
        '\\v',
        '\\p{L}',
      ],
    )
    const inClass = fc.constantFrom(
      ...[
        'a',
        '1',
        'a-c',
        '0-9',
        '[',
        ':',
        '^',
        '[:alpha:',
        '.',
        '(',
        '(?=',
        '(?<',
        '>',
        '$',
        '|',
        '-',
      ],
      ...[
        '\\]',
        '\\-',
        '\\^',
        '\\b',
        '\\s',
        '\\S',
        '\\w',
        '\\W',
        '\\d',
        '\\D',
        '\\u0061',
        '\\\\',
        '&&',
      ],
    )
    const several = fc.array(inClass, { minLength: 1, maxLength: 4 })
    const ofClass = fc
      .tuple(fc.constantFrom('[', '[^'), several)
      .map(([start, parts]) => `${start}${parts.join('')}]`)
    const repeat = fc.constantFrom('*', '+', '?', '{2}', '{0,2}', '{1,}', '*?')
    const { pattern } = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { depthSize: 'small' },
        { arbitrary: atom, weight: 2 },
        ofClass,
        fc.tuple(atom, repeat).map((parts) => parts.join('')),
        fc.array(tie('pattern'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
        fc.tuple(tie('pattern'), tie('pattern')).map(([a, b]) => `(${a}|${b})`),
        fc.tuple(tie('pattern'), repeat).map(([inner, times]) => `(?:${inner})${times}`),
      ),
    }))
    // None outside the basic plane: V8 takes \B for true in the middle of such a character.
    const letter = fc.constantFrom(
      ...[
        'a',
        'b',
        'c',
        '1',
        '2',
        '/',
        ':',
        '@',
        '-',
        ' ',
        'é',
        '.',
        '*',
        '[',
        ']',
        '^',
        '\\',
        '$',
      ],
      ...['(', '?', '=', '|', '&', '>', '\u00a0', '\u3000', '\u0001', 'A', 'h'],
    )
    const name = fc.array(letter, { maxLength: 8 }).map((letters) => letters.join(''))
    const names = fc.array(name, { minLength: 8, maxLength: 20 })
    fc.assert(
      fc.property(pattern.filter(compiles), names, (text, given) => {
        const native = new RegExp(text, 'u')
        expect(given.filter(compileRegex(text))).toEqual(given.filter((each) => native.test(each)))
      }),
      onSeed(300),
    )
  })

  it.each([
    ['(', /^must be a regular expression that compiles/],
    ['a{2,1}', /^must be a regular expression that compiles/],
    [
      '^(?!PJSIP/9)',
      /^looks ahead or behind with '\(\?!'.*write what shall not match under exclude$/,
    ],
    ['1(?=0)', /^looks ahead or behind with '\(\?='/],
    ['(?<!a)b', /^looks ahead or behind with '\(\?<!'/],
    ['(?<=a)b', /^looks ahead or behind with '\(\?<='/],
    ['^(.)\\1$', /^refers back with '\\1'.*write the alternatives out$/],
    ['(?<a>.)\\k<a>', /^refers back with '\\k<a>'/],
    ['a[]', /^holds \[\]/],
    ['(a{100}){100}', /^is a regular expression that RE2 does not take \(.*invalid repeat count/],
    ['\\p{Script=Greek}', /^is a regular expression that RE2 does not take .*short names/],
  ])('%s is refused with the reason', (pattern, message) => {
    expect(() => compileRegex(pattern)).toThrow(PatternError)
    expect(() => compileRegex(pattern)).toThrow(message)
  })

  const digits: TextOf = (length, salt) => `PJSIP/${'1'.repeat(length)}x${salt}`
  const letters: TextOf = (length, salt) => `${'a'.repeat(length)}!${salt}`
  it.each<[string, TextOf]>([
    ['^PJSIP/([0-9]+)+$', digits],
    ['^PJSIP/([0-9]|[0-9][0-9])*$', digits],
    ['^(\\w+\\w*)+-$', letters],
    ['(a|a)*$', letters],
    ['(a|aa)+b', letters],
    ['^(a?a?a?a?)*b$', letters],
    ['a*a*a*a*b', letters],
    ['.*.*.*=.*x', letters],
    ['(.*)*b', letters],
  ])('%s takes time that is linear in the name', (pattern, text) => {
    const lengths = [6, 8, 10, 12, 14, 16, 20, 24, 64, 255, 1_024, 8_192]
    expect(costGrowth(compileRegex(pattern), text, lengths)).toBeLessThan(20)
  })
})

function compiles(text: string): boolean {
  try {
    new RegExp(text, 'u')
    return true
  } catch {
    return false
  }
}
