import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type EntityId, parseEntityId } from '../bridge/state.js'
import { readPlainFile, reasonUnread } from '../plain-file.js'
import { writeAtomically } from './write-atomically.js'

/** An EID that comes back so soon after it was given up speaks for two that come in turn. */
const returnMs = 10 * 60_000
/** Two EIDs take 36 octets. */
const mostOctets = 1_024

/**
 * The entity ID that was kept in an earlier run, `undefined` where none (or nothing usable) was; throws where the file
 * cannot be read.
 */
export function readEntityId(stateDir: string): EntityId | undefined {
  return readEntityIds(join(stateDir, 'eid'))[0]
}

/**
 * The entity ID of the own Asterisk: a file `eid` in `state_dir`, with the one before it, if there was one, in a second line. It
 * lets a bridge come up before its Asterisk, and tells when a configured one has changed.
 */
export class Identity {
  readonly #file: string
  #present: EntityId | undefined
  #before: EntityId | undefined
  /** When the present one was kept, ms of the epoch. */
  #sinceMs = 0

  /** Reads what an earlier run kept; where that cannot be read it tells `lost`, and the EID is learnt anew. */
  constructor(directory: string, lost: (message: string) => void) {
    this.#file = join(directory, 'eid')
    try {
      ;[this.#present, this.#before] = readEntityIds(this.#file)
      this.#sinceMs = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs ?? 0
    } catch (error) {
      const reason = reasonUnread(error)
      lost(`'${this.#file}' cannot be read (${reason}): the EID of Asterisk is learnt anew`)
    }
  }

  get eid(): EntityId | undefined {
    return this.#present
  }

  /** The entity ID that was kept before the present one; `undefined` where there was none. */
  get former(): EntityId | undefined {
    return this.#present === undefined ? undefined : this.#before
  }

  /** This is the one to be kept by `write`, with the one before it; says whether it was that one already until minutes ago. */
  set(eid: EntityId, nowMs = Date.now()): boolean {
    const isReturn = this.#before === eid && nowMs - this.#sinceMs < returnMs
    if (eid !== this.#present) {
      this.#before = this.#present
      this.#present = eid
      this.#sinceMs = nowMs
    }
    return isReturn
  }

  /** Throws the file system's error. */
  write(): void {
    if (this.#present === undefined) return
    const before = this.#before === undefined ? '' : `${this.#before}\n`
    writeAtomically(this.#file, `${this.#present}\n${before}`)
  }

  /** Has the next start learn it anew: of a file that cannot be written it would take a wrong one. Throws as `write`. */
  remove(): void {
    rmSync(this.#file, { force: true })
  }
}

/** The present one and the one before it. Root must not copy what a link in another user's folder points to: only EIDs are read. */
function readEntityIds(file: string): readonly (EntityId | undefined)[] {
  try {
    const [first = '', second = ''] = readPlainFile(file, mostOctets).trim().split('\n')
    return [parseEntityId(first), parseEntityId(second)]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
