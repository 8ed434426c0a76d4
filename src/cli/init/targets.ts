/** Which files `init` writes, and what is in their way. */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { GivenOptions } from './answers.js'

export interface Target {
  readonly path: string
  readonly mode: number
  /** Must the folder be there already, and does the file belong to whom the folder does (Asterisk's)? */
  readonly belongsToFolder: boolean
  /** Where it is not there yet: whom it belongs to, and whether a group reads it, is as with this one, if that is there. */
  readonly like?: string
}

/** The files of the bridge: a secret or an authority that lies where it belongs is none. */
export type BridgeTargets = {
  readonly config: Target
  readonly xmppPassword?: Target
  readonly ca?: Target
  readonly sipPassword: Target
  readonly asteriskPassword: Target
}

export function bridgeTargets(given: GivenOptions, configFile: string): BridgeTargets {
  const own = (path: string, mode: number): Target => ({ path, mode, belongsToFolder: false })
  const xmppPasswordFile = secretFile(configFile, 'xmpp')
  const caFile = authorityFile(configFile)
  return {
    config: own(resolve(configFile), 0o644),
    ...(!isSameFile(given['xmpp-password-file'], xmppPasswordFile) && {
      xmppPassword: own(xmppPasswordFile, 0o600),
    }),
    ...(given.ca !== undefined && !isSameFile(given.ca, caFile) && { ca: own(caFile, 0o644) }),
    sipPassword: own(secretFile(configFile, 'sip'), 0o600),
    asteriskPassword: {
      ...own(secretFile(configFile, 'sip-asterisk'), 0o600),
      like: secretFile(configFile, 'sip'),
    },
  }
}

export function asteriskTarget(asteriskConf: string): Target {
  return { path: resolve(asteriskConf), mode: 0o640, belongsToFolder: true }
}

/** Copied beside the configuration, so that all that the service reads lies in one folder that can be given to its user. */
export function authorityFile(configFile: string): string {
  return besideConfig(configFile, 'ca.pem')
}

export function secretFile(configFile: string, name: 'xmpp' | 'sip' | 'sip-asterisk'): string {
  return besideConfig(configFile, `${name}.secret`)
}

/** A configuration that is not named hintbridge.yaml has files of its own name. */
function besideConfig(configFile: string, name: string): string {
  const file = resolve(configFile)
  const stem = file.replace(/^.*\//, '').replace(/\.ya?ml$/, '')
  return join(dirname(file), stem === 'hintbridge' ? name : `${stem}.${name}`)
}

function isSameFile(given: string | undefined, target: string): boolean {
  return given !== undefined && resolve(given) === target
}

/** The files that are there and would be replaced. */
export function findPresent(targets: readonly Target[]): string[] {
  return targets.map(({ path }) => path).filter((path) => existsSync(path))
}

/** Why some of these files cannot be written at all, a line each. */
export function findObstacles(targets: readonly Target[]): string[] {
  return targets.flatMap(({ path, belongsToFolder }) => {
    const folder = dirname(path)
    if (belongsToFolder && !existsSync(folder)) return [`${path}: there is no folder ${folder}`]
    if (existsSync(path) && !statSync(path).isFile()) return [`${path} is there and is no file`]
    const obstacle = whyNotWritable(folder)
    return obstacle === undefined ? [] : [`${path}: ${obstacle}`]
  })
}

/** A folder that is not there is made, if the one that would hold it can be written. */
function whyNotWritable(folder: string): string | undefined {
  let place = folder
  while (!existsSync(place)) place = dirname(place)
  if (!statSync(place).isDirectory()) return `${place} is no folder`
  try {
    accessSync(place, constants.W_OK | constants.X_OK)
    return undefined
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return `${place} cannot be written (${code}): run this as root, or name another`
  }
}
