import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { initialise } from '../../src/cli/init/initialise.js'
import { renewSip } from '../../src/cli/init/renew-sip.js'
import { loadConfig } from '../../src/config/load.js'
import { place } from './init-place.js'

/** An installation of before there were two secrets: one in both files, and settings that somebody has changed since. */
async function oldInstallation() {
  const { folder, config, options, printed, read } = place()
  await initialise(options)
  const text = readFileSync(config, 'utf8')
    .replace(/\n *asterisk_password_file:.*/, '')
    .replace('resource: hintbridge', 'resource: pbx # our name')
  writeFileSync(config, text)
  const asteriskConf = join(folder, 'asterisk', 'pjsip_hintbridge.conf')
  writeFileSync(asteriskConf, '; by hand\n')
  const renew = (environment: NodeJS.ProcessEnv = {}) =>
    renewSip({ configFile: config, asteriskConf, environment, print: (line) => printed.push(line) })
  return { folder, config, asteriskConf, printed, read, renew }
}

describe('init --renew-sip', () => {
  it('gives an older installation a fresh secret for each direction on both sides, and changes nothing else', async () => {
    const { config, read, renew, printed } = await oldInstallation()
    const before = loadConfig(config, {}).config.asterisk.sip
    expect(before.asteriskPassword).toBeUndefined()
    renew()
    const { config: after, warnings } = loadConfig(config, {})
    const { password, asteriskPassword, ...rest } = after.asterisk.sip
    expect(warnings).toEqual([])
    expect(rest).toMatchObject({ resource: 'pbx', listen: before.listen })
    expect(password.equals(before.password)).toBe(false)
    for (const secret of [password, asteriskPassword]) {
      expect(read('asterisk/pjsip_hintbridge.conf')).toContain(
        `username = pbx\npassword = ${secret?.reveal()}\n`,
      )
    }
    expect(readFileSync(config, 'utf8')).toContain('resource: pbx # our name')
    expect(printed.join('\n')).toMatch(/asterisk -rx 'module reload [^']+'\n.*restart hintbridge$/)
    expect(printed.join('\n')).not.toContain(password.reveal())
  })

  it('keeps what stood in the file of Asterisk beside it', async () => {
    const { read, renew } = await oldInstallation()
    renew()
    expect(read('asterisk/pjsip_hintbridge.conf.old')).toBe('; by hand\n')
  })

  it('renews secrets that are two already, in the files that the configuration names', async () => {
    const { folder, config, renew } = await oldInstallation()
    const named = join(folder, 'etc', 'hintbridge', 'of-asterisk')
    writeFileSync(named, 'known\n', { mode: 0o600 })
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(
        /( *)resource:/,
        '$1asterisk_password_file: of-asterisk\n$&',
      ),
    )
    renew()
    expect(readFileSync(named, 'utf8')).toMatch(/^[\w-]{32}\n$/)
  })

  it('moves a password out of the configuration into a file that the same group can read', async () => {
    const { config, renew } = await oldInstallation()
    const text = readFileSync(config, 'utf8').replace(
      / password_file: .*sip\.secret.*/,
      ' password: clear',
    )
    writeFileSync(config, text)
    chmodSync(config, 0o640)
    rmSync(config.replace('hintbridge.yaml', 'sip.secret'))
    rmSync(config.replace('hintbridge.yaml', 'sip-asterisk.secret'))
    renew()
    expect(readFileSync(config, 'utf8')).not.toContain('clear')
    expect(loadConfig(config, {}).config.asterisk.sip.password.reveal()).toMatch(/^[\w-]{32}$/)
    const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)
    expect([config, config.replace('hintbridge.yaml', 'sip-asterisk.secret')].map(modeOf)).toEqual([
      '640',
      '640',
    ])
  })

  it('writes nothing where the environment holds a secret, or the file of Asterisk is elsewhere', async () => {
    const { config, asteriskConf, renew } = await oldInstallation()
    const before = [config, asteriskConf].map((path) => readFileSync(path, 'utf8'))
    expect(() => renew({ HINTBRIDGE_SIP_PASSWORD: 'x' })).toThrow(/sets HINTBRIDGE_SIP_PASSWORD/)
    const elsewhere = { configFile: config, asteriskConf: '/nowhere/a.conf', environment: {} }
    expect(() => renewSip({ ...elsewhere, print: () => undefined })).toThrow(
      /--asterisk-conf: .*nowhere/,
    )
    expect([config, asteriskConf].map((path) => readFileSync(path, 'utf8'))).toEqual(before)
    expect(existsSync(`${asteriskConf}.old`)).toBe(false)
  })
})
