import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { initialise, type InitOptions } from '../../src/cli/init/initialise.js'
import { Terminal } from '../../src/cli/init/terminal.js'
import { loadConfig } from '../../src/config/load.js'
import { put, scratchFolder } from '../config/scratch.js'

/** Two folders as on a real machine, and options that point there. */
function place() {
  const folder = scratchFolder()
  const asterisk = join(folder, 'asterisk')
  mkdirSync(asterisk)
  const config = join(folder, 'etc', 'hintbridge', 'hintbridge.yaml')
  const printed: string[] = []
  const options = {
    given: {
      jid: 'pbx-a@example.org',
      config,
      'asterisk-conf': join(asterisk, 'pjsip_hintbridge.conf'),
      'state-dir': join(folder, 'state'),
    },
    environment: { HINTBRIDGE_XMPP_PASSWORD: 'of xmpp' },
    print: (line) => printed.push(line),
    isPresent: existsSync,
  } satisfies InitOptions
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { folder, config, options, printed, read }
}

const written = [
  'etc/hintbridge/hintbridge.yaml',
  'etc/hintbridge/xmpp.secret',
  'etc/hintbridge/sip.secret',
  'asterisk/pjsip_hintbridge.conf',
]

const inFolder = (name: string): string => `etc/hintbridge/${name}`

