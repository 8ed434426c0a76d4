/** What the lab's two XMPP servers have in common, so that a test can run on both. */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Certificate, CertificateAuthority } from './ca.js'
import type { Running } from './running.js'
import type { Scratch } from './scratch.js'

export interface Account {
  readonly user: string
  readonly password: string
}

/** Where a server finds itself, for who writes its configuration. */
export interface ServerSetting {
  readonly folder: string
  readonly port: number
  readonly certificate: Certificate
  /** ejabberd's HTTP API, by which the lab registers accounts. */
  readonly apiPort?: number
}

/** What a bridge may send, octets a second, in the configurations of `contrib/`. */
export const bridgeRate = 1_000_000

export interface XmppServerOptions {
  readonly scratch: Scratch
  readonly ca: CertificateAuthority
  /** Of the accounts; default `example.org`. The pubsub service is `pubsub.` before it. */
  readonly domain?: string
  /** Folder name inside the scratch folder, when there are several of one kind. */
  readonly name?: string
  /** Who may create nodes: the bridges. */
  readonly accounts?: readonly Account[]
  /** Accounts that may only log in: strangers and lookers-on. On ejabberd they cannot create nodes either. */
  readonly guests?: readonly Account[]
  /** Cap on retained items a node; default: the server's own (Prosody 256, ejabberd 1000). */
  readonly maxItems?: number
  /** Prosody's `expose_publisher`, default true; on ejabberd the node's own `itemreply` decides. */
  readonly exposePublisher?: boolean
  /** Prosody's store of pubsub items, default `internal` (files). */
  readonly store?: 'internal' | 'sql'
  /**
   * What any client may send, octets a second, as the servers' default configurations limit it, or `none`. Default: `bridgeRate`
   * for the accounts, as shipped, and no limit for guests.
   */
  readonly rate?: number | 'none'
  /** Anybody may register an account (XEP-0077). */
  readonly isRegistrationOpen?: boolean
  /** Instead of one that the CA issues for the domain. */
  readonly certificate?: Certificate
  /** The server's configuration, in place of the lab's; the options above then have no effect on it. */
  readonly configuration?: (setting: ServerSetting) => string
  /** Lines for the end of the configuration, in the server's own language. */
  readonly extra?: string
}

export interface XmppServer {
  readonly kind: 'prosody' | 'ejabberd'
  readonly domain: string
  /** The pubsub service's JID. */
  readonly pubsub: string
  readonly port: number
  /** `xmpp://127.0.0.1:…`, STARTTLS required. */
  readonly service: string
  /** `xmpps://127.0.0.1:…`, direct TLS. */
  readonly directTlsService: string
  readonly caFile: string
  readonly logFile: string
  /** The present process, as of the last start. */
  readonly running: Running
  /** Adds an account that may only log in. */
  addAccount(account: Account): Promise<void>
  /** Starts again after `stop` or `kill`, on the same ports and stores. */
  start(): Promise<void>
  stop(): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  restart(): Promise<void>
  /** Loses all nodes, items and subscriptions without a word to anybody, while it runs or while it is stopped. */
  losePubsubStore(): Promise<void>
}

/** Waits until the server answers a stream header (RFC 6120 section 4.2): only then is it up, not when it listens. */
export async function answersXmpp(running: Running, port: number, domain: string): Promise<void> {
  await running.answersTcp(port)
  const socket = connect(port, '127.0.0.1')
  try {
    socket.write(
      `<stream:stream to='${domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`,
    )
    await once(socket, 'data', { signal: AbortSignal.timeout(30_000) })
  } finally {
    socket.destroy()
  }
}
