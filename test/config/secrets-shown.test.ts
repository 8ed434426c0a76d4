/** No mistake in the configuration makes the program print a secret: to a terminal, a log, or a report of doctor. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigError } from '../../src/config/config.js'
import { loadConfig, parseConfig } from '../../src/config/load.js'
import { judgeBadConfiguration } from '../../src/doctor/checks/configuration.js'
import { put, scratchFolder } from './scratch.js'

const secret = 'hunter2'
const passwords = { HINTBRIDGE_XMPP_PASSWORD: 'a', HINTBRIDGE_SIP_PASSWORD: 'b' }
const trust = "trust: ['pbx-*@example.org']"
const service = "service: 'xmpp://127.0.0.1', jid: pbx-a@example.org"

/** A configuration with these lines in its section `xmpp`, which begin on line 5. */
const inXmpp = (...lines: readonly string[]): string =>
  [trust, 'xmpp:', "  service: 'xmpp://127.0.0.1'", '  jid: pbx-a@example.org', ...lines].join('\n')
const good = inXmpp()

/** All that may be printed of the problems, and their places. */
function complaint(text: string, environment: NodeJS.ProcessEnv = {}) {
  try {
    parseConfig(text, { environment, folder: scratchFolder() })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const findings = judgeBadConfiguration('a.yaml', error)
    const printed = [error.message, JSON.stringify([error.problems, findings]), inspect(error)]
    const places = error.problems.map(({ path, line }) => `${path}:${line ?? ''}`)
    return { printed: printed.join('\n'), places }
  }
  return { printed: '', places: [] }
}

describe('a secret is not shown where', () => {
  it.each([
    ['it stands in place of the section xmpp', `${trust}\nxmpp: ${secret}`, 'xmpp:2'],
    ['it stands in place of the section asterisk', `${good}\nasterisk: ${secret}`, 'asterisk:5'],
    [
      'it stands in place of its section',
      `${good}\nasterisk: { sip: ${secret} }`,
      'asterisk.sip:5',
    ],
    ['it stands in place of the section http', `${good}\nhttp: ${secret}`, 'http:5'],
    ['it stands in a list', inXmpp(`  password: [${secret}]`), 'xmpp.password:5'],
    ['it is a map', inXmpp(`  password: { ${secret}: x }`), 'xmpp.password:5'],
    ['a template was left in', inXmpp(`  password: {{ ${secret} }}`), 'xmpp.password:5'],
    ['its key is misspelt', inXmpp(`  pasword: ${secret}`), 'xmpp.pasword:5'],
    ['its key is another word', inXmpp(`  ${secret}: x`), 'xmpp:5'],
    ['a blank is missing', `${trust}\nxmpp: { ${service}, password:${secret} }`, 'xmpp:2'],
    ['a comma cuts it', `${trust}\nxmpp: { ${service}, password: a,${secret} }`, 'xmpp:2'],
    ['it is a key of its own', inXmpp(`  ? ${secret}`, '  : x'), 'xmpp:6'],
    [
      'it stands in place of its file',
      inXmpp(`  password_file: ${secret}`),
      'xmpp.password_file:5',
    ],
    ['it stands in place of the authority', inXmpp(`  tls: { ca: ${secret} }`), 'xmpp.tls.ca:5'],
    ['it is in a URI', good.replace('127.0.0.1', `u:${secret}@127.0.0.1`), 'xmpp.service:3'],
    ['it stands at a JID', good.replace('pbx-a@', `a:${secret}@`), 'xmpp.jid:4'],
    ['it begins with *', inXmpp(`  password: *${secret}`), ':5'],
    ['it begins with &', inXmpp(`  password: &${secret}`), 'xmpp.password:5'],
    ['it begins with !', inXmpp(`  password: !${secret}`), 'xmpp.password:5'],
    ['it begins with |', inXmpp(`  password: |${secret}`), ':5'],
    ['it begins with >', inXmpp(`  password: >${secret}`), ':5'],
    ['it begins with @', inXmpp(`  password: @${secret}`), ':5'],
    ['it begins with ]', inXmpp(`  password: ]${secret}`), ':5'],
    ['it begins with a quote', inXmpp(`  password: '${secret}`), ':5'],
    ['it holds a backslash', inXmpp(`  password: "${secret}\\q${secret}"`), ':5'],
    ['it holds a quote', inXmpp(`  password: "a"${secret}"`), ':5'],
    ['it holds a colon', inXmpp(`  password: a: ${secret}`), ':5'],
    ['it stands twice', inXmpp(`  password: ${secret}1`, `  password: ${secret}2`), ':6'],
    ['it is indented by a tab', inXmpp(`\tpassword: ${secret}`), ':5'],
    ['a second document holds it', `${good}\n---\n${secret}`, ':5'],
    ['it is all that the file holds', secret, ':'],
    ['the file is a key', `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END`, ':'],
    ['a line end is in it', inXmpp(`  password: "${secret}\\n${secret}"`), 'xmpp.password:5'],
  ])('%s', (_, text, place) => {
    const warned: string[] = []
    const listen = (warning: Error): void => void warned.push(warning.message)
    process.on('warning', listen)
    onTestFinished(() => void process.off('warning', listen))
    const { printed, places } = complaint(text)
    expect(places).toContain(place)
    expect(printed).not.toContain(secret)
    expect(warned).toEqual([])
  })

  it('it is a number', () => {
    const { printed, places } = complaint(
      `${inXmpp('  password: 4711')}\nhttp: { password_file: 4711 }`,
    )
    expect(places).toEqual([
      'asterisk.sip.password_file:',
      'xmpp.password:5',
      'http.password_file:6',
    ])
    expect(printed).not.toContain('4711')
  })

  it('it stands in the environment, and is none', () => {
    const environment = Object.fromEntries(
      Object.keys(passwords).map((name) => [name, `${secret}\n${secret}`]),
    )
    const { printed, places } = complaint(good, environment)
    expect(places).toEqual(Object.keys(passwords).map((name) => `${name}:`))
    expect(printed).not.toContain(secret)
  })
})

