/** Fresh SIP secrets for an installation that is there: all else in its configuration stays as it is. */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { renderAsteriskSide } from '../../config/asterisk-side.js'
import { loadConfig } from '../../config/load.js'
import { passwordVariables } from '../../config/secrets.js'
import { textAt } from '../../config/tree.js'
import { makeSecret, readGiven } from './given-files.js'
import { reload } from './initialise.js'
import { asteriskTarget, findObstacles, secretFile } from './targets.js'
import { type PlannedFile, writeFiles } from './write-files.js'

export interface RenewOptions {
  readonly configFile: string
  readonly asteriskConf: string
  readonly environment: NodeJS.ProcessEnv
  readonly print: (line: string) => void
}

/**
 * Writes a secret for each direction, the configuration that names them and Asterisk's side of it, all or nothing; throws an
 * Error that says why not.
 */
export function renewSip({ configFile, asteriskConf, environment, print }: RenewOptions): void {
  refuseEnvironment(environment)
  const before = readGiven('asterisk-conf', asteriskConf)
  const { sip } = loadConfig(configFile, environment).config.asterisk
  const secrets = { password: makeSecret(), asteriskPassword: makeSecret() }
  const side = asteriskTarget(realpathSync(asteriskConf))
  const kept = { ...side, path: `${side.path}.old` }
  const planned: PlannedFile[] = [
    ...planBridgeSide(realpathSync(configFile), secrets),
    { ...kept, text: before },
    { ...side, text: renderAsteriskSide({ ...sip, ...secrets }) },
  ]
  const obstacles = findObstacles(planned)
  if (obstacles.length > 0) throw new Error(['nothing was written:', ...obstacles].join('\n  '))
  writeFiles(planned)
  print(`
Written, with a fresh secret for each direction:
${planned.map(({ path }) => `  ${path}`).join('\n')}
Changes that were made to ${side.path} by hand are only in ${kept.path} now.

Next; until both are done neither side takes what the other says:
  asterisk -rx '${reload}'
  systemctl restart hintbridge`)
}

/** The secrets where the configuration names a file for them, else beside it, and the configuration with those names. */
function planBridgeSide(
  configFile: string,
  { password, asteriskPassword }: Readonly<Record<'password' | 'asteriskPassword', string>>,
): PlannedFile[] {
  const document = parseDocument(readFileSync(configFile, 'utf8'))
  const tree: unknown = document.toJS()
  const fileFor = (key: string, proposal: string): string => {
    const named = textAt(tree, `asterisk.sip.${key}_file`)
    document.deleteIn(['asterisk', 'sip', key])
    document.setIn(['asterisk', 'sip', `${key}_file`], named ?? proposal)
    return resolve(dirname(configFile), named ?? proposal)
  }
  const own = fileFor('password', secretFile(configFile, 'sip'))
  const asterisks = fileFor('asterisk_password', secretFile(configFile, 'sip-asterisk'))
  const mode = statSync(configFile).mode & 0o777
  const secret = { mode: 0o600, belongsToFolder: false }
  return [
    { ...secret, path: own, like: configFile, text: `${password}\n` },
    {
      ...secret,
      path: asterisks,
      like: existsSync(own) ? own : configFile,
      text: `${asteriskPassword}\n`,
    },
    { ...secret, path: configFile, mode, text: document.toString({ lineWidth: 0 }) },
  ]
}

function refuseEnvironment(environment: NodeJS.ProcessEnv): void {
  for (const setting of ['asterisk.sip.password', 'asterisk.sip.asterisk_password'] as const) {
    const variable = passwordVariables[setting]
    if (environment[variable] === undefined) continue
    throw new Error(
      `nothing was written: the environment sets ${variable}, which goes before any file: unset it, for the service too`,
    )
  }
}
