/** Files that somebody else may have put there: a FIFO would block for ever, a device answers without end. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'

/** It is no plain file, or a larger one than what it stands for can be; temporary as little as a missing file. */
export class NotPlainFile extends Error {
  override readonly name = 'NotPlainFile'
}

/**
 * Reads a plain file, by links too, as UTF-8 and by default to 1 MiB. Throws NotPlainFile for a folder, a FIFO, a socket or a
 * device, none of which is opened, and for a larger file; else the file system's error.
 */
export function readPlainFile(path: string, mostOctets = 1_048_576): string {
  const parts: Buffer[] = []
  let octets = 0
  for (const part of readPlainFileInParts(path)) {
    octets += part.length
    if (octets > mostOctets) throw new NotPlainFile(`it is larger than ${mostOctets} octets`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** The same text, or none where there is no such file. */
export function readPlainFileIfThere(path: string, mostOctets?: number): string {
  try {
    return readPlainFile(path, mostOctets)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

/** The content of a plain file piece by piece, of 64 KiB at most, each its own memory; throws as `readPlainFile`. */
export function* readPlainFileInParts(path: string): Generator<Buffer> {
  const descriptor = openPlainFile(path)
  try {
    for (;;) {
      const part = Buffer.allocUnsafe(65_536)
      const length = readSync(descriptor, part)
      if (length === 0) return
      yield part.subarray(0, length)
    }
  } finally {
    closeSync(descriptor)
  }
}

/** Why a file was not read, in a few words: `ENOENT`, `it is a FIFO, no plain file`. */
export function reasonUnread(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException
  return code ?? (error instanceof Error ? error.message : String(error))
}

function openPlainFile(path: string): number {
  // Already to open a device may do something (a tape rewinds, a watchdog starts): look first.
  requirePlain(statSync(path))
  // In case it has changed since: a FIFO without a writer is opened at once only so.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY)
  try {
    requirePlain(fstatSync(descriptor))
    return descriptor
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

function requirePlain(stats: Stats): void {
  if (!stats.isFile()) throw new NotPlainFile(`it is ${kindOf(stats)}, no plain file`)
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a folder'
  if (stats.isFIFO()) return 'a FIFO'
  return stats.isSocket() ? 'a socket' : 'a device'
}
