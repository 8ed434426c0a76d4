/** What the bench and a process of the swarm say to each other. */

export interface MemberPlan {
  readonly jid: string
  readonly password: string
  readonly eid: string
  /** URI of the server, JID of its pubsub service. */
  readonly service: string
  readonly pubsub: string
  readonly caFile: string
  readonly stateDir: string
  readonly devices: readonly string[]
}

/** Changes by the clock: member `first`, `first + 1` … each change one of their devices at known times. */
export interface Schedule {
  /** On the wall clock, ms. */
  readonly startsAtMs: number
  readonly perSecond: number
  readonly seconds: number
}

export type ToSwarm =
  | { readonly do: 'start'; readonly plans: readonly MemberPlan[]; readonly memberCount: number }
  /** Answered at once by `held`. */
  | { readonly do: 'look' }
  /** Answered by `measured` when all is over. */
  | { readonly do: 'change'; readonly schedule: Schedule }
  /** All devices of the first member change, as fast as they are taken; answered by `flooded`. */
  | { readonly do: 'flood' }
  /** The first member waits for so many injections; answered by `counted`. */
  | { readonly do: 'count'; readonly injections: number }
  | { readonly do: 'stop' }

export type FromSwarm =
  | {
      readonly told: 'held'
      /** States of peers that the members of this process hold, and have injected, together. */
      readonly states: number
      readonly injected: number
      readonly deaths: number
      /** Members that are in sync with all others. */
      readonly synced: number
    }
  | { readonly told: 'measured'; readonly delaysMs: readonly number[]; readonly lost: number }
  | { readonly told: 'flooded'; readonly atMs: number }
  | { readonly told: 'counted'; readonly atMs: number }
  | { readonly told: 'stopped' }
