import { closeSync, ftruncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isName, type Kind, kinds } from '../bridge/state.js'
import { reasonUnread } from '../plain-file.js'
import { isBareJid } from './forgotten.js'
import { readLines } from './read-lines.js'
import { replaceAtomically } from './write-atomically.js'

/** A bare JID and a name at their longest are 2,400 octets; 250,000 names of 600 octets are more than Asterisk holds. */
const bounds = { mostOctets: 150_000_000, mostLineOctets: 2_400 }

/** A name that a member has given Asterisk since that started. */
export interface NameEntry {
  /** Bare JID. */
  readonly jid: string
  readonly kind: Kind
  readonly id: string
  /** So many publishes at least had Asterisk taken by then. */
  readonly taken: number
}

/**
 * The names that Asterisk was given: a file `names` in `state_dir`, one line for each, its member, kind, name and what Asterisk
 * had taken by then, divided by tabs. Lines are appended; when Asterisk has restarted the file begins anew.
 */
export class Names {
  readonly #file: string
  /** With what the file is to begin anew; `undefined` where it need not. */
  #beginning: string | undefined
  /** Lines that the file has not got yet. */
  #lines: string[] = []
  #descriptor: number | undefined
  /** Octets that the file has. */
  #size = 0
  #entries: readonly NameEntry[]

  /** Reads what an earlier run wrote; what cannot be read is told to `lost` and left out. */
  constructor(directory: string, lost: (message: string) => void) {
    this.#file = join(directory, 'names')
    this.#entries = load(this.#file, lost)
    this.#beginning = this.#entries.map(lineOf).join('')
  }

  /** Gives what an earlier run wrote, once. */
  take(): readonly NameEntry[] {
    const entries = this.#entries
    this.#entries = []
    return entries
  }

  /** One more; `write` is to follow. */
  add(entry: NameEntry): void {
    this.#lines.push(lineOf(entry))
  }

  /** Asterisk has none any more; `write` is to follow. */
  clear(): void {
    this.#beginning = ''
    this.#lines = []
  }

  /** Throws the file system's error; what was not written then is kept for the next time. */
  write(): void {
    if (this.#beginning !== undefined) {
      const fresh = replaceAtomically(this.#file, this.#beginning)
      this.close()
      this.#descriptor = fresh
      this.#size = Buffer.byteLength(this.#beginning)
      this.#beginning = undefined
    }
    if (this.#descriptor === undefined || this.#lines.length === 0) return
    const octets = Buffer.from(this.#lines.join(''))
    try {
      for (let written = 0; written < octets.length;) {
        written += writeSync(this.#descriptor, octets, written)
      }
      this.#size += octets.length
      this.#lines = []
    } catch (error) {
      // What a full disk took of it would be a broken line. To cut it off needs no room.
      ftruncateSync(this.#descriptor, this.#size)
      throw error
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }
}

/** Names hold no control characters (`isName`), so that a tab divides and a line end ends. */
function lineOf({ jid, kind, id, taken }: NameEntry): string {
  return `${jid}\t${kind}\t${id}\t${taken}\n`
}

function load(file: string, lost: (message: string) => void): NameEntry[] {
  const entries: NameEntry[] = []
  let broken = 0
  try {
    // A torn last line is that of a bridge that was killed before it gave Asterisk the name.
    const { isTooLarge } = readLines(file, bounds, (line) => {
      const entry = parse(line)
      if (entry) entries.push(entry)
      else if (line !== '') broken += 1
    })
    if (isTooLarge)
      lost(`'${file}' has more than ${bounds.mostOctets} octets: the rest is not read`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    lost(`'${file}' cannot be read (${reasonUnread(error)}): names are counted from 0 again`)
  }
  if (broken > 0) lost(`${broken} lines of '${file}' are no names and are left out`)
  return entries
}

function parse(line: string): NameEntry | undefined {
  const [jid = '', kindText, id = '', taken = '', ...rest] = line.split('\t')
  const kind = kinds.find((known) => known === kindText)
  if (!isBareJid(jid) || kind === undefined || !isName(id) || rest.length > 0) return undefined
  return /^\d{1,15}$/.test(taken) ? { jid, kind, id, taken: Number(taken) } : undefined
}
