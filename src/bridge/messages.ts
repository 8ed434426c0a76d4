/** What bridges say to each other, decoded. The codecs in `src/nodes` give them their XML; `docs/protocol.md` is for strangers. */
import type { EntityId, FeedEntry, Kind, StateEntry } from './state.js'

/** One item of a feed node (rule 11): changes of one origin, in order; no entries is the heartbeat (rule 13). */
export interface Batch {
  readonly eid: EntityId
  /** 32 lower-case hex digits (rule 12). */
  readonly epoch: string
  /** From 1, +1 a batch. */
  readonly sequence: number
  /** `true` on the last batch of a member that leaves for good (rule 24). */
  readonly isBye: boolean
  readonly entries: readonly FeedEntry[]
  /**
   * How long ago its oldest change came to be, ms, when the batch was formed; of one that was received, on its arrival, as far
   * as its origin says and by its origin's clock (so it may be negative). It is shown, and decides nothing.
   */
  readonly ageMs?: number
}

/** At most this many entries a batch or page … */
export const maxEntries = 500
/** … and this many octets of XML a stanza (rule 11). */
export const maxStanzaOctets = 48 * 1024

/** One item of `ROOT/members`; its item id is the bare JID (rule 17). */
export interface MemberItem {
  /** The item id: the member's bare JID. */
  readonly id: string
  /** Who published it, where the server shows that (`expose_publisher`, `itemreply=publisher`). */
  readonly publisher?: string
  readonly eid: EntityId
  /** A name for humans. */
  readonly name: string
  /** The full JID that answers for the EID. */
  readonly jid: string
  /** The pubsub service that holds its nodes. */
  readonly service: string
  readonly epoch: string
  /** Of hintbridge. */
  readonly version: string
  /** Of its Asterisk, as that names itself in SIP; for humans. */
  readonly pbxVersion?: string
}

/** `ready`: serves its table. `syncing`: up, but its fence is not back (rule 16). `leaving`: going for good. */
export type Phase = 'syncing' | 'ready' | 'leaving'

/** The answer to "who are you, where is your feed?": life, and whether a pull is needed (rules 15, 18, 21). */
export interface Status {
  readonly eid: EntityId
  readonly epoch: string
  /** Of the last batch that was formed. */
  readonly sequence: number
  readonly phase: Phase
}

/** Where a page begins: after this key, in key order (kind, then id by UTF-16 code units); from the start without it. */
export interface PageQuery {
  readonly after?: { readonly kind: Kind; readonly id: string }
  /** At most this many entries. */
  readonly max: number
}

/** One page of a snapshot (rule 14); not `isLast` means that more follow after the last entry's key. */
export interface Page extends Status {
  readonly entries: readonly StateEntry[]
  readonly isLast: boolean
}
