import { closeSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type EntityId, isName, type Kind, kinds, parseEntityId } from '../bridge/state.js'
import { reasonUnread } from '../plain-file.js'
import { type JournalEntry, Living } from './living.js'
import { readLines } from './read-lines.js'
import { replaceAtomically } from './write-atomically.js'

export interface JournalOutlets {
  /** Something to know that costs nothing, such as a torn last line. */
  warn(message: string): void
  /** Something is not known that was: it stands until the next start. */
  lost(message: string): void
  /** The disk took no line, or not the file as a whole: `write` is to be called later. Bridging goes on. */
  failed(error: unknown): void
}

const uncachable = 'uncachable'

/** The file is rewritten when it has this many lines more than twice what lives. */
const slackLines = 1000

/** So many are kept: more than Asterisk can hold, to which each name costs 8 kB and more for ever. */
const mostEntries = 250_000
/** `+`, EID, kind, name and `uncachable`. Source: `maxNameOctets`. */
const mostLineOctets = 320
/** A larger file is not of this program, which writes so many lines of that length at most. */
const mostOctets = (2 * mostEntries + 2 * slackLines) * mostLineOctets

/**
 * The journal of rule 9: an append-only file `journal` in `state_dir`, one line for each add (`+`) and remove (`-`), fields
 * divided by tabs, `uncachable` the last one where it is so. A line is handed to the kernel before `add` returns, so it survives the death of this process. It is
 * not synced to the disk: a crash of the machine takes Asterisk's memory with it, and so all that the journal is for.
 */
export class Journal {
  readonly #file: string
  /** What could not be read when this started: it is kept there, and read first at the next start. */
  readonly #aside: string
  readonly #outlets: JournalOutlets
  readonly #living = new Living(mostEntries)
  #descriptor: number | undefined
  #lines = 0
  #octets = 0
  /** Has the file all that lives? Else lines are left out until it was written as a whole. */
  #isWhole = false
  #isTooLong = false
  #isUnread: boolean
  #isAsideRead: boolean
  #isFull = false

  /** Reads what an earlier run left; nothing is written before `write`. */
  constructor(directory: string, outlets: JournalOutlets) {
    this.#file = join(directory, 'journal')
    this.#aside = join(directory, 'journal.unread')
    this.#outlets = outlets
    this.#isAsideRead = this.#load(this.#aside)
    this.#isUnread = !this.#load(this.#file)
  }

  entries(): JournalEntry[] {
    return [...this.#living.entries()]
  }

  get size(): number {
    return this.#living.size
  }

  /** Notes that this is about to be injected, or otherwise than before. */
  add(eid: EntityId, kind: Kind, id: string, isUncachable = false): void {
    const entry = { eid, kind, id, isUncachable }
    const taken = this.#living.add(entry)
    if (taken === 'news') this.#append(`${lineOf(entry)}\n`)
    else if (taken === 'too many') this.#tellFull()
  }

  /** Notes that this was withdrawn. */
  remove(eid: EntityId, kind: Kind, id: string): void {
    const entry = { eid, kind, id }
    if (this.#living.remove(entry)) this.#append(`-\t${fieldsOf(entry)}\n`)
  }

  /** Writes the file to what lives, in one step; throws the file system's error. */
  write(): void {
    if (this.#isUnread) this.#setAside()
    const text = this.entries()
      .map((entry) => `${lineOf(entry)}\n`)
      .join('')
    const fresh = replaceAtomically(this.#file, text)
    this.close()
    this.#descriptor = fresh
    this.#lines = this.#living.size
    this.#octets = Buffer.byteLength(text)
    this.#isWhole = true
    this.#isTooLong = false
    if (this.#isAsideRead) rmSync(this.#aside, { force: true })
  }

  /** Closes the file: until the next `write` nothing is written. May be called again. */
  close(): void {
    this.#isWhole = false
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  #append(line: string): void {
    if (!this.#isWhole) return
    try {
      this.#writeLine(Buffer.from(line))
    } catch (error) {
      this.#isWhole = false
      this.#outlets.failed(error)
      return
    }
    if (this.#isTooLong || this.#lines <= 2 * this.#living.size + slackLines) return
    try {
      this.write()
    } catch (error) {
      // It goes on in the long file: there may be room for lines, and none for a second file.
      this.#isTooLong = true
      this.#outlets.failed(error)
    }
  }

  #writeLine(octets: Buffer): void {
    if (this.#descriptor === undefined) throw new Error('the journal is not open')
    this.#octets += octets.length
    if (this.#octets > mostOctets) throw new Error(`the journal has ${mostOctets} octets`)
    for (let written = 0; written < octets.length;) {
      written += writeSync(this.#descriptor, octets, written)
    }
    this.#lines += 1
  }

  #setAside(): void {
    try {
      renameSync(this.#file, this.#aside)
      this.#isAsideRead = false
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
    this.#isUnread = false
  }

  #tellFull(): void {
    if (!this.#isFull) {
      this.#outlets.lost(
        `Asterisk holds more than ${mostEntries} states of other members: of more the journal keeps none. ` +
          'Narrow their share filters, then restart Asterisk and this bridge',
      )
    }
    this.#isFull = true
  }

  /** Says whether the file could be read, or is not there. */
  #load(file: string): boolean {
    const outlets = this.#outlets
    let broken = 0
    try {
      const { isTorn, isTooLarge } = readLines(file, { mostOctets, mostLineOctets }, (line) => {
        if (!this.#take(line)) broken += 1
      })
      if (isTorn)
        outlets.warn(`the last line of ${file} is torn and left out: the bridge was killed`)
      if (isTooLarge) {
        outlets.lost(
          `'${file}' has more than ${mostOctets} octets, of which this bridge read no more`,
        )
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true
      outlets.lost(
        `'${file}' cannot be read (${reasonUnread(error)}): it is kept as '${this.#aside}', which each start reads if it can. ` +
          'Make it readable and restart the bridge, or remove it and restart Asterisk',
      )
      return false
    }
    if (broken > 0)
      outlets.lost(`${broken} lines of '${file}' are no journal entries and are left out`)
    return true
  }

  /** Says whether that is an entry. */
  #take(line: string): boolean {
    const [sign, ...fields] = line.split('\t')
    const entry = parseEntry(fields)
    if (entry === undefined || (sign !== '+' && sign !== '-')) return false
    if (sign === '-') this.#living.remove(entry)
    else if (this.#living.add(entry) === 'too many') this.#tellFull()
    return true
  }
}

/** Names hold no control characters (`isName`), so that a tab divides and a line end ends. */
function fieldsOf({ eid, kind, id }: JournalEntry): string {
  return `${eid}\t${kind}\t${id}`
}

function lineOf(entry: JournalEntry): string {
  return `+\t${fieldsOf(entry)}${entry.isUncachable ? `\t${uncachable}` : ''}`
}

function parseEntry([eidText = '', kindText = '', id = '', flag, ...rest]: string[]):
  JournalEntry | undefined {
  const eid = parseEntityId(eidText)
  const kind = kinds.find((known) => known === kindText)
  if (eid === undefined || kind === undefined || !isName(id) || rest.length > 0) return undefined
  if (flag !== undefined && flag !== uncachable) return undefined
  return { eid, kind, id, ...(flag === uncachable && { isUncachable: true }) }
}
