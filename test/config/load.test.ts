import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type Config, ConfigError } from '../../src/config/config.js'
import { loadConfig, parseConfig } from '../../src/config/load.js'
import { put, scratchFolder } from './scratch.js'

const passwords = {
  HINTBRIDGE_XMPP_PASSWORD: 'xmpp-pw',
  HINTBRIDGE_SIP_PASSWORD: 'sip-pw',
  HINTBRIDGE_SIP_ASTERISK_PASSWORD: 'asterisk-pw',
}

const least = `
trust: ['pbx-*@example.org']
xmpp: { service: 'xmpp://127.0.0.1:5222', jid: pbx-a@example.org }
`

function load(text: string): Config {
  return parseConfig(text, { environment: passwords, folder: '/etc/hintbridge' }).config
}

function problemsOf(text: string, environment: NodeJS.ProcessEnv = passwords) {
  try {
    parseConfig(text, { environment, folder: '/etc/hintbridge' })
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** Problems as `path: value`. */
function places(text: string): string[] {
  return problemsOf(text).map(({ path, value }) => `${path}: ${value ?? ''}`)
}

describe('a configuration', () => {
  it('fills in defaults around what is required', () => {
    const config = load(least)
    expect(config).toMatchObject({
      cluster: 'asterisk',
      stateDir: '/var/lib/hintbridge',
      controlSocket: '/var/lib/hintbridge/hintbridge.sock',
      xmpp: {
        services: ['xmpp://127.0.0.1:5222'],
        jid: 'pbx-a@example.org',
        pubsub: 'pubsub.example.org',
        tls: { mode: 'required' },
      },
      asterisk: {
        console: ['asterisk'],
        sip: {
          asterisk: { host: '127.0.0.1', port: 5060 },
          listen: { host: '127.0.0.1', port: 5070 },
          transport: 'udp',
          resource: 'hintbridge',
        },
      },
      liveness: {
        heartbeatMs: 10_000,
        deadAfterMs: 30_000,
        graceMs: 5000,
        staleAfterMs: 60_000,
        membersMs: 60_000,
        auditMs: 300_000,
      },
      limits: { namesPerMember: 20_000, names: 200_000 },
      http: { listen: { host: '127.0.0.1', port: 9595 } },
      log: { level: 'info' },
    })
    expect(config.asterisk.eid).toBeUndefined()
  })

  it('is frozen to its leaves', () => {
    const config = load(least)
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.asterisk.sip.listen)).toBe(true)
    expect(Object.isFrozen(config.share.device_state.include)).toBe(true)
  })

  it('takes one service or a list of them, IPv6 literals and the one spelling of an EID', () => {
    const config = load(`
trust: [pbx-a@example.org]
xmpp: { service: ['xmpp://[::1]:5222', 'xmpps://b.example.org'], jid: PBX-A@Example.org }
asterisk:
  eid: 2:0:0:0:0:A
  console: [docker, exec, pbx, asterisk]
  sip: { asterisk: '[::1]:5060', listen: '[::1]:5070', transport: tcp }
`)
    expect(config.xmpp.services).toEqual(['xmpp://[::1]:5222', 'xmpps://b.example.org'])
    expect(config.xmpp.jid).toBe('pbx-a@example.org')
    expect(config.asterisk.eid).toBe('02:00:00:00:00:0a')
    expect(config.asterisk.console).toEqual(['docker', 'exec', 'pbx', 'asterisk'])
    expect(config.asterisk.sip.listen).toEqual({ host: '::1', port: 5070 })
    expect(config.asterisk.sip.transport).toBe('tcp')
  })

  it('reports every problem at once, each with its path, line, bad value and what to do', () => {
    const problems = problemsOf(
      `cluster: 'a b'
trust: []
xmpp:
  service: http://example.org
  jid: pbx-a
  tls: { mode: maybe }
asterisk: { eid: '00:00:00:00:00:00', sip: { asterisk: 5060, listen: '0.0.0.0:5070' } }
share: { device_state: { include: ['('] } }
liveness: { hearbeat: 1s, dead_after: 4s, grace: 5s, stale_after: 3s }
http: { listen: '0.0.0.0:9595' }
log: { level: loud }
`,
      {},
    )
    expect(problems.map(({ path, line, value }) => [path, line, value])).toEqual([
      ['cluster', 1, 'a b'],
      ['trust', 2, undefined],
      ['xmpp.service', 4, 'http://example.org'],
      ['xmpp.password_file', 4, undefined],
      ['xmpp.jid', 5, 'pbx-a'],
      ['xmpp.tls.mode', 6, 'maybe'],
      ['asterisk.eid', 7, '00:00:00:00:00:00'],
      ['asterisk.sip.asterisk', 7, '5060'],
      ['asterisk.sip.password_file', 7, undefined],
      ['asterisk.sip.listen', 7, '0.0.0.0:5070'],
      ['share.device_state.include[0]', 8, '('],
      ['liveness.hearbeat', 9, undefined],
      ['liveness.dead_after', 9, '4s'],
      ['liveness.grace', 9, '5s'],
      ['liveness.stale_after', 9, '3s'],
      ['http.listen', 10, '0.0.0.0:9595'],
      ['log.level', 11, 'loud'],
    ])
    expect(problems.find(({ path }) => path === 'liveness.hearbeat')?.message).toBe(
      "is not known; known here: heartbeat, dead_after, grace, stale_after, members, audit; did you mean 'heartbeat'?",
    )
    expect(problems.find(({ path }) => path === 'xmpp.jid')?.message).toMatch(/bare JID/)
    expect(problems.find(({ path }) => path === 'http.listen')?.message).toMatch(
      /not a loopback address.*set http.password_file/,
    )
  })

  it('names the transports that there are, where it is given another', () => {
    expect(problemsOf(`${least}\nasterisk: { sip: { transport: sctp } }`)).toEqual([
      {
        path: 'asterisk.sip.transport',
        line: 5,
        value: 'sctp',
        message: 'must be one of udp, tcp',
      },
    ])
  })

  it('prints its problems one a line', () => {
    expect(() => load(`${least}\ncluser: x\n`)).toThrow(
      /^configuration: 1 problem\n {2}cluser \(line 5\): is not known; .*did you mean 'cluster'\?$/,
    )
  })

  it('of an empty file says what is required', () => {
    expect(problemsOf('', {}).map(({ path }) => path)).toEqual([
      'trust',
      'xmpp',
      'xmpp.password_file',
      'asterisk.sip.password_file',
    ])
  })

  it('that is no YAML, or names a key twice, is refused with the line', () => {
    expect(problemsOf('cluster: a\ncluster: b\n')).toMatchObject([{ path: '', line: 2 }])
    expect(problemsOf('trust: [\n')[0]?.message).toMatch(/^is not YAML: /)
    expect(problemsOf('- a\n').map(({ path }) => path)).toContain('')
  })

  it.each([
    ['trust: [pbx-a@example.org/resource]', 'trust[0]: pbx-a@example.org/resource'],
    ['trust: [example.org]', 'trust[0]: example.org'],
    ['trust: pbx-a@example.org', 'trust: pbx-a@example.org'],
    ['liveness: { heartbeat: 10 }', 'liveness.heartbeat: 10'],
    ['liveness: { heartbeat: 10 s }', 'liveness.heartbeat: 10 s'],
    ['liveness: { heartbeat: 20s }', 'liveness.dead_after: 30s'],
    ['liveness: { stale_after: 29s }', 'liveness.stale_after: 29s'],
    ['limits: { names_per_member: 0 }', 'limits.names_per_member: 0'],
    ['limits: { names: 1.5 }', 'limits.names: 1.5'],
    ["limits: { names: '10' }", 'limits.names: 10'],
    ["asterisk: { sip: { listen: '127.0.0.1:5060' } }", 'asterisk.sip.listen: 127.0.0.1:5060'],
    ["asterisk: { sip: { listen: '[::1]:5070' } }", 'asterisk.sip.listen: [::1]:5070'],
    ["asterisk: { sip: { listen: '127.0.0.1:0' } }", 'asterisk.sip.listen: 127.0.0.1:0'],
    ["asterisk: { sip: { asterisk: '127.0.0.1' } }", 'asterisk.sip.asterisk: 127.0.0.1'],
    ["asterisk: { sip: { asterisk: '192.0.2.1:5060' } }", 'asterisk.sip.asterisk: 192.0.2.1:5060'],
    ["asterisk: { sip: { resource: 'a b' } }", 'asterisk.sip.resource: a b'],
    ['share: { message_waiting: { uncachable: true } }', 'share.message_waiting.uncachable: '],
    ["share: { device_state: { publish: 'yes' } }", 'share.device_state.publish: yes'],
    ["http: { listen: '127.0.0.1:65536' }", 'http.listen: 127.0.0.1:65536'],
    [`state_dir: /${'x'.repeat(92)}`, `state_dir: /${'x'.repeat(92)}`],
    ['__proto__: { a: 1 }', '__proto__: '],
  ])('refuses %s', (line, place) => {
    const rest = line.startsWith('trust') ? least.replace(/^trust.*$/m, '') : least
    expect(places(`${rest}\n${line}`)).toEqual([place])
  })

  it('takes addresses off loopback only with the word', () => {
    const config = load(`${least}
asterisk: { sip: { asterisk: '192.0.2.1:5060', listen: '192.0.2.2:5070', insecure: true } }
`)
    expect(config.asterisk.sip.listen.host).toBe('192.0.2.2')
  })

  it('takes an HTTP address off loopback only with a password, wherever that stands', () => {
    const folder = scratchFolder()
    const file = put(folder, 'http.secret', 'of http\n')
    const open = "listen: '0.0.0.0:9595'"
    expect(places(`${least}\nhttp: { ${open} }`)).toEqual(['http.listen: 0.0.0.0:9595'])
    for (const [more, environment] of [
      [`password: of http`, passwords],
      [`password_file: ${file}`, passwords],
      [undefined, { ...passwords, HINTBRIDGE_HTTP_PASSWORD: 'of http' }],
    ] as const) {
      const text = `${least}\nhttp: { ${[open, more].filter(Boolean).join(', ')} }`
      const { http } = parseConfig(text, { environment }).config
      expect([http.listen.host, http.password?.reveal()]).toEqual(['0.0.0.0', 'of http'])
    }
    const gone = problemsOf(`${least}\nhttp: { ${open}, password_file: ${folder}/gone }`)
    expect(gone.map(({ path }) => path)).toEqual(['http.password_file'])
  })

  it('needs no HTTP password on loopback', () => {
    expect(load(`${least}\nhttp: { listen: 'localhost:9595' }`).http.password).toBeUndefined()
  })

  it('warns where it does not trust its own account, trusts a whole server, or sends clear text off the machine', () => {
    const { warnings } = parseConfig(
      `
trust: ['*@example.net', 'b@*']
xmpp: { service: 'xmpp://192.0.2.1', jid: pbx-a@example.org, tls: { mode: insecure } }
`,
      { environment: passwords },
    )
    expect(warnings.map(({ path }) => path)).toEqual([
      'trust',
      'trust[0]',
      'trust[1]',
      'xmpp.tls.mode',
    ])
    expect(parseConfig(least, { environment: passwords }).warnings).toEqual([])
  })
})

