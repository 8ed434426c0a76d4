import {
  closeSync,
  fchownSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'

/** Replaces a file in one step: a reader sees the old text or the new one, never a part. */
export function writeAtomically(file: string, text: string): void {
  closeSync(replaceAtomically(file, text))
}

/** The same, but gives the descriptor, open for more to be appended: by its path root might open what lies there instead. */
export function replaceAtomically(file: string, text: string): number {
  const fresh = `${file}.new`
  const descriptor = openFresh(fresh, text)
  return orUndo(descriptor, fresh, () => renameSync(fresh, file))
}

/**
 * Writes a file anew, for its owner alone. What root writes into the folder of another user belongs to that user, who is to
 * work with it later: `leave` may be run as root, the service is not.
 */
function openFresh(file: string, text: string): number {
  removeIfThere(file)
  // That it must not be there keeps root from following a link which the folder's owner has laid.
  const descriptor = openSync(file, 'ax', 0o600)
  return orUndo(descriptor, file, () => {
    if (process.geteuid?.() === 0) giveTo(descriptor, dirname(file))
    writeFileSync(descriptor, text)
  })
}

/** Gives the descriptor when the step is taken; where that throws nothing remains, which would keep the last room on a full disk. */
function orUndo(descriptor: number, file: string, step: () => void): number {
  try {
    step()
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    removeIfThere(file)
    throw error
  }
}

/** EPERM: it may not; EINVAL: the owner of the folder has no ID in this user namespace (chown(2)). */
const mayNotGive: ReadonlySet<string | undefined> = new Set(['EPERM', 'EINVAL'])

function giveTo(descriptor: number, folder: string): void {
  const { uid, gid } = statSync(folder)
  try {
    fchownSync(descriptor, uid, gid)
  } catch (error) {
    // A root that may give nothing away, as in some containers and on NFS, is the one that runs the bridge.
    if (!mayNotGive.has((error as NodeJS.ErrnoException).code)) throw error
  }
}

function removeIfThere(file: string): void {
  try {
    unlinkSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