describe('init', () => {
  it('writes a configuration that loads without a warning, and the same secret on both sides', async () => {
    const { folder, config, options, read } = place()
    await initialise(options)
    const loaded = loadConfig(config, {})
    expect(loaded.warnings).toEqual([])
    expect(loaded.config).toMatchObject({
      trust: ['pbx-*@example.org'],
      stateDir: join(folder, 'state'),
      xmpp: { services: ['xmpp://example.org:5222'], pubsub: 'pubsub.example.org' },
    })
    expect(loaded.config.xmpp.password.reveal()).toBe('of xmpp')
    const sip = loaded.config.asterisk.sip.password.reveal()
    expect(sip).toMatch(/^[\w-]{32}$/)
    expect(read('asterisk/pjsip_hintbridge.conf')).toContain(`\npassword = ${sip}\n`)
  })

  it('keeps secrets to their owner, and lets Asterisk read its file whatever the umask', async () => {
    const { folder, options, read } = place()
    const umask = process.umask(0o077)
    onTestFinished(() => void process.umask(umask))
    await initialise(options)
    const modes = written.map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8))
    expect(modes).toEqual(['644', '600', '600', '640'])
    expect(read('etc/hintbridge/hintbridge.yaml')).not.toContain('of xmpp')
  })

  it('says what it wrote, the line for pjsip.conf, and whom it trusts', async () => {
    const { folder, options, printed } = place()
    writeFileSync(join(folder, 'asterisk', 'pjsip.conf'), '')
    await initialise(options)
    const said = printed.join('\n')
    for (const name of written) expect(said).toContain(join(folder, name))
    expect(said).toContain('\n       #include pjsip_hintbridge.conf\n')
    expect(said).toContain('pbx-*@example.org')
    expect(said).not.toContain('of xmpp')
  })

  it('names the file in full where Asterisk would not look for it', async () => {
    const { folder, options, printed } = place()
    await initialise(options)
    expect(printed.join('\n')).toContain(
      `#include ${join(folder, 'asterisk', 'pjsip_hintbridge.conf')}\n`,
    )
  })

  it('overwrites nothing: names every file in the way and writes none', async () => {
    const { folder, options, read } = place()
    mkdirSync(join(folder, 'etc', 'hintbridge'), { recursive: true })
    put(join(folder, 'etc', 'hintbridge'), 'sip.secret', 'old')
    put(join(folder, 'asterisk'), 'pjsip_hintbridge.conf', 'old')
    await expect(initialise(options)).rejects.toThrow(
      /^nothing was written:\n.*sip\.secret is there already: --force replaces it\n.*pjsip_hintbridge\.conf is there already/,
    )
    expect(readdirSync(join(folder, 'etc', 'hintbridge'))).toEqual(['sip.secret'])
    expect(read('asterisk/pjsip_hintbridge.conf')).toBe('old')
  })

  it('replaces with --force, but keeps the SIP secret, and says so and what to restart', async () => {
    const { options, read, printed } = place()
    await initialise(options)
    expect(printed.join('\n')).not.toMatch(/restarted|is kept/)
    const before = read('etc/hintbridge/sip.secret')
    const environment = { HINTBRIDGE_XMPP_PASSWORD: 'another' }
    await initialise({ ...options, environment, given: { ...options.given, force: true } })
    expect(read('etc/hintbridge/sip.secret')).toBe(before)
    expect(read('etc/hintbridge/xmpp.secret')).toBe('another\n')
    expect(printed.join('\n')).toMatch(/SIP secret .* is kept[^]*must be restarted/)
    expect(read('asterisk/pjsip_hintbridge.conf')).toContain(read('etc/hintbridge/sip.secret'))
  })

  it('writes nothing where the folder of Asterisk is not there', async () => {
    const { folder, options } = place()
    const given = { ...options.given, 'asterisk-conf': join(folder, 'nowhere', 'a.conf') }
    await expect(initialise({ ...options, given })).rejects.toThrow(/there is no folder .*nowhere/)
    expect(existsSync(join(folder, 'etc'))).toBe(false)
  })

  it('writes nothing that run would refuse, and says why as run does', async () => {
    const { folder, options } = place()
    const given = { ...options.given, service: 'http://example.org', resource: 'a b' }
    await expect(initialise({ ...options, given })).rejects.toThrow(
      /xmpp\.service.*http:\/\/example\.org[^]*asterisk\.sip\.resource.*'a b'/,
    )
    expect(existsSync(join(folder, 'etc'))).toBe(false)
  })

  it('without a terminal names the option that is missing, and how to give the password', async () => {
    const { options } = place()
    const { jid, ...rest } = options.given
    await expect(initialise({ ...options, given: rest })).rejects.toThrow(/--jid is needed/)
    await expect(initialise({ ...options, given: { ...rest, jid: 'pbx' } })).rejects.toThrow(
      /--jid: 'pbx' must be a bare JID/,
    )
    await expect(
      initialise({ ...options, given: { ...rest, jid }, environment: {} }),
    ).rejects.toThrow(/--xmpp-password-file FILE, or HINTBRIDGE_XMPP_PASSWORD/)
  })

  it('makes a fresh SIP secret where the file that it replaces holds none', async () => {
    const { folder, options, read } = place()
    mkdirSync(join(folder, 'etc', 'hintbridge'), { recursive: true })
    put(join(folder, 'etc', 'hintbridge'), 'sip.secret', '\n')
    await initialise({ ...options, given: { ...options.given, force: true } })
    expect(read('etc/hintbridge/sip.secret')).toMatch(/^[\w-]{32}\n$/)
  })

  it.runIf(process.getuid?.() === 0)('leaves what it replaces to its owner', async () => {
    const { folder, options } = place()
    await initialise(options)
    for (const name of written) chownSync(join(folder, name), 12_345, 23_456)
    await initialise({ ...options, given: { ...options.given, force: true } })
    const owners = written.map((name) => statSync(join(folder, name)))
    expect(owners.map(({ uid, gid }) => [uid, gid])).toEqual(written.map(() => [12_345, 23_456]))
  })

  it.runIf(process.getuid?.() === 0)(
    'and the lines of the README let the service read all of it and write nothing, after --force too',
    async () => {
      const { folder, options } = place()
      await initialise(options)
      const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
      const lines = readme.match(/^ch(own|mod) .* \/etc\/hintbridge$/gm) ?? []
      expect(lines).toHaveLength(2)
      chmodSync(folder, 0o711)
      chmodSync(join(folder, 'etc'), 0o711)
      for (const line of lines) {
        const [command = '', ...words] = line.replace('root:hintbridge', '0:23456').split(' ')
        execFileSync(command, [...words.slice(0, -1), join(folder, 'etc/hintbridge')])
      }
      const asService = (test: string): string =>
        execFileSync('/bin/sh', ['-c', test], { uid: 12_345, gid: 23_456, cwd: folder }).toString()
      const look = `for file in etc/hintbridge etc/hintbridge/*; do
        test -r $file && ! test -w $file && echo $file; done`
      const all = ['etc/hintbridge', ...readdirSync(join(folder, 'etc/hintbridge')).map(inFolder)]
      expect(asService(look).trim().split('\n')).toEqual(all)
      await initialise({ ...options, given: { ...options.given, force: true } })
      expect(asService(look).trim().split('\n')).toEqual(all)
    },
  )

  it('copies a password file that is named beside the configuration, for its owner alone', async () => {
    const { folder, config, options } = place()
    const file = put(folder, 'my.secret', 'mine\n')
    const given = { ...options.given, 'xmpp-password-file': file }
    await initialise({ ...options, given, environment: {} })
    const copy = join(folder, 'etc', 'hintbridge', 'xmpp.secret')
    expect(loadConfig(config, {}).config.xmpp.password.reveal()).toBe('mine')
    expect(readFileSync(copy, 'utf8')).toBe('mine\n')
    expect(statSync(copy).mode & 0o777).toBe(0o600)
  })

  it('takes the password file as it is where it lies beside the configuration already', async () => {
    const { folder, config, options } = place()
    mkdirSync(join(folder, 'etc', 'hintbridge'), { recursive: true })
    const file = put(join(folder, 'etc', 'hintbridge'), 'xmpp.secret', 'mine\n')
    const given = { ...options.given, 'xmpp-password-file': file }
    await initialise({ ...options, given, environment: {} })
    expect(loadConfig(config, {}).config.xmpp.password.reveal()).toBe('mine')
  })

  it('names the option whose file cannot be used, and what to do', async () => {
    const { folder, options } = place()
    const named = (path: string) =>
      initialise({ ...options, given: { ...options.given, 'xmpp-password-file': path } })
    await expect(named('/nope')).rejects.toThrow(
      "--xmpp-password-file: '/nope' cannot be read (ENOENT): name a file that is there and that you can read",
    )
    await expect(named(put(folder, 'empty', '\n'))).rejects.toThrow(/is empty: write the password/)
    expect(existsSync(join(folder, 'etc'))).toBe(false)
  })

  it('takes several services and trusted accounts, an authority and an EID', async () => {
    const { folder, config, options } = place()
    const ca = put(folder, 'ca.pem', '-----BEGIN CERTIFICATE-----\n')
    await initialise({
      ...options,
      given: {
        ...options.given,
        service: 'xmpp://a.example.org, xmpps://b.example.org',
        trust: 'pbx-a@example.org, pbx-b@example.org',
        ca,
        eid: '2:0:0:0:0:a',
      },
    })
    expect(loadConfig(config, {}).config).toMatchObject({
      trust: ['pbx-a@example.org', 'pbx-b@example.org'],
      xmpp: {
        services: ['xmpp://a.example.org', 'xmpps://b.example.org'],
        tls: { mode: 'required', caFile: join(folder, 'etc', 'hintbridge', 'ca.pem') },
      },
      asterisk: { eid: '02:00:00:00:00:0a' },
    })
  })

  it('keeps the secrets of two bridges in one folder apart', async () => {
    const { folder, options } = place()
    await initialise(options)
    const given = {
      ...options.given,
      config: join(folder, 'etc', 'hintbridge', 'b.yaml'),
      'asterisk-conf': join(folder, 'asterisk', 'b.conf'),
    }
    await initialise({ ...options, given })
    expect(readdirSync(join(folder, 'etc', 'hintbridge')).sort()).toEqual([
      'b.sip.secret',
      'b.xmpp.secret',
      'b.yaml',
      'hintbridge.yaml',
      'sip.secret',
      'xmpp.secret',
    ])
  })
})

