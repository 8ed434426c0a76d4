import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

const groupReads = 0o040

export interface PlannedFile {
  readonly path: string
  readonly text: string
  readonly mode: number
  /** Must the folder be there already, and does the file belong to whom the folder does (Asterisk's)? */
  readonly belongsToFolder: boolean
}

/** Throws an Error that names every target that is in the way or cannot be written; writes nothing. */
export function checkTargets(files: readonly PlannedFile[], mayReplace: boolean): void {
  const problems = files.flatMap(({ path, belongsToFolder }) => {
    const folder = dirname(path)
    if (belongsToFolder && !existsSync(folder)) return [`${path}: there is no folder ${folder}`]
    if (!existsSync(path)) return []
    if (!statSync(path).isFile()) return [`${path} is there and is no file`]
    return mayReplace ? [] : [`${path} is there already: --force replaces it`]
  })
  const twice = files.filter(
    ({ path }, index) => files.findIndex((one) => one.path === path) < index,
  )
  problems.push(...twice.map(({ path }) => `${path} is named twice`))
  if (problems.length > 0) throw new Error(['nothing was written:', ...problems].join('\n  '))
}

/** Writes all files or none: each is laid beside its target first and put in place when all lie there. */
export function writeFiles(files: readonly PlannedFile[]): void {
  const staged = files.map((file) => ({ ...file, stage: `${file.path}.new` }))
  try {
    for (const file of staged) stageFile(file)
    for (const { stage, path } of staged) renameSync(stage, path)
  } catch (error) {
    for (const { stage } of staged) rmSync(stage, { force: true })
    throw error
  }
}

/** Whom what it replaces belongs to may read the new one too: the service may run as that user, or in that group. */
function stageFile({
  path,
  stage,
  text,
  mode,
  belongsToFolder,
}: PlannedFile & { stage: string }): void {
  const folder = dirname(stage)
  if (!belongsToFolder) mkdirSync(folder, { recursive: true, mode: 0o755 })
  rmSync(stage, { force: true })
  writeFileSync(stage, text, { mode, flag: 'wx' })
  const replaced = statSync(path, { throwIfNoEntry: false })
  const owner = replaced ?? (belongsToFolder ? statSync(folder) : undefined)
  if (owner !== undefined && process.getuid?.() === 0) chownSync(stage, owner.uid, owner.gid)
  chmodSync(stage, mode | ((replaced?.mode ?? 0) & groupReads)) // whatever the umask took away
}
