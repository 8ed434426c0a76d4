/** Why a device or mailbox shows what it shows: the addition as Asterisk does it, step by step, and what to do. */
import type { BridgeSettings } from './context.js'
import type { InjectionTrace } from './injection.js'
import { type Absent, remarksOnAbsent } from './inspection-absent.js'
import {
  type Explanation,
  type InjectionSeen,
  type Named,
  type Part,
  type Remark,
  type StateSeen,
  type Step,
  wordOf,
} from './inspection-views.js'
import { isEmpty } from './mailbox-claims.js'
import type { DeviceEntry, DeviceState } from './state.js'
import { sumStates } from './sum.js'

export interface Explained extends Absent {
  /** What is known under names like the one that is not. */
  readonly alike: readonly Named[]
  /** What the own Asterisk says of it, where that is not shared. */
  readonly unshared?: DeviceEntry
  readonly traces: readonly InjectionTrace[]
  readonly settings: BridgeSettings
  readonly isAsteriskFound: boolean
  readonly isStreamUp: boolean
}

/** States in which somebody uses the device. */
const busyStates: ReadonlySet<string> = new Set(['INUSE', 'BUSY', 'RINGING', 'RINGINUSE', 'ONHOLD'])

export function explain(explained: Explained): Explanation {
  const { seen, isKnown, unshared, traces } = explained
  const steps = seen.kind === 'device_state' ? addition(seen.parts) : succession(seen.parts)
  return {
    seen,
    isKnown,
    ...(unshared && { unshared: { state: unshared.state, cachable: unshared.cachable } }),
    leftovers: traces.flatMap(({ eid, wanted, isInherited }) =>
      wanted ? [] : [{ eid, isInherited }],
    ),
    steps,
    injections: traces.map(injectionOf),
    remarks: [
      ...remarksOnKnowledge(explained),
      ...seen.parts.flatMap(remarkOnPart),
      ...remarksOnLeftovers(explained),
      ...remarksOnBusy(seen),
      ...remarksOnOwners(seen),
    ],
  }
}

/** The addition in the order of the parts; the order does not change the sum. */
function addition(parts: readonly Part[]): Step[] {
  const states: DeviceState[] = []
  return parts.map(({ eid, name, entry, standing, note }) => {
    const before = sumStates(states)
    const step = { eid, name, state: wordOf(entry) }
    if (standing === 'held') {
      return {
        ...step,
        sumSoFar: before,
        why: `left out: ${note ?? 'it is not given to Asterisk'}`,
      }
    }
    if (entry.kind !== 'device_state' || !entry.cachable) {
      const why =
        'not cachable: Asterisk does not add it up, the last one told counts until the next'
      return { ...step, sumSoFar: before, why }
    }
    states.push(entry.state)
    const sumSoFar = sumStates(states)
    return { ...step, sumSoFar, why: whyOf(before, entry.state, sumSoFar, states.length === 1) }
  })
}

function whyOf(
  before: DeviceState,
  state: DeviceState,
  sum: DeviceState,
  isFirst: boolean,
): string {
  if (isFirst) return 'the first that counts'
  if (sum === 'RINGINUSE' && before !== sum && state !== sum) {
    return `ringing at one and ${state === 'RINGING' ? before : state} at another make RINGINUSE`
  }
  if (before === state) return 'the same once more'
  return sum === before
    ? `weaker than ${before}: it changes nothing`
    : `stronger than ${before}: it takes its place`
}

/** Counts are not added up: in the order of their changes, the last counts. */
function succession(parts: readonly Part[]): Step[] {
  const inOrder = [...parts].sort((one, other) => one.changedMs - other.changedMs)
  let sumSoFar = '0/0'
  return inOrder.map(({ eid, name, entry, standing, note }) => {
    const state = wordOf(entry)
    const isGiven = standing !== 'held'
    if (isGiven) sumSoFar = state
    const why = isGiven
      ? 'counts are not added up: the last change counts'
      : `left out: ${note ?? 'it is not given to Asterisk'}`
    return { eid, name, state, sumSoFar, why }
  })
}

function injectionOf({ eid, last }: InjectionTrace): InjectionSeen {
  return { eid, ...last }
}

/** What may be missing from the picture. */
function remarksOnKnowledge(explained: Explained): Remark[] {
  const { seen, isKnown, settings, peers, isAsteriskFound, isStreamUp } = explained
  const remarks: Remark[] = []
  const share = settings.share[seen.kind]
  if (!isAsteriskFound) {
    const text = 'the own Asterisk does not answer: nothing reaches it, and nothing of it is known'
    remarks.push({ severity: 'error', text, remedy: 'start it, and see hintbridge doctor' })
  }
  if (!isStreamUp) {
    const text = 'the XMPP stream is down: the other members may say something else by now'
    remarks.push({ severity: 'error', text, remedy: 'see hintbridge doctor' })
  }
  for (const { item, jid, isSynced, life, refusal } of peers) {
    if (isSynced || life === 'dead' || refusal !== undefined) continue
    const text = `what ${item.name} (${jid}) says is not complete`
    remarks.push({ severity: 'warning', text, remedy: 'see hintbridge members for the reason' })
  }
  const never = share.whyNever?.(seen.id)
  if (never) {
    const { reason, remedy } = never
    const text = `${seen.id} ${reason}: no member shares it`
    remarks.push({ severity: 'note', text, ...(remedy !== undefined && { remedy }) })
  } else if (!share.publish || !share.isShared(seen.id)) {
    remarks.push({
      severity: 'note',
      text: `the own Asterisk's state of it is not shared: share.${seen.kind} keeps it in`,
      remedy: `if it should be, change publish, include or exclude of share.${seen.kind}`,
    })
  }
  remarks.push(...remarksOnAbsent(explained))
  if (!isKnown && !never) remarks.push(remarkOnUnknown(explained))
  return remarks
}

