import type { Credentials } from '../../src/asterisk/sip/digest.js'

/** What one relay is told when it starts. */
export interface RelayPlan {
  readonly user: string
  readonly password: string
  readonly domain: string
  /** Direct TLS. */
  readonly xmppPort: number
  readonly caFile: string
  /** JID of the pubsub service. */
  readonly pubsub: string
  readonly ownNode: string
  readonly peerNode: string
  readonly peerEid: string
  /** UDP: its own, and its Asterisk's. */
  readonly sipPort: number
  readonly asteriskPort: number
  /** What its Asterisk asks for. */
  readonly sipCredentials: Credentials
}