describe('passwords', () => {
  const withFiles = (folder: string, name = 'xmpp.secret') => `
trust: ['pbx-*@example.org']
xmpp: { service: 'xmpp://127.0.0.1:5222', jid: pbx-a@example.org, password_file: ${name} }
asterisk: { sip: { password_file: ${join(folder, 'sip.secret')} } }
`

  it('come from files, relative to the configuration, without the final line end', () => {
    const folder = scratchFolder()
    put(folder, 'xmpp.secret', ' of xmpp \n')
    put(folder, 'sip.secret', 'of sip')
    const file = put(folder, 'a.yaml', withFiles(folder))
    const { config, warnings } = loadConfig(file, {})
    expect(config.xmpp.password.reveal()).toBe(' of xmpp ')
    expect(config.asterisk.sip.password.reveal()).toBe('of sip')
    expect(warnings).toEqual([])
  })

  it('in the environment go before those of the file', () => {
    const folder = scratchFolder()
    const file = put(folder, 'a.yaml', withFiles(folder))
    expect(loadConfig(file, passwords).config.xmpp.password.reveal()).toBe('xmpp-pw')
  })

  it('are pointed out where others can read their file', () => {
    const folder = scratchFolder()
    chmodSync(put(folder, 'xmpp.secret', 'a'), 0o644)
    chmodSync(put(folder, 'sip.secret', 'b'), 0o640)
    const file = put(folder, 'a.yaml', withFiles(folder))
    expect(loadConfig(file, {}).warnings).toMatchObject([
      { path: 'xmpp.password_file', value: join(folder, 'xmpp.secret') },
    ])
    chmodSync(put(folder, 'b.yaml', least.replace(' }', ', password: a }')), 0o644)
    const environment = { HINTBRIDGE_SIP_PASSWORD: 'b' }
    expect(loadConfig(join(folder, 'b.yaml'), environment).warnings).toMatchObject([
      { path: 'xmpp.password', value: join(folder, 'b.yaml') },
    ])
  })

  it('that cannot be read, are empty, of two lines or named twice are problems that do not show them', () => {
    const folder = scratchFolder()
    put(folder, 'sip.secret', 'first\nsecond\n')
    const text = withFiles(folder, 'gone.secret').replace('jid:', 'password: hidden-pw, jid:')
    const twice = problemsOf(text, {})
    expect(twice.map(({ path }) => path)).toEqual(['xmpp.password', 'asterisk.sip.password_file'])
    put(folder, 'sip.secret', '\n')
    const gone = problemsOf(withFiles(folder, 'gone.secret'), {})
    expect(gone.map(({ message }) => message.split(':')[0])).toEqual([
      'cannot be read (ENOENT)',
      'is empty',
    ])
    const number = problemsOf(least.replace(' }', ', password: 12345 }'), {
      HINTBRIDGE_SIP_PASSWORD: 'b',
    })
    expect(number).toMatchObject([{ path: 'xmpp.password' }])
    expect(JSON.stringify([twice, gone, number])).not.toMatch(/hidden-pw|first|12345/)
  })

  it('are two for SIP, where the second may be missing but not be the first again', () => {
    const { HINTBRIDGE_SIP_ASTERISK_PASSWORD: asterisk, ...older } = passwords
    expect(load(least).asterisk.sip.asteriskPassword?.reveal()).toBe(asterisk)
    const { config } = parseConfig(least, { environment: older })
    expect(config.asterisk.sip.asteriskPassword).toBeUndefined()
    const same = `${least}asterisk: { sip: { asterisk_password: sip-pw } }`
    expect(problemsOf(same, older)).toMatchObject([{ path: 'asterisk.sip.asterisk_password' }])
    const number = problemsOf(`${least}asterisk: { sip: { asterisk_password: 12345 } }`, older)
    expect(number).toMatchObject([{ path: 'asterisk.sip.asterisk_password' }])
    expect(JSON.stringify(number)).not.toContain('12345')
  })

  it('never print', () => {
    const { password } = load(least).xmpp
    const prints = [password.toString(), JSON.stringify({ password }), inspect({ password })]
    expect(prints.join()).not.toContain('xmpp-pw')
    expect(inspect(load(least), { depth: 9, showHidden: true })).not.toContain('xmpp-pw')
  })
})