describe('init on a terminal', () => {
  it('asks what was not given, proposes, asks again after a wrong answer', async () => {
    const { config, options } = place()
    const asked: [string, string | undefined][] = []
    const replies = ['pbx', 'site-1@example.net']
    const { jid, ...given } = options.given
    await initialise({
      ...options,
      given,
      terminal: {
        ask: (question, proposal) => {
          asked.push([question, proposal])
          return Promise.resolve(replies.shift() ?? proposal ?? '')
        },
        askSecret: () => Promise.reject(new Error('the environment has it')),
      },
    })
    expect(asked[0]?.[0]).toBe(asked[1]?.[0])
    expect(asked.slice(2, 5).map(([, proposal]) => proposal)).toEqual([
      'xmpp://example.net:5222',
      'pubsub.example.net',
      'site-*@example.net',
    ])
    expect(loadConfig(config, {}).config.xmpp.jid).not.toBe(jid)
  })

  it('asks again for a password that is empty', async () => {
    const { config, options, printed } = place()
    const replies = ['', 'typed']
    await initialise({
      ...options,
      environment: {},
      terminal: {
        ask: (_question, proposal) => Promise.resolve(proposal ?? ''),
        askSecret: () => Promise.resolve(replies.shift() ?? ''),
      },
    })
    expect(loadConfig(config, {}).config.xmpp.password.reveal()).toBe('typed')
    expect(printed.join('\n')).toContain('must not be empty')
  })

  it('takes the proposal for an empty line, and does not echo a password', async () => {
    const input = new PassThrough()
    const output = new PassThrough()
    let shown = ''
    output.on('data', (part: Buffer) => (shown += part.toString()))
    const terminal = new Terminal(input, output)
    const answer = terminal.ask('Where', 'here')
    input.write('\n')
    expect(await answer).toBe('here')
    const secret = terminal.askSecret('Password')
    input.write('s3cret\n')
    expect(await secret).toBe('s3cret')
    expect(shown).toContain('Where [here]: ')
    expect(shown).toContain('Password: ')
    expect(shown).not.toContain('s3cret')
  })
})
