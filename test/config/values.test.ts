import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../../src/config/duration.js'
import { formatHostPort, isLoopback, parseHostPort } from '../../src/config/host-port.js'
import { compileTrust, proposeTrust } from '../../src/config/jid.js'
import { costGrowth } from './linear.js'

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['1h', 3_600_000],
    ['0s', 0],
    ['10', undefined],
    ['10 s', undefined],
    ['-1s', undefined],
    ['1d', undefined],
    ['', undefined],
    ['999999h', undefined],
  ])('%s is %s ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([
    [500, '500ms'],
    [90_000, '90s'],
    [60_000, '1m'],
    [0, '0s'],
  ])('of %i ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('an address', () => {
  it.each([
    ['127.0.0.1:5060', '127.0.0.1', 5060],
    ['[::1]:5060', '::1', 5060],
    ['pbx.example.org:0', 'pbx.example.org', 0],
    ['localhost:65535', 'localhost', 65_535],
  ])('%s is read and written back', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port })
    expect(formatHostPort({ host, port })).toBe(text)
  })

  it.each([
    '127.0.0.1',
    '::1:5060',
    '[::1]',
    '[127.0.0.1]:1',
    'a:65536',
    '256.0.0.1:1',
    'a b:1',
    ':1',
    'a@b:1',
  ])('%s is none', (text) => {
    expect(parseHostPort(text)).toBeUndefined()
  })

  it.each([
    ['127.255.0.1', true],
    ['::1', true],
    ['LOCALHOST', true],
    ['0.0.0.0', false],
    ['::', false],
    ['128.0.0.1', false],
    ['localhost.example.org', false],
  ])('%s is on loopback: %s', (host, expected) => {
    expect(isLoopback(host)).toBe(expected)
  })
})

describe('trust', () => {
  it.each([
    ['pbx-*@example.org', 'pbx-a@example.org', true],
    ['pbx-*@example.org', 'pbx-@example.org', true],
    ['pbx-*@example.org', 'pbx-a@evil.org', false],
    ['pbx-*@example.org', 'pbx-a@evil.org/@example.org', false],
    ['pbx-*@example.org', 'pbx-a@b@example.org', false],
    ['pbx-*@example.org', 'xpbx-a@example.org', false],
    ['pbx-*@example.org', 'pbx-a@example.org.evil', false],
    ['pbx-*@example.org', 'pbx-a@exampleXorg', false],
    ['pbx-*@example.org', 'pbx-a@example.org\n', false],
    ['*@pbx.*.org', 'a@pbx.b.org', true],
    ['PBX-A@Example.org', 'pbx-a@example.org', true],
    ['pbx-a@example.org', 'PBX-A@example.org', false],
    ['a+b$@example.org', 'a+b$@example.org', true],
  ])('of %s covers %j: %s', (glob, jid, expected) => {
    expect(compileTrust([glob])(jid)).toBe(expected)
  })

  it.each([
    [`*-*-*-*@example.org`, (length: number, salt: number) => `${'-'.repeat(length)}@e.org${salt}`],
    [`*-*-*-*-x@*`, (length: number, salt: number) => `${'-'.repeat(length)}@example.org${salt}`],
    [`pbx@*.*.*.*.org`, (length: number, salt: number) => `pbx@${'.'.repeat(length)}${salt}`],
  ])('%s takes time that is linear in the JID, which a stranger chooses', (glob, jid) => {
    const lengths = [8, 12, 16, 24, 32, 64, 128, 255, 1_023 - 12, 10_000]
    expect(costGrowth(compileTrust([glob]), jid, lengths)).toBeLessThan(20)
  })

  it('matches no JID with a part that is longer than one may be', () => {
    const isTrusted = compileTrust(['pbx-*@*'])
    expect(isTrusted(`pbx-${'a'.repeat(1_019)}@example.org`)).toBe(true)
    expect(isTrusted(`pbx-${'a'.repeat(1_020)}@example.org`)).toBe(false)
    expect(isTrusted(`pbx-a@${'a'.repeat(1_024)}`)).toBe(false)
  })

  it.each([
    ['pbx-a@example.org', 'pbx-*@example.org'],
    ['pbx12@example.org', 'pbx*@example.org'],
    ['site.pbx.a@example.org', 'site.pbx.*@example.org'],
    ['alpha@example.org', 'alpha@example.org'],
    ['12@example.org', '12@example.org'],
  ])('proposed for %s is %s', (jid, glob) => {
    expect(proposeTrust(jid)).toBe(glob)
    expect(compileTrust([glob])(jid)).toBe(true)
  })
})