describe('the file', () => {
  it('that is not there is a configuration problem which names init', () => {
    expect(() => loadConfig('/nowhere/a.yaml', passwords)).toThrow(ConfigError)
    expect(() => loadConfig('/nowhere/a.yaml', passwords)).toThrow(/ENOENT.*hintbridge init/)
  })

  it('that this user may not read is not missing: it says who may', () => {
    const file = put(scratchFolder(), 'hintbridge.yaml', least)
    chmodSync(file, 0)
    const isRoot = process.geteuid?.() === 0
    if (isRoot) process.seteuid?.('nobody')
    try {
      expect(() => loadConfig(file, passwords)).toThrow(
        /cannot be read \(EACCES\): run this as root, or as the service's user/,
      )
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  })

  it('may name an authority, which must be a certificate', () => {
    const folder = scratchFolder()
    const ca = put(folder, 'ca.pem', '-----BEGIN CERTIFICATE-----\n')
    const withCa = (name: string) => least.replace(' }', `, tls: { ca: ${name} } }`)
    const { config } = parseConfig(withCa('ca.pem'), { folder, environment: passwords })
    expect(config.xmpp.tls).toEqual({
      mode: 'required',
      caFile: ca,
      ca: '-----BEGIN CERTIFICATE-----\n',
    })
    put(folder, 'key.pem', 'secret key')
    for (const name of ['key.pem', 'gone.pem']) {
      expect(() => parseConfig(withCa(name), { folder, environment: passwords })).toThrow(
        /xmpp.tls.ca/,
      )
    }
  })

  it('of the samples loads, and shows the defaults', () => {
    const sample = readFileSync(
      new URL('../../docs/hintbridge.example.yaml', import.meta.url),
      'utf8',
    )
    const shown = parseConfig(sample, { environment: passwords })
    expect(shown.warnings).toEqual([])
    expect(JSON.stringify(shown.config)).toBe(JSON.stringify(load(least)))
  })
})

describe('share filters', () => {
  it('share what an include matches and no exclude does', () => {
    const { device_state: devices } = load(`${least}
share: { device_state: { include: ['^PJSIP/', '^Custom:'], exclude: ['^PJSIP/9'] } }
`).share
    const names = ['PJSIP/100', 'PJSIP/900', 'Custom:night', 'pjsip/100', 'SIP/1', 'Queue:a']
    expect(names.filter(devices.isShared)).toEqual(['PJSIP/100', 'Custom:night'])
  })

  it("share a queue's callers and pauses as they are, but not what Asterisk computes (rule 4)", () => {
    const { isShared, whyNever } = load(least).share.device_state
    const names = ['Queue:a', 'Queue:a_pause_PJSIP/1', 'Queue:a_avail']
    expect(names.filter(isShared)).toEqual(['Queue:a', 'Queue:a_pause_PJSIP/1'])
    expect(names.map((name) => whyNever(name)?.reason)).toEqual([
      undefined,
      undefined,
      "is computed by each Asterisk from the states of the queue's members, which are shared",
    ])
  })

  it('never share what is computed, fences, the bridge itself and what the console leaves behind, even where nothing is excluded (rule 4)', () => {
    const { device_state: devices, message_waiting: mailboxes } = load(`${least}
share: { device_state: { exclude: [] } }
asterisk: { sip: { resource: bridge } }
`).share
    const names = [
      'Queue:a_avail',
      'MWI:1000@default',
      'hintbridge:fence-1',
      'PJSIP/bridge',
      'CLIEval/12',
      'Local/1@a',
      'PJSIP/hintbridge',
    ]
    expect(names.filter(devices.isShared)).toEqual(['Local/1@a', 'PJSIP/hintbridge'])
    expect(['hintbridge@fence', '1000@default'].filter(mailboxes.isShared)).toEqual([
      '1000@default',
    ])
  })

  it('that no automaton can be made of are refused, each with what to write instead', () => {
    const problems = problemsOf(`${least}
share:
  device_state: { include: ['^PJSIP/(?!9)'], exclude: ['('] }
  message_waiting: { claim: ['^(.)\\1'] }
`)
    expect(problems.map(({ path, line, value }) => [path, line, value])).toEqual([
      ['share.device_state.include[0]', 6, '^PJSIP/(?!9)'],
      ['share.device_state.exclude[0]', 6, '('],
      ['share.message_waiting.claim[0]', 7, '^(.)\\1'],
    ])
    expect(problems[0]?.message).toMatch(/RE2 takes .*`\(\?!`.*under exclude what shall not match$/)
  })

  it('claim mailboxes', () => {
    const { message_waiting: mailboxes } = load(`${least}
share: { message_waiting: { claim: ['@sales$'] } }
`).share
    expect(['1@sales', '1@salesmen'].filter(mailboxes.isClaimed)).toEqual(['1@sales'])
  })
})
