/**
 * The inspection API: what the control socket (for the commands) and the HTTP port (for the status page) answer, as JSON.
 *
 * | `GET`                                                                          | answers                     |
 * | ------------------------------------------------------------------------------ | --------------------------- |
 * | `/api/overview`                                                                | `OverviewAnswer`            |
 * | `/api/states?kind=device_state&match=PATTERN&offset=0&limit=200&order=busy`    | `StatesAnswer`              |
 * | `/api/explain?kind=device_state&id=PJSIP/1001`                                 | `ExplainAnswer`             |
 * | `/api/refused`                                                                 | `RefusedAnswer`             |
 * | `/api/events?match=PATTERN`                                                    | server-sent events, `ApiEvents` |
 *
 * A PATTERN with `*` or `?` is a glob over the whole id, one without is found anywhere in it; case does not count. A query
 * that cannot be understood is answered 400 with `ErrorAnswer`. The control socket alone takes `POST /forget?member=NAME`
 * (`ForgetAnswer`) and `POST /leave`.
 */
import type { Life } from '../bridge/peer.js'
import type { DeviceState, Kind } from '../bridge/state.js'

/** `2026-11-21T11:10:00.000Z`, by the clock of this machine. */
export type IsoTime = string

export interface ErrorAnswer {
  readonly error: string
}

export interface OverviewAnswer {
  readonly at: IsoTime
  readonly self: SelfView
  /** The other members. */
  readonly members: readonly MemberView[]
  /** One for each kind of state. */
  readonly channels: readonly ChannelView[]
  readonly problems: readonly ProblemView[]
  readonly readiness: { readonly ready: boolean; readonly reasons: readonly string[] }
}

/** This member. */
export interface SelfView {
  /** Bare JID. */
  readonly jid: string
  /** Missing while the EID of Asterisk is not known yet. */
  readonly eid?: string
  readonly name: string
  /** Of hintbridge. */
  readonly version: string
  /** Of Asterisk, as it names itself in SIP; missing until it was heard. */
  readonly asterisk?: string
  /** `waiting`: the EID of Asterisk is not known yet. */
  readonly phase: 'waiting' | 'syncing' | 'ready' | 'leaving'
  readonly epoch?: string
  /** Number of the last own batch. */
  readonly sequence: number
  readonly startedAt: IsoTime
  readonly isAsteriskFound: boolean
  /** Asterisk has told all of its states: the fence is back. */
  readonly isFenced: boolean
  readonly isStreamUp: boolean
  readonly hasOwnNodes: boolean
  readonly ownStates: number
  readonly ownDevices: number
  readonly ownMailboxes: number
  /** Peers' states in the own Asterisk, or about to be. */
  readonly injected: number
  readonly injectionPending: number
  readonly injectionLagMs: number
  readonly feedPending: number
  readonly feedLagMs: number
  readonly windowPending: number
}

export interface MemberView {
  /** Bare JID. */
  readonly jid: string
  readonly eid: string
  readonly name: string
  /** Of hintbridge. */
  readonly version: string
  /** Of its Asterisk, as that names itself. */
  readonly pbxVersion?: string
  /** `gone`: it has left for good within the last hour. */
  readonly life: Life | 'gone'
  /** Why it is suspected, dead or gone. */
  readonly reason?: string
  readonly isBelieved: boolean
  /** Why it is refused, where it is. */
  readonly refusal?: string
  /** What is held of it is complete. */
  readonly isSynced: boolean
  /** Its device states are held but not given to Asterisk: it, or the own stream, has been out of sync for too long. */
  readonly isStale: boolean
  readonly aliveSince?: IsoTime
  readonly lastHeardAt?: IsoTime
  /** Number of its last batch that is held. */
  readonly sequence: number
  readonly states: number
  readonly devices: number
  readonly mailboxes: number
  /** From the change at its Asterisk to its arrival here, of the last batch; missing where the clocks differ or it is not told. */
  readonly delayMs?: number
}

/** What of one kind goes out and comes in. */
export interface ChannelView {
  readonly kind: Kind
  readonly publish: boolean
  readonly subscribe: boolean
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Own states that the cluster was told. */
  readonly own: number
  /** Peers' states in the own Asterisk, or about to be. */
  readonly injected: number
  readonly perMember: readonly {
    readonly jid: string
    readonly name: string
    readonly states: number
  }[]
}

export interface ProblemView {
  readonly key: string
  readonly severity: 'warning' | 'error'
  /** What is wrong and what to do. */
  readonly text: string
  readonly since: IsoTime
}

export interface StatesAnswer {
  /** How many devices (or mailboxes) there are. */
  readonly total: number
  /** How many of them match. */
  readonly matched: number
  /** Those from `offset` on, at most `limit`. */
  readonly states: readonly StateView[]
}

export type StateView = DeviceView | MailboxView

