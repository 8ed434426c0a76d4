/** What the bridge wants done. Each edge performs its own commands and answers with the events named beside them. */
import type { Batch, MemberItem, Page, PageQuery, Status } from './messages.js'
import type { EntityId, Kind, StateEntry } from './state.js'

/**
 * Fences are told apart by numbers below this. Few are enough, and Asterisk never frees the name of a device: the edge makes do
 * with as few names.
 */
export const fenceNonces = 256

/** To the local Asterisk. */
export type AsteriskCommand =
  /** Ask for a dump of one kind; answered by `RefreshAnswered`. */
  | {
      readonly to: 'asterisk'
      readonly do: 'refresh'
      readonly kind: Kind
      /** The answer brings it back. */
      readonly token: number
    }
  /** Send the fence under the PBX's own EID (rule 1); `FenceReturned` follows when it has passed Asterisk's queue, or
   * `FenceFailed`. */
  | { readonly to: 'asterisk'; readonly do: 'fence'; readonly kind: Kind; readonly nonce: number }
  /** Give Asterisk a state under that EID; answered by `InjectionAnswered` of that lane. One at a time a lane. */
  | {
      readonly to: 'asterisk'
      readonly do: 'inject'
      readonly lane: number
      readonly eid: EntityId
      readonly entry: StateEntry
    }

/** To the XMPP server and the peers. None but the answers is sent while the stream is down. */
export type ClusterCommand =
  /** Create and configure own nodes and `members`, read the configuration back; `OwnNodesMade` or `OwnNodesFailed`. */
  | { readonly to: 'cluster'; readonly do: 'makeOwnNodes' }
  /**
   * These bare JIDs may read the own nodes, and nobody else: in place of those of before. After `OwnNodesMade`; `ReadersSet`, or
   * `ReadersFailed`, of those that were named last.
   */
  | { readonly to: 'cluster'; readonly do: 'setReaders'; readonly readers: readonly string[] }
  /** Delete own nodes and retract the member item (`leave`); always `OwnNodesDeleted`. */
  | { readonly to: 'cluster'; readonly do: 'deleteOwnNodes' }
  /** Retract the own member item, if it is there; not answered. */
  | { readonly to: 'cluster'; readonly do: 'retractItem' }
  /** Delete the nodes of an EID that was the own one before; not answered. */
  | { readonly to: 'cluster'; readonly do: 'deleteNodesOf'; readonly eid: EntityId }
  /** Publish the member item; `Announced` or `AnnounceFailed`. */
  | {
      readonly to: 'cluster'
      readonly do: 'announce'
      readonly item: Omit<MemberItem, 'publisher'>
    }
  /** Read all of `members`, and be subscribed to it; `MembersRead` or `MembersUnread`. */
  | { readonly to: 'cluster'; readonly do: 'readMembers' }
  /**
   * Subscribe by full JID to a member's feed, unless it is so already (rule 17); `Subscribed` or `SubscribeFailed`.
   * With `isAgain` the edge does not trust what it knows and asks the service anew (rule 15).
   */
  | {
      readonly to: 'cluster'
      readonly do: 'subscribe'
      readonly member: string
      readonly service: string
      readonly eid: EntityId
      readonly isAgain: boolean
    }
  /** Drop the subscription to a member's feed; not answered. */
  | {
      readonly to: 'cluster'
      readonly do: 'unsubscribe'
      readonly service: string
      readonly eid: EntityId
    }
  /** `BatchPublished` or `BatchFailed`. */
  | { readonly to: 'cluster'; readonly do: 'publishBatch'; readonly batch: Batch }
  /** Ask a full JID for a page; `PageReceived` or `PullFailed` with the token. */
  | {
      readonly to: 'cluster'
      readonly do: 'pull'
      readonly jid: string
      readonly query: PageQuery
      readonly token: number
    }
  /** Ask a full JID for its status; `StatusReceived` or `AskFailed` with the token. */
  | { readonly to: 'cluster'; readonly do: 'ask'; readonly jid: string; readonly token: number }
  | {
      readonly to: 'cluster'
      readonly do: 'answerPage'
      readonly request: number
      readonly page: Page
    }
  | {
      readonly to: 'cluster'
      readonly do: 'answerStatus'
      readonly request: number
      readonly status: Status
    }
  /** Answer a request with an error: `forbidden` to strangers, `resource-constraint` when too many are served. */
  | {
      readonly to: 'cluster'
      readonly do: 'refuse'
      readonly request: number
      readonly condition: 'forbidden' | 'resource-constraint'
    }
  /** Leave a request unanswered: whoever floods this bridge is not to make it send as much. */
  | { readonly to: 'cluster'; readonly do: 'disregard'; readonly request: number }
  /** Directed presence to a full JID. */
  | {
      readonly to: 'cluster'
      readonly do: 'present'
      readonly jid: string
      readonly isAvailable: boolean
    }
  /** Write one item of an own window node; `WindowWritten` or `WindowFailed`. */
  | { readonly to: 'cluster'; readonly do: 'writeWindow'; readonly entry: StateEntry }
  /** Retract one item of an own window node; `WindowWritten` or `WindowFailed`. */
  | {
      readonly to: 'cluster'
      readonly do: 'retractWindow'
      readonly kind: Kind
      readonly id: string
    }
  /** Read a window node, own or another's, of what that bare JID published; `WindowRead` or `WindowUnread`. */
  | {
      readonly to: 'cluster'
      readonly do: 'readWindow'
      readonly member: string
      readonly service: string
      readonly eid: EntityId
      readonly kind: Kind
    }
  /** End the stream (a publish was not answered for one heartbeat, rule 23); the edge connects again. */
  | { readonly to: 'cluster'; readonly do: 'endStream'; readonly reason: string }

