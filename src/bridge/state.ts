/**
 * The words of the domain: device states and message counts as Asterisk names them.
 * Source: Asterisk `include/asterisk/devicestate.h`, `include/asterisk/mwi.h`.
 */

/** The nine device states, spelled as `ast_devstate_str` spells them and as they stand on the wire. */
export const deviceStates = [
  'UNKNOWN',
  'NOT_INUSE',
  'INUSE',
  'BUSY',
  'INVALID',
  'UNAVAILABLE',
  'RINGING',
  'RINGINUSE',
  'ONHOLD',
] as const

export type DeviceState = (typeof deviceStates)[number]

const knownStates: ReadonlyMap<string, DeviceState> = new Map(
  deviceStates.map((state) => [state, state]),
)

export function isDeviceState(text: string): text is DeviceState {
  return knownStates.has(text)
}

/** That state as one and the same string for all: what was read of it need not be kept. */
export function parseDeviceState(text: string): DeviceState | undefined {
  return knownStates.get(text)
}

/** The two kinds of state that are shared; also the names of the retained nodes. */
export const kinds = ['device_state', 'message_waiting'] as const

export type Kind = (typeof kinds)[number]

/** State of one device at one origin; `id` is the device name, such as `PJSIP/1001`, case-sensitive. */
export interface DeviceEntry {
  readonly kind: 'device_state'
  readonly id: string
  readonly state: DeviceState
  readonly cachable: boolean
}

/** Message counts of one mailbox at one origin; `id` is `mailbox@context`. */
export interface MailboxEntry {
  readonly kind: 'message_waiting'
  readonly id: string
  readonly newMessages: number
  readonly oldMessages: number
}

export type StateEntry = DeviceEntry | MailboxEntry

/** What its origin no longer has. */
export interface GoneEntry {
  readonly kind: 'gone'
  readonly of: Kind
  readonly id: string
}

export type FeedEntry = StateEntry | GoneEntry

/** How many of the entries are of each kind; kinds without one are left out. */
export function tally(entries: readonly FeedEntry[]): [Kind, number][] {
  let mailboxes = 0
  for (const entry of entries) {
    if ((entry.kind === 'gone' ? entry.of : entry.kind) === 'message_waiting') mailboxes += 1
  }
  const counts: [Kind, number][] = [
    ['device_state', entries.length - mailboxes],
    ['message_waiting', mailboxes],
  ]
  return counts.filter(([, count]) => count > 0)
}

/** Do two entries of the same kind and id say the same? */
export function isSameState(a: StateEntry, b: StateEntry): boolean {
  if (a.kind === 'device_state') {
    return b.kind === 'device_state' && a.state === b.state && a.cachable === b.cachable
  }
  return (
    b.kind === 'message_waiting' &&
    a.newMessages === b.newMessages &&
    a.oldMessages === b.oldMessages
  )
}

/** Longest device or mailbox name in UTF-8 octets that is accepted from Asterisk or a peer. */
export const maxNameOctets = 255

/** Largest message count that is accepted: what Asterisk's `int` holds. */
export const maxCount = 2_147_483_647

/** May this text be the name of a device or mailbox: 1 to 255 octets, no control characters, no lone surrogates? */
export function isName(text: string): boolean {
  return (
    text.length > 0 &&
    Buffer.byteLength(text) <= maxNameOctets &&
    !/[\p{Cc}\p{Cs}\uFFFE\uFFFF\u2028\u2029]/u.test(text)
  )
}

export function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= maxCount
}

/** An Asterisk entity ID: six hex octets in lower case, `02:00:00:00:00:0a`. */
export type EntityId = string

/** As nearly all come, each time with a state. */
const oneSpelling = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/

function respelled(text: string): EntityId | undefined {
  if (!/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text)) return undefined
  const octets = text.toLowerCase().split(':')
  return octets.map((octet) => octet.padStart(2, '0')).join(':')
}

/**
 * Brings an entity ID to its one spelling (lower case, two digits an octet), or `undefined` where the text is none.
 * The all-zero EID is Asterisk's "empty" one and is refused (protocol rule 18).
 */
export function parseEntityId(text: string): EntityId | undefined {
  const eid = oneSpelling.test(text) ? text : respelled(text)
  return eid === '00:00:00:00:00:00' ? undefined : eid
}

/**
 * One string for kind and id; sorted, keys stand in the order of snapshot pages (rule 14). A device's is its name as it
 * stands, which costs nothing; a mailbox's begins with what is in no name and sorts behind all of them.
 */
export type Key = string

const mailboxMark = '\uFFFF'

export function keyOf(kind: Kind, id: string): Key {
  return kind === 'device_state' ? id : mailboxMark + id
}

export function kindOfKey(key: Key): Kind {
  return key.startsWith(mailboxMark) ? 'message_waiting' : 'device_state'
}

export function idOfKey(key: Key): string {
  return kindOfKey(key) === 'device_state' ? key : key.slice(mailboxMark.length)
}
