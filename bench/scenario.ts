/** What a scenario is, and what it gives. */
import type { CertificateAuthority } from '../lab/ca.js'
import type { Scratch } from '../lab/scratch.js'
import type { XmppServer, XmppServerOptions } from '../lab/xmpp-server.js'
import type { Pair } from './pairs.js'

/** How much is done: `quick` is for the smoke test, which looks at losses and not at times. */
export type Size = 'full' | 'quick'

/** Values of one measurement by metric; the unit stands in the name, `median ms`. */
export type Measured = Readonly<Record<string, number>>

/** Measures pairs in turn, round after round. */
export interface PairScenario {
  readonly name: string
  readonly about: string
  /** Only pairs with a bridge. */
  readonly isForBridges?: boolean
  /** So many rounds of it for one of the others: it is short, and its rounds differ by much. */
  readonly repeats?: number
  readonly measure: (pair: Pair, round: number, size: Size) => Promise<Measured>
}

/** Where a scenario of a whole cluster takes place. */
export interface Site {
  readonly scratch: Scratch
  readonly ca: CertificateAuthority
  readonly startServer: (
    accounts: readonly { user: string; password: string }[],
    more?: Pick<XmppServerOptions, 'rate'>,
  ) => Promise<XmppServer>
}

/** Measures a server, or many bridges around one; each measurement with a fresh server. */
export interface ServerScenario {
  readonly name: string
  readonly about: string
  readonly measure: (site: Site, size: Size) => Promise<Measured>
}

/** What one subject (a pair or a server) showed in one scenario, round by round. */
export interface Result {
  readonly scenario: string
  readonly subject: string
  readonly rounds: Measured[]
}
