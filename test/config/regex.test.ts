import { describe, expect, it } from 'vitest'
import { compileRegex, PatternError } from '../../src/config/regex.js'
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
    ['^a\\sb$', ['a b'], ['axb']],
    ['^[^\\S-]$', [' '], ['-', 'a']],
    ['^\\p{L}+$', ['é'], ['1']],
    ['^[\\w./-]+$', ['a-b/c.d'], ['a b']],
  ])('%s means what it means in JavaScript', (pattern, matched, others) => {
    const test = compileRegex(pattern)
    const native = new RegExp(pattern, 'u')
    const names = [...matched, ...others]
    expect(names.filter(test)).toEqual(matched)
    expect(names.filter((name) => native.test(name))).toEqual(matched)
  })

  it.each([
    ['(', 'missing closing )'],
    ['a{2,1}', 'invalid repeat count'],
    ['^(?!PJSIP/9)', '(?!'],
    ['1(?=0)', '(?='],
    ['(?<!a)b', '(?<!'],
    ['(?<=a)b', '(?<='],
    ['^(.)\\1$', '\\1'],
    ['(?<a>.)\\k<a>', '\\k'],
    ['\\u0061', '\\u'],
    ['a[]', 'missing closing ]'],
    ['(a{100}){100}', 'invalid repeat count'],
  ])('%s is refused with the reason', (pattern, reason) => {
    expect(() => compileRegex(pattern)).toThrow(PatternError)
    expect(() => compileRegex(pattern)).toThrow(`RE2 takes (error parsing regexp: `)
    expect(() => compileRegex(pattern)).toThrow(reason)
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
