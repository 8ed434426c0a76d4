import { mkdirSync, statSync } from 'node:fs'
import type { JournalCommand } from '../bridge/commands.js'
import type { EntityId } from '../bridge/state.js'
import { type ForgottenEntry, Forgotten } from './forgotten.js'
import { Identity } from './identity.js'
import { Journal } from './journal.js'
import type { JournalEntry } from './living.js'
import { StateDirLock, StateDirLocked } from './lock.js'
import { type NameEntry, Names } from './names.js'
import { type Attempt, Retries } from './retries.js'

/** That the disk is full or failing may pass by itself; all else is for an administrator to mend. */
const passing: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EIO'])

/** There is no such folder, and it cannot be made: neither the lock nor the control socket would have a place. */
export class StateDirUnusable extends Error {
  override readonly name = 'StateDirUnusable'
  readonly isTemporary: boolean

  constructor(
    readonly directory: string,
    cause: Error,
  ) {
    super(
      `state_dir '${directory}' cannot be made: ${cause.message}: create it and give it to the user that runs hintbridge`,
      { cause },
    )
    this.isTemporary = passing.has((cause as NodeJS.ErrnoException).code)
  }
}

export interface StateDirWatch {
  /** Something to know that costs nothing. */
  warn(message: string): void
  /** What does not work of it, what that means and the remedy; `undefined` where all does (again). */
  problem(text: string | undefined): void
}

const ofUnwritten =
  'free space or repair it; it is tried again every 30 s at most. If this bridge is killed before, lamps of members that go ' +
  'meanwhile may stay lit until Asterisk restarts, and another bridge on this folder may not be noticed'
const ofLost =
  'What this bridge gave to Asterisk before this start may stay lit until its origin tells it anew or Asterisk restarts'

/**
 * The folder `state_dir`: the lock on it, the journal, the EID of Asterisk, the forgotten members. Only that the folder is there
 * and no other bridge uses it is needed to start: what cannot be read is not known, and what cannot be written is kept in
 * memory and written whole as soon as it can be. Without the lock nothing is written.
 */
export class StateDir {
  readonly #directory: string
  readonly #watch: StateDirWatch
  readonly #retries = new Retries()
  readonly #journal: Journal
  readonly #forgotten: Forgotten
  readonly #identity: Identity
  readonly #names: Names
  readonly #files: { readonly [File in 'journal' | 'forgotten' | 'identity' | 'names']: Attempt }
  readonly #unwritten = new Map<unknown, Error>()
  readonly #lost: string[] = []
  #areNamesDue = false
  #lock: StateDirLock | undefined
  #isClosed = false

