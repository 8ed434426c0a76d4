import { closeSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { JournalCommand } from '../bridge/commands.js'
import { type EntityId, isName, type Kind, kinds, parseEntityId } from '../bridge/state.js'
import { type ForgottenEntry, Forgotten } from './forgotten.js'
import { type JournalEntry, Living } from './living.js'
import { type NameEntry, Names } from './names.js'
import { StateDirLock } from './lock.js'
import { inStateDir } from './state-dir.js'
import { replaceAtomically } from './write-atomically.js'

export interface JournalWatch {
  /** Something in the file was not understood and is left out. */
  warn(message: string): void
  /**
   * The disk took no line (`error`) or takes them again (`undefined`). What is journalled meanwhile is kept in memory and
   * written whole at the next chance: bridging goes on, but a crash now could leave a dead peer's states behind.
   */
  trouble(error: Error | undefined): void
}

const uncachable = 'uncachable'

/** The file is rewritten when it has this many lines more than twice what lives. */
const slackLines = 1000

/**
 * The journal of rule 9: an append-only file `journal` in `state_dir`, one line for each add (`+`) and remove (`-`), fields
 * divided by tabs, `uncachable` the last one where it is so. A line is handed to the kernel before `add` returns, so it survives the death of this process. It is
 * not synced to the disk: a crash of the machine takes Asterisk's memory with it, and so all that the journal is for.
 */
export class Journal {
  readonly #file: string
  readonly #lock: StateDirLock
  readonly #watch: JournalWatch
  readonly #living: Living
  readonly #forgotten: Forgotten
  readonly #names: Names
  #descriptor: number | undefined
  #lines = 0
  #isBehind = false
  #isClosed = false

  private constructor(directory: string, lock: StateDirLock, watch: JournalWatch) {
    this.#file = join(directory, 'journal')
    this.#lock = lock
    this.#watch = watch
    this.#living = load(this.#file, watch)
    this.#forgotten = new Forgotten(directory, (message) => watch.warn(message))
    this.#names = new Names(directory, (message) => watch.warn(message))
  }

  /** Locks the folder, reads what an earlier run left and compacts it; throws StateDirLocked, StateDirUnusable or the file system's error. */
  static open(directory: string, watch: JournalWatch): Journal {
    return inStateDir(directory, () => Journal.#open(directory, watch))
  }

  static #open(directory: string, watch: JournalWatch): Journal {
    const lock = StateDirLock.take(directory)
    try {
      const journal = new Journal(directory, lock, watch)
      journal.#compact()
      journal.#names.write()
      return journal
    } catch (error) {
      lock.release()
      throw error
    }
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
    if (this.#living.add(entry)) this.#append(`${lineOf(entry)}\n`)
  }

  /** Notes that this was withdrawn. */
  remove(eid: EntityId, kind: Kind, id: string): void {
    const entry = { eid, kind, id }
    if (this.#living.remove(entry)) this.#append(`-\t${fieldsOf(entry)}\n`)
  }

  /** Whom earlier runs were told to forget. */
  forgotten(): ForgottenEntry[] {
    return this.#forgotten.entries()
  }

  /** Notes that this member is forgotten in these epochs; in none: no more. */
  forget(jid: string, epochs: readonly string[]): void {
    this.#forgotten.set(jid, epochs)
    this.#attempt(() => this.#forgotten.write())
  }

  /** The names that Asterisk has been given since it started; once. */
  names(): readonly NameEntry[] {
    return this.#names.take()
  }

  perform(command: JournalCommand): void {
    switch (command.do) {
      case 'addName':
        this.#names.add(command)
        this.#attempt(() => this.#names.write())
        break
      case 'clearNames':
        this.#names.clear()
        this.#attempt(() => this.#names.write())
        break
      case 'forget':
        this.forget(command.jid, command.epochs)
        break
      case 'add':
        this.add(command.eid, command.kind, command.id, command.isUncachable)
        break
      case 'remove':
        this.remove(command.eid, command.kind, command.id)
        break
    }
  }

  /** Closes the file and gives the folder back; may be called again. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#names.close()
    this.#lock.release()
  }

  #append(line: string): void {
    this.#attempt(() => {
      if (this.#lines > 2 * this.#living.size + slackLines) this.#compact()
      else this.#write(line)
    })
  }

  #attempt(write: () => void): void {
    try {
      if (this.#isClosed) throw new Error('the journal is closed')
      if (this.#isBehind) this.#writeAll()
      else write()
      if (this.#isBehind) this.#watch.trouble(undefined)
      this.#isBehind = false
    } catch (error) {
      if (!this.#isBehind) this.#watch.trouble(asError(error))
      this.#isBehind = true
    }
  }

  /** What failed before is in memory. */
  #writeAll(): void {
    this.#compact()
    this.#forgotten.write()
    this.#names.write()
  }

  #write(line: string): void {
    if (this.#descriptor === undefined) throw new Error('the journal is not open')
    const octets = Buffer.from(line)
    for (let written = 0; written < octets.length;) {
      written += writeSync(this.#descriptor, octets, written)
    }
    this.#lines += 1
  }

  /** Rewrites the file to what lives, in one step. */
  #compact(): void {
    const text = this.entries()
      .map((entry) => `${lineOf(entry)}\n`)
      .join('')
    const fresh = replaceAtomically(this.#file, text)
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = fresh
    this.#lines = this.#living.size
  }
}

/** Names hold no control characters (`isName`), so that a tab divides and a line end ends. */
function fieldsOf({ eid, kind, id }: JournalEntry): string {
  return `${eid}\t${kind}\t${id}`
}

function lineOf(entry: JournalEntry): string {
  return `+\t${fieldsOf(entry)}${entry.isUncachable ? `\t${uncachable}` : ''}`
}

function load(file: string, watch: JournalWatch): Living {
  const living = new Living()
  const lines = readIfThere(file).split('\n')
  const torn = lines.pop() ?? ''
  if (torn !== '')
    watch.warn(`the last line of ${file} is torn and left out: the bridge was killed`)
  let broken = 0
  for (const line of lines) {
    const [sign, ...fields] = line.split('\t')
    const entry = parseEntry(fields)
    if (entry === undefined || (sign !== '+' && sign !== '-')) broken += 1
    else if (sign === '+') living.add(entry)
    else living.remove(entry)
  }
  if (broken > 0) watch.warn(`${broken} lines of ${file} are no journal entries and are left out`)
  return living
}

function parseEntry([eidText = '', kindText = '', id = '', flag, ...rest]: string[]):
  JournalEntry | undefined {
  const eid = parseEntityId(eidText)
  const kind = kinds.find((known) => known === kindText)
  if (eid === undefined || kind === undefined || !isName(id) || rest.length > 0) return undefined
  if (flag !== undefined && flag !== uncachable) return undefined
  return { eid, kind, id, ...(flag === uncachable && { isUncachable: true }) }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