describe('what is shown of the configuration', () => {
  it('is a misspelt key, where it is close to one that is known', () => {
    expect(complaint(inXmpp('  pasword: x')).printed).toContain("did you mean 'password'?")
  })

  it('is the path of a file that is there', () => {
    const file = put(scratchFolder(), 'xmpp.secret', '')
    expect(complaint(inXmpp(`  password_file: ${file}`)).printed).toContain(`'${file}': is empty`)
  })

  it('has no control characters, which a terminal obeys', () => {
    const { printed } = complaint(`${good}\ncluster: "a\\e[31mb"\n"\\e[31m": x`, passwords)
    // eslint-disable-next-line no-control-regex
    expect(printed.split('\n')[1]).not.toMatch(/[\u0000-\u001f]/)
    expect(printed).toContain("'a\ufffd[31mb'")
  })

  it('is bounded: each value, and their number', () => {
    const many = Array.from({ length: 500 }, (_, index) => `'${'x'.repeat(500)}${index}'`)
    const { message } = failureOf(good.replace(/'pbx.*'/, many.join(',')))
    expect(message.split('\n')).toHaveLength(52)
    expect(message).toMatch(/\n {2}and 450 more$/)
    expect(Math.max(...message.split('\n').map((line) => line.length))).toBeLessThan(300)
  })
})

describe('a file that no reader can take', () => {
  const letters = 'a b c d e f g h i j'.split(' ')
  const bomb = letters.map((letter, index) => {
    const before = letters[index - 1]
    return `${letter}: &${letter} [${Array(9)
      .fill(before === undefined ? 'x' : `*${before}`)
      .join(', ')}]`
  })
  it.each([
    ['aliases of aliases', bomb.join('\n'), /has aliases \(\*\) that stand for more/],
    ['brackets', '['.repeat(100_000), /nests brackets, more than any configuration/],
    [
      'blanks',
      Array.from({ length: 1_400 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      /nests, more than/,
    ],
    ['octets that are no UTF-8', Buffer.from([0x61, 0x3a, 0xe4]), /is no UTF-8 text/],
    ['UTF-16', Buffer.from('\ufeffa: b', 'utf16le'), /is no UTF-8 text/],
    ['many characters', `# ${'x'.repeat(2 ** 20)}`, /is of 1048578 characters, more than/],
  ])('%s is a bad configuration, named with what to do', (_, text, message) => {
    const file = join(scratchFolder(), 'a.yaml')
    writeFileSync(file, text)
    const load = (): unknown => loadConfig(file, passwords)
    expect(load).toThrow(ConfigError)
    expect(load).toThrow(message)
    expect(load).toThrow(`${file}: 1 problem\n`)
  })

  it('a password that is no UTF-8 is told, and not taken for another', () => {
    const file = join(scratchFolder(), 'latin.secret')
    writeFileSync(file, Buffer.from([0x70, 0xe4]))
    const { printed, places } = complaint(inXmpp(`  password_file: ${file}`), {
      HINTBRIDGE_SIP_PASSWORD: 'b',
    })
    expect(places).toEqual(['xmpp.password_file:5'])
    expect(printed).toContain('is no UTF-8 text')
  })

  it('takes aliases as they are meant', () => {
    const text = `${good}\nshare: { device_state: { include: &all ['.*'] }, message_waiting: { include: *all } }`
    expect(
      parseConfig(text, { environment: passwords }).config.share.message_waiting.include,
    ).toEqual(['.*'])
  })
})

function failureOf(text: string): ConfigError {
  try {
    parseConfig(text, { environment: passwords })
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('it is a good configuration')
}
