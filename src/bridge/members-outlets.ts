/** What the rest of the domain does when the other members have something to it. */
export interface MembersOutlets {
  /** States of a peer have come in. */
  onStates(): void
  /** A peer's feed is silent: its node, and `members` with it, may be gone without a word. */
  onFeedQuiet(): void
  /** The own EID is this member's; `hasYielded`: it was before, and another's meanwhile. */
  onIdentityJudged(hasYielded: boolean): void
  /** Another member holds the own EID; `wasIn`: this one had announced itself under it. */
  onIdentityRefused(wasIn: boolean): void
  /** The own nodes are to be looked at again in so long. */
  lookAgain(delayMs: number): void
}
