/** What happens to the bridge. Edges post these, past tense, to one queue; `Bridge.handle` takes them in order. */
import type { Batch, Page, PageQuery, MemberItem, Status } from './messages.js'
import type { EntityId, Kind, StateEntry } from './state.js'

/** Why something failed, as the edge classified it: the XMPP condition or SIP status, and whether to try again. */
export interface Failure {
  /** An XMPP stanza condition such as `forbidden`, or `timeout`, `disconnected`, `undecodable`. */
  readonly condition: string
  /** What to tell the administrator. */
  readonly reason: string
  readonly isTemporary: boolean
}

/** From the local Asterisk; the edge has checked its address, credentials and EID. */
export type AsteriskEvent =
  /** A local state, under the PBX's own EID. Never a fence. */
  | { readonly type: 'StateReported'; readonly entry: StateEntry }
  /** Asterisk asked for our states: it has started or reloaded (rule 10). */
  | { readonly type: 'RefreshRequested'; readonly kind: Kind }
  /** The final answer to the `refresh` command of that token; on failure `isTemporary` says whether it can be asked again. */
  | {
      readonly type: 'RefreshAnswered'
      readonly kind: Kind
      readonly token: number
      /** So many publishes Asterisk had taken before that one, since it started, where its entity tag tells. */
      readonly taken?: number
      readonly failure?: Failure
    }
  /** The fence came back through Asterisk's queue (rule 1). */
  | { readonly type: 'FenceReturned'; readonly kind: Kind; readonly nonce: number }
  /** Asterisk did not take the fence. */
  | {
      readonly type: 'FenceFailed'
      readonly kind: Kind
      readonly nonce: number
      readonly failure: Failure
    }
  /** The final answer to the `inject` command of that lane. */
  | { readonly type: 'InjectionAnswered'; readonly lane: number; readonly failure?: Failure }
  /** The PBX answers and has shown its credentials, at first or after it was lost. */
  | { readonly type: 'AsteriskFound' }
  /** It has named itself in SIP, otherwise than before. */
  | { readonly type: 'AsteriskVersionLearnt'; readonly version: string }
  /** ECONNREFUSED, 12 s of silence to OPTIONS (rule 7), or no credentials for 14 s. */
  | { readonly type: 'AsteriskLost'; readonly reason: string }

/** A feed as the `subscribe` named it: what its member says of itself may be another by the time of the answer. */
export interface FeedAt {
  /** Bare JID. */
  readonly member: string
  readonly service: string
  readonly eid: EntityId
}

