import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EntityId, parseEntityId } from '../bridge/state.js'
import { writeAtomically } from './write-atomically.js'

/** The entity ID that was learnt from Asterisk in an earlier run, `undefined` where none (or nothing usable) was kept. */
export function readEntityId(stateDir: string): EntityId | undefined {
  try {
    return parseEntityId(readFileSync(join(stateDir, 'eid'), 'utf8').trim())
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Keeps the learnt entity ID for the next start, when the bridge may come up before its Asterisk. */
export function keepEntityId(stateDir: string, eid: EntityId): void {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  writeAtomically(join(stateDir, 'eid'), `${eid}\n`)
}
