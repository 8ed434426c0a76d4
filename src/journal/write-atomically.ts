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
  const fresh = `${file}.new`
  writeFresh(fresh, text)
  renameSync(fresh, file)
}

/**
 * Writes a file anew, for its owner alone. What root writes into the folder of another user belongs to that user, who is to
 * work with it later: `leave` may be run as root, the service is not.
 */
export function writeFresh(file: string, text: string): void {
  removeIfThere(file)
  // That it must not be there keeps root from following a link which the folder's owner has laid.
  const descriptor = openSync(file, 'wx', 0o600)
  try {
    if (process.geteuid?.() === 0) giveTo(descriptor, dirname(file))
    writeFileSync(descriptor, text)
  } finally {
    closeSync(descriptor)
  }
}

function giveTo(descriptor: number, folder: string): void {
  const { uid, gid } = statSync(folder)
  try {
    fchownSync(descriptor, uid, gid)
  } catch (error) {
    // A root that may give nothing away, as in some containers and on NFS, is the one that runs the bridge.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error
  }
}

function removeIfThere(file: string): void {
  try {
    unlinkSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