export interface DeviceView {
  readonly kind: 'device_state'
  readonly id: string
  /** As the own Asterisk adds the parts up that it is given. */
  readonly sum: DeviceState
  /** Of the part that changed last. */
  readonly changedAt: IsoTime
  /** The own part first, then by name. */
  readonly parts: readonly DevicePart[]
}

export interface MailboxView {
  readonly kind: 'message_waiting'
  readonly id: string
  /** The count that counts: the last that was given. */
  readonly sum: Counts
  readonly changedAt: IsoTime
  readonly parts: readonly MailboxPart[]
}

export interface Counts {
  readonly newMessages: number
  readonly oldMessages: number
}

/**
 * `own`: of the own Asterisk. `injected`: the own Asterisk has taken it. `pending`: it waits for Asterisk. `refused`: Asterisk did
 * not take it, and is given it again. `held`: it is known, but not for the own Asterisk: `note` says why.
 */
export type Standing = 'own' | 'injected' | 'pending' | 'refused' | 'held'

interface PartOf {
  readonly eid: string
  /** Bare JID. */
  readonly jid?: string
  readonly name?: string
  readonly isOwn: boolean
  /** When this member learnt of it. */
  readonly changedAt: IsoTime
  readonly standing: Standing
  readonly note?: string
}

export interface DevicePart extends PartOf {
  readonly state: DeviceState
  readonly cachable: boolean
}

export interface MailboxPart extends PartOf, Counts {}

export type ExplainAnswer = StateView & {
  /** `false` where no member has told of it. */
  readonly isKnown: boolean
  /** What is known under names like this one, where this one is not: another case, without the technology or the context. */
  readonly alike?: readonly { readonly kind: Kind; readonly id: string }[]
  /** What the own Asterisk said last of the device, where that is not shared. */
  readonly unshared?: { readonly state: DeviceState; readonly cachable: boolean }
  /** What the own Asterisk was given of origins that do not say it, and has not taken back yet. */
  readonly leftovers: readonly Leftover[]
  /** The addition, origin by origin; of a mailbox, who gave a count in which order. */
  readonly steps: readonly Step[]
  /** What the own Asterisk was sent. */
  readonly injections: readonly InjectionView[]
  readonly remarks: readonly Remark[]
}

export interface Leftover {
  readonly eid: string
  /** An earlier run gave it, and nobody has confirmed it yet; else it is being withdrawn. */
  readonly isInherited: boolean
}

export interface Step {
  readonly eid: string
  readonly name: string
  /** `INUSE`, or `2/0` for new and old messages. */
  readonly state: string
  readonly sumSoFar: string
  readonly why: string
}

export interface InjectionView {
  readonly eid: string
  /** What was sent last; missing where nothing was in this run. */
  readonly state?: string
  readonly sentAt?: IsoTime
  /** When Asterisk answered with 200. */
  readonly acknowledgedAt?: IsoTime
  /** The last answer: `200`, `403`, `timeout`. */
  readonly status?: string
  /** Why it was not taken. */
  readonly failure?: string
}

export interface Remark {
  readonly severity: 'note' | 'warning' | 'error'
  readonly text: string
  readonly remedy?: string
}

export interface RefusedAnswer {
  /** The last 100, newest first. */
  readonly refused: readonly RefusedView[]
}

/** Something that was not believed or not taken. */
export interface RefusedView {
  readonly at: IsoTime
  readonly reason: string
  /** Who sent it, as far as is known: a JID, `Asterisk`, or what claims to be one. */
  readonly from: string
  /** What it was: `feed`, `members`, a request, a PUBLISH. */
  readonly what: string
}

/** What `/api/events` sends, by event name. */
export interface ApiEvents {
  readonly change: ChangeEvent
  /** Members, counts or problems may have changed; at most once a second. */
  readonly overview: OverviewAnswer
  /** This listener was too slow, and so many events were left out: read anew. */
  readonly lost: { readonly events: number }
}

export interface ChangeEvent {
  readonly at: IsoTime
  readonly kind: Kind
  readonly id: string
  readonly eid: string
  readonly jid?: string
  readonly name?: string
  readonly isOwn: boolean
  /** `INUSE`, or `2/0` for new and old messages; missing where there was none. */
  readonly before?: string
  /** Missing where the origin has withdrawn it. */
  readonly after?: string
  /** Of all members, after it. */
  readonly sum: string
  /** From the change at its Asterisk to its arrival here; missing where that is not known. */
  readonly delayMs?: number
}

export interface ForgetAnswer {
  /** Who was forgotten. */
  readonly member: string
  /** Its item, where one was known: no bridge that joins later sees it once it is retracted. */
  readonly item?: {
    /** The member's bare JID. */
    readonly id: string
    readonly node: string
    /** JID of the pubsub service. */
    readonly service: string
    /** Why it could not be retracted; missing where it is gone. */
    readonly failure?: string
  }
}