function remarkOnUnknown({ seen: { kind, id }, alike }: Explained): Remark {
  const [first] = alike
  if (first) {
    const names = alike.map((named) => named.id).join(', ')
    return {
      severity: 'warning',
      text: `no member tells of ${id}, but of ${names}`,
      remedy: `names are compared letter by letter, in their case: hintbridge explain ${first.id}`,
    }
  }
  const place = kind === 'device_state' ? 'core show hints' : 'voicemail show users'
  return {
    severity: 'warning',
    text: `no member tells of ${id}`,
    remedy:
      `names are compared letter by letter, in their case: see hintbridge ` +
      `${kind === 'device_state' ? 'devices' : 'mailboxes'}, and ${place} at its own server. There share.${kind} must ` +
      (kind === 'device_state'
        ? 'let it out, and states that Asterisk calls uncachable are not shared by default'
        : 'let it out, and a mailbox is shared once it has held a message, or is named under claim'),
  }
}

function remarkOnPart({ name, jid, standing, note, limit, entry }: Part): Remark[] {
  const said = `${wordOf(entry)} of ${name} (${jid})`
  const because = note === undefined ? '' : `: ${note}`
  switch (standing) {
    case 'own':
    case 'injected':
      return []
    case 'pending':
      return [
        {
          severity: 'warning',
          text: `${said} waits for the own Asterisk${because}`,
          remedy: 'look again in a second; if it stays, see hintbridge doctor',
        },
      ]
    case 'refused':
      return [
        {
          severity: 'error',
          text: `${said} was refused by the own Asterisk${because}`,
          remedy: 'see that pjsip_hintbridge.conf is included unchanged and its modules are loaded',
        },
      ]
    case 'held':
      if (limit !== undefined) {
        const remedy =
          `/health names the kind of name of which there are most: keep that out by share, restart ` +
          `Asterisk, which frees no name until then, or raise ${limit}`
        const text = `${said} is not given to the own Asterisk${because}`
        return [{ severity: 'error', text, remedy }]
      }
      return [{ severity: 'note', text: `${said} is not given to the own Asterisk${because}` }]
  }
}

/** What Asterisk may still hold although nobody says so any more. */
function remarksOnLeftovers({ seen, traces }: Explained): Remark[] {
  return traces.flatMap(({ eid, wanted, isInherited }) => {
    if (wanted) return []
    const text = isInherited
      ? `an earlier run gave the own Asterisk a state of ${seen.id} under ${eid} that nobody has confirmed yet`
      : `a state of ${seen.id} under ${eid} is being taken back from the own Asterisk`
    const remedy = isInherited
      ? 'it is withdrawn within stale_after of the start, a message count with hintbridge forget'
      : 'look again in a second; if it stays, see hintbridge doctor'
    return [{ severity: 'warning', text, remedy }]
  })
}

/** Who is to be looked at where a device is busy and should not be. */
function remarksOnBusy({ id, sum, parts }: StateSeen): Remark[] {
  if (sum.kind !== 'device_state' || !busyStates.has(sum.state)) return []
  const busy = parts.filter(
    ({ entry, standing }) => standing !== 'held' && busyStates.has(wordOf(entry)),
  )
  const names = busy.map(({ name, entry }) => `${name} says ${wordOf(entry)}`).join(' and ')
  if (busy.length === 0) return []
  const places = busy
    .map(({ name, isOwn }) => (isOwn ? `${name} (this server)` : name))
    .join(' and ')
  const remedy = id.startsWith('Custom:')
    ? `a Custom: device stays as it was set: devstate change ${id} NOT_INUSE on the console of ${places}`
    : `core show channels on the console of ${places} names the call, channel request hangup ends it`
  return [
    {
      severity: 'note',
      text: `${id} is ${sum.state} because ${names}`,
      remedy: `if that is wrong, it is wrong there: ${remedy}`,
    },
  ]
}

function remarksOnOwners({ id, kind, parts }: StateSeen): Remark[] {
  if (kind !== 'message_waiting') return []
  const owners = parts.filter(({ entry }) => entry.kind === 'message_waiting' && !isEmpty(entry))
  if (owners.length < 2) return []
  const names = owners.map(({ name }) => name).join(', ')
  return [
    {
      severity: 'warning',
      text: `the mailbox ${id} has messages on several members (${names}); the last change counts`,
      remedy: 'keep it on one server',
    },
  ]
}