/** From the XMPP server and, through it, the peers. Items and IQs have been decoded strictly by the codecs. */
export type ClusterEvent =
  | { readonly type: 'StreamUp'; readonly jid: string }
  | { readonly type: 'StreamDown'; readonly reason: string }
  /** An attempt to connect failed, or the stream ended: why, and what the administrator can do. */
  | {
      readonly type: 'StreamFailed'
      readonly reason: string
      readonly remedy?: string
      /** The server does not let this account in. */
      readonly isAccountRefused?: boolean
    }
  /** Another bridge uses this JID (rule 20), or its account was removed. `StreamDown` follows or preceded. */
  | { readonly type: 'StreamConflicted'; readonly reason: string }
  | { readonly type: 'PresenceReceived'; readonly from: string; readonly isAvailable: boolean }
  /** Own nodes exist and their configuration was read back; `windowItems` is the cap on retained items a node. */
  | {
      readonly type: 'OwnNodesMade'
      readonly windowItems: number
      /** Some were not there, or not as they should be. */
      readonly wereMissing?: boolean
      /** Bare JIDs that the service lets read the own feed … */
      readonly readers?: readonly string[]
      /** … and those that are subscribed to an own node. */
      readonly subscribers?: readonly string[]
    }
  | { readonly type: 'OwnNodesFailed'; readonly failure: Failure }
  /** These bare JIDs may read the own feed, and nobody else; with `isWhole` that is so for all own nodes. */
  | {
      readonly type: 'ReadersSet'
      readonly readers: readonly string[]
      readonly isWhole: boolean
    }
  /** Nothing more is set until the nodes are made again. */
  | { readonly type: 'ReadersFailed'; readonly failure: Failure }
  /** `failures`: what was left behind at the service and why, with what the administrator can do. */
  | { readonly type: 'OwnNodesDeleted'; readonly failures?: readonly string[] }
  | { readonly type: 'Announced' }
  | { readonly type: 'AnnounceFailed'; readonly failure: Failure }
  /** All items of `ROOT/members`. */
  | { readonly type: 'MembersRead'; readonly items: readonly MemberItem[] }
  | { readonly type: 'MembersUnread'; readonly failure: Failure }
  /** One item of `ROOT/members`, pushed. */
  | { readonly type: 'MemberItemReceived'; readonly item: MemberItem }
  /** An item or node went away (retract, purge, delete), on any node of the cluster: `ROOT/members` or `ROOT/EID/kind`. */
  | { readonly type: 'NodeDisturbed'; readonly node: string; readonly change: NodeChange }
  /** Subscribed (or found subscribed) to that feed. */
  | ({ readonly type: 'Subscribed' } & FeedAt)
  | ({ readonly type: 'SubscribeFailed'; readonly failure: Failure } & FeedAt)
  /**
   * A batch from a feed node. `eid` is the one in the node's name (the batch's own is checked to equal it by the codec's
   * caller), `service` the pubsub service that sent it, `publisher` the bare or full JID that the server shows, if any.
   */
  | {
      readonly type: 'BatchReceived'
      readonly service: string
      readonly publisher?: string
      readonly batch: Batch
    }
  | { readonly type: 'BatchPublished'; readonly sequence: number }
  | { readonly type: 'BatchFailed'; readonly sequence: number; readonly failure: Failure }
  /** The answer to a `pull`; `from` is the full JID that answered, `token` the command's. */
  | {
      readonly type: 'PageReceived'
      readonly token: number
      readonly from: string
      readonly page: Page
    }
  | { readonly type: 'PullFailed'; readonly token: number; readonly failure: Failure }
  /** The answer to an `ask`. */
  | {
      readonly type: 'StatusReceived'
      readonly token: number
      readonly from: string
      readonly status: Status
    }
  | { readonly type: 'AskFailed'; readonly token: number; readonly failure: Failure }
  /** A peer asks; `request` is the edge's handle for the answer. */
  | {
      readonly type: 'PageRequested'
      readonly request: number
      readonly from: string
      readonly query: PageQuery
    }
  | { readonly type: 'StatusRequested'; readonly request: number; readonly from: string }
  /** One window write or retract was answered. */
  | { readonly type: 'WindowWritten' }
  | { readonly type: 'WindowFailed'; readonly failure: Failure }
  /** What a window node holds; entries that do not decode are listed by id in `broken`. */
  | {
      readonly type: 'WindowRead'
      readonly eid: string
      readonly kind: Kind
      readonly entries: readonly StateEntry[]
      readonly broken: readonly string[]
    }
  | {
      readonly type: 'WindowUnread'
      readonly eid: string
      readonly kind: Kind
      readonly failure: Failure
    }
  /** That pubsub service lets a request wait: told each `lateToldMs` while it does. */
  | { readonly type: 'ServiceLate'; readonly service: string }

/** What a service has not answered for so long makes it late, ms. */
export const lateToldMs = 3_000

export type NodeChange = 'deleted' | 'purged' | 'retracted' | 'unsubscribed'

/** From the administrator. */
export type OperatorEvent =
  /** `hintbridge leave`: go for good (rule 24). */
  | { readonly type: 'LeaveRequested' }
  /** `hintbridge forget MEMBER`: drop what is kept of it, its message counts too (rule 22). */
  | { readonly type: 'ForgetRequested'; readonly member: string }
  /** Time has come to the deadline that the bridge named. */
  | { readonly type: 'DeadlinePassed' }

export type BridgeEvent = AsteriskEvent | ClusterEvent | OperatorEvent