  private constructor(directory: string, lock: StateDirLock | undefined, watch: StateDirWatch) {
    this.#directory = directory
    this.#watch = watch
    this.#lock = lock
    const lost = (message: string): void => {
      this.#lost.push(message)
      this.#tell()
    }
    this.#journal = new Journal(directory, {
      lost,
      warn: (message) => watch.warn(message),
      failed: (error) => this.#retries.later(this.#files.journal, error),
    })
    this.#forgotten = new Forgotten(directory, lost)
    this.#identity = new Identity(directory, lost)
    this.#names = new Names(directory, lost)
    this.#files = {
      journal: this.#attemptToWrite(this.#journal),
      forgotten: this.#attemptToWrite(this.#forgotten),
      identity: this.#attemptToWrite(this.#identity),
      names: this.#attemptToWrite(this.#names),
    }
  }

  /**
   * Makes the folder if need be, locks it, and reads and compacts what an earlier run left. Throws StateDirUnusable where there is no
   * folder, StateDirLocked where another bridge uses it; whatever else is wrong with it is told as a problem.
   */
  static async open(directory: string, watch: StateDirWatch): Promise<StateDir> {
    makeFolder(directory)
    const lock = await StateDirLock.take(directory).catch(unlessLocked)
    const isHeld = lock instanceof StateDirLock
    const stateDir = new StateDir(directory, isHeld ? lock : undefined, watch)
    if (!isHeld) stateDir.#retries.later(stateDir.#attemptToLock(), lock)
    void stateDir.#retries.attempt(stateDir.#files.journal)
    void stateDir.#retries.attempt(stateDir.#files.names)
    return stateDir
  }

  /** What earlier runs injected and did not withdraw, and this one. */
  injected(): JournalEntry[] {
    return this.#journal.entries()
  }

  /** Whom earlier runs were told to forget. */
  forgotten(): ForgottenEntry[] {
    return this.#forgotten.entries()
  }

  /** The names that Asterisk has been given since it started; once. */
  names(): readonly NameEntry[] {
    return this.#names.take()
  }

  /** The EID that Asterisk had when it was last kept. */
  get eid(): EntityId | undefined {
    return this.#identity.eid
  }

  /** The EID before that one; `undefined` where there was none. */
  get formerEid(): EntityId | undefined {
    return this.#identity.former
  }

  /** Keeps the EID of Asterisk, learnt or configured, for the next start, and the one before it. */
  keepEid(eid: EntityId): void {
    if (eid === this.#identity.eid) return
    this.#identity.set(eid)
    void this.#retries.attempt(this.#files.identity)
  }

  /**
   * Keeps the EID that Asterisk has moved to for the next start, which is to follow at once; says whether Asterisk had that one already
   * until minutes ago. Throws where the next start would take the old one.
   */
  keepMovedEid(eid: EntityId): boolean {
    const isReturn = this.#identity.set(eid)
    void this.#retries.attempt(this.#files.identity)
    // Also a full disk lets go of a file: the next start learns the EID anew.
    if (this.#retries.isWaiting(this.#files.identity)) {
      this.#requireLock()
      this.#identity.remove()
    }
    return isReturn
  }

  /** Performed before it returns, as far as the disk takes it; names with the next `writeNames`. */
  perform(command: JournalCommand): void {
    switch (command.do) {
      case 'addName':
        this.#names.add(command)
        this.#areNamesDue = true
        break
      case 'clearNames':
        this.#names.clear()
        this.#areNamesDue = true
        break
      case 'forget':
        this.#forgotten.set(command.jid, command.epochs)
        void this.#retries.attempt(this.#files.forgotten)
        break
      case 'add':
        this.#journal.add(command.eid, command.kind, command.id, command.isUncachable)
        break
      case 'remove':
        this.#journal.remove(command.eid, command.kind, command.id)
        break
    }
  }

  /** Writes the names that have come up, all at once: it is to be called before Asterisk is given any of them. */
  writeNames(): void {
    if (!this.#areNamesDue) return
    this.#areNamesDue = false
    void this.#retries.attempt(this.#files.names)
  }

  /** Tries something else in the folder, such as to make a socket, now and again with the rest until it is done. */
  attempt(attempt: Attempt): Promise<void> {
    return this.#retries.attempt({
      perform: () => {
        this.#requireLock()
        return attempt.perform()
      },
      tell: (error) => attempt.tell(error),
    })
  }

  /** Writes what waits, if that can be, and gives the folder back; may be called again. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.writeNames()
    this.#retries.stop()
    for (const file of Object.values(this.#files)) {
      if (this.#retries.isWaiting(file)) writeIfPossible(file)
    }
    this.#journal.close()
    this.#names.close()
    this.#lock?.release()
  }

  #attemptToWrite(file: { write(): void }): Attempt {
    return {
      perform: () => {
        this.#requireLock()
        file.write()
      },
      tell: (error) => this.#tellUnwritten(file, error),
    }
  }

  #attemptToLock(): Attempt {
    const lock = {}
    return {
      perform: async () => {
        this.#lock = await StateDirLock.take(this.#directory)
        if (this.#isClosed) this.#lock.release()
      },
      tell: (error) => this.#tellUnwritten(lock, error),
    }
  }

  #requireLock(): void {
    if (this.#lock === undefined) throw new Error('it is not locked')
  }

  #tellUnwritten(what: unknown, error: Error | undefined): void {
    if (error === undefined) this.#unwritten.delete(what)
    else this.#unwritten.set(what, error)
    this.#tell()
  }

  /** The first to fail says it for all: without the lock nothing is written. */
  #tell(): void {
    const [error] = this.#unwritten.values()
    const texts = [
      ...(error === undefined
        ? []
        : [`failed to write state_dir '${this.#directory}': ${error.message}; ${ofUnwritten}`]),
      ...(this.#lost.length === 0 ? [] : [...this.#lost, ofLost]),
    ]
    this.#watch.problem(texts.length === 0 ? undefined : texts.join('. '))
  }
}

function makeFolder(directory: string): void {
  try {
    if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() === true) return
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw error instanceof Error ? new StateDirUnusable(directory, error) : error
  }
}

/** The reason for which nobody holds the folder; throws where somebody does. */
function unlessLocked(error: unknown): unknown {
  if (error instanceof StateDirLocked) throw error
  return error
}

function writeIfPossible(file: Attempt): void {
  try {
    void file.perform()
  } catch {
    // It was told already, and it is kept nowhere.
  }
}
