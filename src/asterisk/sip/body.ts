/** The JSON bodies of Asterisk's PUBLISH. Source: Asterisk `res/res_pjsip_publish_asterisk.c`. */
import { fenceNonces } from '../../bridge/commands.js'
import {
  deviceStates,
  isCount,
  parseDeviceState,
  isName,
  parseEntityId,
  type EntityId,
  type Kind,
  type StateEntry,
} from '../../bridge/state.js'

/** The event package of each kind. */
export const eventPackages: Readonly<Record<Kind, string>> = {
  device_state: 'asterisk-devicestate',
  message_waiting: 'asterisk-mwi',
}

/** What a body says: a state, or a request for all states, and the EID under which it is said. */
export interface AsteriskBody {
  readonly eid: EntityId
  /** Absent: it is a `refresh`. */
  readonly entry?: StateEntry
}

/** A body that is not taken; `reason` is the label under which it is counted. */
export class BodyError extends Error {
  override readonly name = 'BodyError'

  constructor(readonly reason: 'body' | 'eid' | 'type' | 'name' | 'state' | 'count') {
    super(`body of a PUBLISH refused: ${reason}`)
  }
}

type Json = Readonly<Record<string, unknown>>

/**
 * Decodes one body of the event package of that kind.
 * @throws {BodyError} where it is none, or holds what is outside its domain.
 */
export function decodeBody(kind: Kind, text: string): AsteriskBody {
  const json = parseObject(text)
  const eid = parseEntityId(stringOf(json, 'eid', 'eid'))
  if (eid === undefined) throw new BodyError('eid')
  const type = stringOf(json, 'type', 'type')
  if (type === 'refresh') return { eid }
  if (kind === 'device_state' && type === 'devicestate') return { eid, entry: decodeDevice(json) }
  if (kind === 'message_waiting' && type === 'mailboxstate') {
    return { eid, entry: decodeMailbox(json) }
  }
  throw new BodyError('type')
}

function parseObject(text: string): Json {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new BodyError('body')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BodyError('body')
  }
  return value as Json
}

function stringOf(json: Json, key: string, reason: BodyError['reason']): string {
  const value = json[key]
  if (typeof value !== 'string') throw new BodyError(reason)
  return value
}

function nameOf(json: Json, key: string): string {
  const name = stringOf(json, key, 'name')
  if (!isName(name)) throw new BodyError('name')
  return name
}

function decodeDevice(json: Json): StateEntry {
  const id = nameOf(json, 'device')
  const state = parseDeviceState(stringOf(json, 'state', 'state'))
  if (state === undefined) throw new BodyError('state')
  // An integer on the wire, and what is missing means uncachable: `ast_json_integer_get` of nothing is 0.
  const value = json['cachable']
  const cachable = value === true || (typeof value === 'number' && value > 0)
  return { kind: 'device_state', id, state, cachable }
}

function decodeMailbox(json: Json): StateEntry {
  const id = nameOf(json, 'uniqueid')
  const newMessages = json['new']
  const oldMessages = json['old']
  if (typeof newMessages !== 'number' || !isCount(newMessages)) throw new BodyError('count')
  if (typeof oldMessages !== 'number' || !isCount(oldMessages)) throw new BodyError('count')
  return { kind: 'message_waiting', id, newMessages, oldMessages }
}

/** The body that tells Asterisk a state under that EID. */
export function encodeState(eid: EntityId, entry: StateEntry): string {
  if (entry.kind === 'device_state') {
    const { id, state, cachable } = entry
    return JSON.stringify({
      type: 'devicestate',
      device: id,
      state,
      cachable: cachable ? 1 : 0,
      eid,
    })
  }
  const { id, newMessages, oldMessages } = entry
  return JSON.stringify({
    type: 'mailboxstate',
    uniqueid: id,
    old: oldMessages,
    new: newMessages,
    eid,
  })
}

/** The body that asks Asterisk for all its states of the publication's kind. */
export function encodeRefresh(eid: EntityId): string {
  return JSON.stringify({ type: 'refresh', eid })
}

const fenceDevice = 'hintbridge:fence-'
const fenceMailbox = 'hintbridge@fence'
/** The nonce of a device fence is its name and its state: Asterisk never frees a name. */
const fenceStates = deviceStates.slice(0, 8)

/**
 * The fence of that nonce, below `fenceNonces` (rule 1): an uncachable device, which Asterisk does not keep; or a mailbox, the
 * nonce its count.
 */
export function fenceEntry(kind: Kind, nonce: number): StateEntry {
  if (kind === 'message_waiting') {
    return { kind, id: fenceMailbox, newMessages: nonce, oldMessages: 0 }
  }
  const state = fenceStates[nonce % fenceStates.length] ?? 'UNKNOWN'
  const name = `${fenceDevice}${Math.floor(nonce / fenceStates.length)}`
  return { kind, id: name, state, cachable: false }
}

/** Above the nonces of the domain's fences, within Asterisk's `int`. */
const leastProofNonce = 2 ** 30

/**
 * A fence that the edge sends for itself, of a nonce below 2^30: it comes back with Asterisk's credentials. The device has one name, for Asterisk
 * never frees one.
 */
export function proofEntry(kind: Kind, nonce: number): StateEntry {
  return kind === 'device_state'
    ? { kind, id: `${fenceDevice}proof`, state: 'NOT_INUSE', cachable: false }
    : { kind, id: fenceMailbox, newMessages: leastProofNonce + nonce, oldMessages: 0 }
}

/** The nonce of a mailbox that the edge sent for itself. */
export function proofNonce(entry: StateEntry): number | undefined {
  if (entry.kind !== 'message_waiting' || entry.id !== fenceMailbox) return undefined
  return entry.newMessages >= leastProofNonce ? entry.newMessages - leastProofNonce : undefined
}

/** The device that res_mwi_devstate derives from the fence mailbox. */
const fenceShadow = `MWI:${fenceMailbox}`

/** The nonce, if the entry is a fence: `NaN` for one without, to be dropped. */
export function fenceNonce(entry: StateEntry): number | undefined {
  if (entry.kind === 'message_waiting') {
    return entry.id === fenceMailbox ? entry.newMessages : undefined
  }
  if (entry.id === fenceShadow) return NaN
  if (!entry.id.startsWith(fenceDevice)) return undefined
  const digits = entry.id.slice(fenceDevice.length)
  if (!/^\d{1,3}$/.test(digits)) return NaN
  const nonce = Number(digits) * fenceStates.length + fenceStates.indexOf(entry.state)
  return nonce < fenceNonces ? nonce : NaN
}