/** To the journal (rule 9). Performed before any command that follows it. */
export type JournalCommand =
  /** That member (bare JID) gives Asterisk a name, which that does not free while it runs. */
  | {
      readonly to: 'journal'
      readonly do: 'addName'
      readonly jid: string
      readonly kind: Kind
      readonly id: string
      /** So many publishes at least had Asterisk taken by then, since it started. */
      readonly taken: number
    }
  /** Asterisk has restarted and has none of those names. */
  | { readonly to: 'journal'; readonly do: 'clearNames' }
  /** That bare JID is forgotten in these epochs, in place of those of before; in none: no more (rule 22). */
  | {
      readonly to: 'journal'
      readonly do: 'forget'
      readonly jid: string
      readonly epochs: readonly string[]
    }
  | {
      readonly to: 'journal'
      readonly do: 'add'
      readonly eid: EntityId
      readonly kind: Kind
      readonly id: string
      /** Said anew where it is no longer so. */
      readonly isUncachable?: boolean
    }
  | {
      readonly to: 'journal'
      readonly do: 'remove'
      readonly eid: EntityId
      readonly kind: Kind
      readonly id: string
    }

/** Something that was not believed or not taken. */
export interface Refused {
  readonly what: string
  /** A JID, or what claims to be one. */
  readonly from: string
  readonly reason: string
}

/** A change of one origin's state, as it passes. */
export interface Change {
  readonly eid: EntityId
  /** Bare JID. */
  readonly jid: string
  readonly name: string
  readonly isOwn: boolean
  readonly kind: Kind
  readonly id: string
  readonly before?: StateEntry
  /** Missing where it is gone. */
  readonly after?: StateEntry
  readonly delayMs?: number
}

/** To whoever watches: log lines, counters, health. */
export type ObserveCommand =
  /** Raises a health problem under a key (replacing what stood there), or clears it with no text. */
  | {
      readonly to: 'observe'
      readonly do: 'health'
      readonly key: string
      readonly severity: 'warning' | 'error'
      readonly text?: string
    }
  | {
      readonly to: 'observe'
      readonly do: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields?: Readonly<Record<string, unknown>>
    }
  /** Adds to a counter, such as `refused_items` by reason. */
  | {
      readonly to: 'observe'
      readonly do: 'count'
      readonly counter: string
      readonly labels?: Readonly<Record<string, string>> | undefined
      readonly by?: number | undefined
    }
  /** One value of a histogram, such as `injection_delay_seconds`. */
  | {
      readonly to: 'observe'
      readonly do: 'measure'
      readonly histogram: string
      readonly value: number
      readonly labels?: Readonly<Record<string, string>> | undefined
    }
  /** Something was not believed or not taken: who sent it, as far as is known, what it was, and why. */
  | ({ readonly to: 'observe'; readonly do: 'refused' } & Refused)
  /** A state changed; only while somebody watches. */
  | { readonly to: 'observe'; readonly do: 'changed'; readonly change: Change }
  /** `leave` has done all it can; `failures` says what it could not. The process may end. */
  | { readonly to: 'observe'; readonly do: 'left'; readonly failures: readonly string[] }

export type Command = AsteriskCommand | ClusterCommand | JournalCommand | ObserveCommand
