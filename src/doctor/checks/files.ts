import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { passwordSettings } from '../../config/secrets.js'
import { at, textAt } from '../../config/tree.js'
import { readYaml } from '../../config/yaml.js'
import { readPlainFile } from '../../plain-file.js'
import { isRoot } from '../../privilege.js'
import type { Check } from '../check.js'
import { type Finding, Findings, Unchecked } from '../finding.js'

/** A user and its group, or whom a file belongs to. */
interface Owner {
  readonly uid: number
  readonly gid: number
}

export interface FileFacts extends Owner {
  readonly path: string
  readonly mode: number
  readonly holdsSecret: boolean
}

const root = 0
const groupReads = 0o040
const groupWrites = 0o020
const othersWrite = 0o002

/** Who else can write the configuration, from which root runs a program, and who else can read the passwords? */
export const filesCheck = (configFile: string): Check => ({
  name: 'files',
  async run({ config }) {
    const [service] = await factsOf(config.stateDir, false)
    if (service === undefined)
      throw new Unchecked(`whose the bridge is, is not known before there is ${config.stateDir}`)
    return judgeFiles(await readFacts(resolve(configFile)), service, isRoot())
  },
})

/** The configuration, its folder (who may write that may replace what is in it) and the files that it names. */
async function readFacts(configFile: string): Promise<FileFacts[]> {
  const folder = dirname(configFile)
  const read = readYaml(readPlainFile(configFile))
  const tree = 'tree' in read ? read.tree : {}
  const named = (settings: readonly string[]): string[] =>
    settings
      .map((setting) => textAt(tree, setting))
      .filter((file) => file !== undefined)
      .map((file) => resolve(folder, file))
  const hasPassword = passwordSettings.some((setting) => at(tree, setting) !== undefined)
  const secrets = named(passwordSettings.map((setting) => `${setting}_file`))
  const facts = await Promise.all([
    factsOf(folder, false),
    factsOf(configFile, hasPassword),
    ...named(['xmpp.tls.ca']).map((path) => factsOf(path, false)),
    ...secrets.map((path) => factsOf(path, true)),
  ])
  return facts.flat()
}

/** None of a file that is not there: a password in the environment goes before it. */
async function factsOf(path: string, holdsSecret: boolean): Promise<FileFacts[]> {
  try {
    const { uid, gid, mode } = await stat(path)
    return [{ path, uid, gid, mode, holdsSecret }]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

/**
 * The findings on the files of a bridge that runs as `service`. Who else writes them matters only where root asks. A password
 * that everybody can read the check of the configuration tells.
 */
export function judgeFiles(
  files: readonly FileFacts[],
  service: Owner,
  isAskedByRoot: boolean,
): Finding[] {
  const findings = new Findings('files')
  const found: Finding[] = []
  const written = isAskedByRoot ? files.filter(isWritableByOthers) : []
  if (written.length > 0) {
    const paths = written.map(({ path }) => path).join(', ')
    const remedy = `chown root:${service.gid} and chmod g-w,o-w: 'asterisk.console' there names a program that 'doctor' and 'explain' run as root`
    found.push(findings.warning(`others than root can write ${paths}`, remedy))
  }
  const read = files.filter((file) => file.holdsSecret && isReadableByOthers(file, service))
  if (read.length > 0) {
    const paths = read.map(({ path }) => path).join(', ')
    const remedy = `chown root:${service.gid} and chmod u=rw,g=r,o=`
    found.push(findings.warning(`others than root and the bridge can read ${paths}`, remedy))
  }
  return found.length > 0
    ? found
    : [findings.ok('no stranger can write the configuration or read its passwords')]
}

/** An owner may give itself what the mode does not. */
function isWritableByOthers({ uid, gid, mode }: FileFacts): boolean {
  const isGroups = gid !== root && (mode & groupWrites) !== 0
  return uid !== root || isGroups || (mode & othersWrite) !== 0
}

function isReadableByOthers({ uid, gid, mode }: FileFacts, service: Owner): boolean {
  const isGroups = ![root, service.gid].includes(gid) && (mode & groupReads) !== 0
  return ![root, service.uid].includes(uid) || isGroups
}
