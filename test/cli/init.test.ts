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
import { hostname } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { initialise } from '../../src/cli/init/initialise.js'
import { loadConfig } from '../../src/config/load.js'
import { put } from '../config/scratch.js'
import { inFolder, place } from './init-place.js'

const written = [
  'etc/hintbridge/hintbridge.yaml',
  'etc/hintbridge/xmpp.secret',
  'etc/hintbridge/sip.secret',
  'etc/hintbridge/sip-asterisk.secret',
  'asterisk/pjsip_hintbridge.conf',
]

describe('init', () => {
  it('writes a configuration that loads without a warning, and the same two secrets on both sides', async () => {
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
    const asterisk = loaded.config.asterisk.sip.asteriskPassword?.reveal() ?? ''
    expect(asterisk).toMatch(/^[\w-]{32}$/)
    expect(asterisk).not.toBe(sip)
    for (const secret of [sip, asterisk]) {
      expect(read('asterisk/pjsip_hintbridge.conf')).toContain(`\npassword = ${secret}\n`)
    }
  })

  it('keeps secrets to their owner, and lets Asterisk read its file whatever the umask', async () => {
    const { folder, options, read } = place()
    const umask = process.umask(0o077)
    onTestFinished(() => void process.umask(umask))
    await initialise(options)
    const modes = written.map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8))
    expect(modes).toEqual(['644', '600', '600', '600', '640'])
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

  it('replaces with --force, but keeps the SIP secrets, and says so and what to restart', async () => {
    const { options, read, printed } = place()
    await initialise(options)
    expect(printed.join('\n')).not.toMatch(/restarted|are kept/)
    const secrets = () =>
      ['sip', 'sip-asterisk'].map((name) => read(`etc/hintbridge/${name}.secret`))
    const before = secrets()
    const environment = { HINTBRIDGE_XMPP_PASSWORD: 'another' }
    await initialise({ ...options, environment, given: { ...options.given, force: true } })
    expect(secrets()).toEqual(before)
    expect(read('etc/hintbridge/xmpp.secret')).toBe('another\n')
    expect(printed.join('\n')).toMatch(/SIP secrets .* are kept[^]*must be restarted/)
    for (const secret of before) {
      expect(read('asterisk/pjsip_hintbridge.conf')).toContain(`\npassword = ${secret}`)
    }
  })

  it('writes nothing where the folder of Asterisk is not there', async () => {
    const { folder, options } = place()
    const given = { ...options.given, 'asterisk-conf': join(folder, 'nowhere', 'a.conf') }
    await expect(initialise({ ...options, given })).rejects.toThrow(/there is no folder .*nowhere/)
    expect(existsSync(join(folder, 'etc'))).toBe(false)
  })

  it('writes nothing that run would refuse, and says all of it at once, option by option', async () => {
    const { folder, options } = place()
    const given = {
      ...options.given,
      service: 'http://example.org',
      resource: 'a b',
      http: '10.0.0.1:9595',
      eid: '02',
      ca: '/nope',
      'asterisk-conf': options.given.config,
    }
    const failure = initialise({ ...options, environment: {}, given })
    await expect(failure).rejects.toThrow(
      /^nothing was written:\n {2}--ca: '\/nope' cannot be read/,
    )
    await expect(failure).rejects.toThrow(
      /--eid: '02' must be .*\n {2}the password of the XMPP account is needed.*\n {2}--asterisk-conf: .* is named twice/,
    )
    await expect(failure).rejects.toThrow(
      /--service: 'http:\/\/example\.org' must be a URI.*\n {2}--http: .* must be a loopback address.*\n {2}--resource: 'a b' must/,
    )
    expect(existsSync(join(folder, 'etc'))).toBe(false)
  })

  it('says where a file cannot be', async () => {
    const { folder, options } = place()
    const file = put(folder, 'file', '')
    const given = { ...options.given, config: join(file, 'deep', 'a.yaml') }
    await expect(initialise({ ...options, given })).rejects.toThrow(
      `--config: ${join(file, 'deep', 'a.yaml')}: ${file} is no folder`,
    )
  })

  it('lets SIP leave the loopback where that is said in so many words', async () => {
    const { config, options, read } = place()
    const given = { ...options.given, asterisk: '10.1.1.1:5060', listen: '10.1.1.2:5070' }
    await expect(initialise({ ...options, given })).rejects.toThrow(
      /--asterisk: '10\.1\.1\.1:5060' is not a loopback address, .* not encrypted.*: --insecure-sip accepts that\n {2}--listen/,
    )
    await initialise({ ...options, given: { ...given, 'insecure-sip': true } })
    expect(loadConfig(config, {}).config.asterisk.sip).toMatchObject({
      asterisk: { host: '10.1.1.1', port: 5060 },
      insecure: true,
    })
    expect(read('asterisk/pjsip_hintbridge.conf')).toContain('permit = 10.1.1.2/32')
  })

  it('names the member where the name of the machine will not do', async () => {
    const { config, options, read } = place()
    await initialise({ ...options, given: { ...options.given, name: hostname() } })
    expect(read(inFolder('hintbridge.yaml'))).not.toMatch(/^name:/m)
    await initialise({ ...options, given: { ...options.given, name: 'site: a', force: true } })
    expect(loadConfig(config, {}).config.name).toBe('site: a')
  })

  it('without a terminal names the option that is missing, and how to give the password', async () => {
    const { options } = place()
    const { jid, ...rest } = options.given
    await expect(initialise({ ...options, given: rest })).rejects.toThrow(/--jid is needed/)
    await expect(initialise({ ...options, given: { ...rest, jid: 'pbx' } })).rejects.toThrow(
      /--jid: 'pbx' must be .* a bare JID/,
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
    await expect(named('hunter2')).rejects.toThrow('--xmpp-password-file: cannot be read (ENOENT)')
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
      'b.sip-asterisk.secret',
      'b.sip.secret',
      'b.xmpp.secret',
      'b.yaml',
      'hintbridge.yaml',
      'sip-asterisk.secret',
      'sip.secret',
      'xmpp.secret',
    ])
  })
})
