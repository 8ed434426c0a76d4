import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type EntityId, parseEntityId } from '../bridge/state.js'
import { writeAtomically } from './write-atomically.js'

/** The entity ID that was learnt from Asterisk in an earlier run, `undefined` where none (or nothing usable) was kept. */
export function readEntityId(stateDir: string): EntityId | undefined {
  try {
    return parseEntityId(linesOf(stateDir)[0] ?? '')
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

/** The entity ID that was kept before the present one; `undefined` where there was none. */
export function readFormerEntityId(stateDir: string): EntityId | undefined {
  if (readEntityId(stateDir) === undefined) return undefined
  return parseEntityId(linesOf(stateDir)[1] ?? '')
}

/** Keeps an entity ID that the configuration sets, so that a later change of it leaves a trace. */
export function keepConfiguredEntityId(stateDir: string, eid: EntityId): void {
  const present = readEntityId(stateDir)
  if (present === undefined) keepEntityId(stateDir, eid)
  else if (present !== eid) keepMovedEntityId(stateDir, eid)
}

/** An EID that comes back so soon after it was given up speaks for two that come in turn. */
const returnMs = 10 * 60_000

/**
 * Keeps the entity ID that Asterisk has moved to for the next start, and the one before on a second line; says whether it
 * had that one already until minutes ago.
 */
export function keepMovedEntityId(stateDir: string, eid: EntityId, nowMs = Date.now()): boolean {
  // Root must not copy what a link in another user's folder points to: only an EID is kept.
  const [present, before] = linesOf(stateDir).map(parseEntityId)
  const isReturn = before === eid && nowMs - statSync(join(stateDir, 'eid')).mtimeMs < returnMs
  writeAtomically(join(stateDir, 'eid'), `${eid}\n${present ?? ''}\n`)
  return isReturn
}

function linesOf(stateDir: string): string[] {
  return readFileSync(join(stateDir, 'eid'), 'utf8').trim().split('\n')
}
