import { renameSync, writeFileSync } from 'node:fs'

/** Replaces a file in one step: a reader sees the old text or the new one, never a part. */
export function writeAtomically(file: string, text: string): void {
  const fresh = `${file}.new`
  writeFileSync(fresh, text, { mode: 0o600 })
  renameSync(fresh, file)
}
