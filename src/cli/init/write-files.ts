import {
  closeSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { isRoot } from '../../privilege.js'
import type { Target } from './targets.js'

const groupReads = 0o040

export interface PlannedFile extends Target {
  readonly text: string
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
  like = path,
}: PlannedFile & { stage: string }): void {
  const folder = dirname(stage)
  if (!belongsToFolder) mkdirSync(folder, { recursive: true, mode: 0o755 })
  rmSync(stage, { force: true })
  // Only the descriptor is used from here: at the path the folder's owner may have laid a link for root to follow.
  const descriptor = openSync(stage, 'wx', mode)
  try {
    writeFileSync(descriptor, text)
    const replaced =
      statSync(path, { throwIfNoEntry: false }) ?? statSync(like, { throwIfNoEntry: false })
    const owner = replaced ?? (belongsToFolder ? statSync(folder) : undefined)
    if (owner !== undefined && isRoot()) giveTo(owner, descriptor, path)
    fchmodSync(descriptor, mode | ((replaced?.mode ?? 0) & groupReads)) // whatever the umask took away
  } finally {
    closeSync(descriptor)
  }
}

function giveTo({ uid, gid }: Stats, descriptor: number, path: string): void {
  try {
    fchownSync(descriptor, uid, gid)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new Error(
      `${path}: cannot be given to user ${uid} and group ${gid} (${code}): run this where root may do so`,
      { cause },
    )
  }
}
