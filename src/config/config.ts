/** The configuration as the rest of the program sees it: validated, frozen, durations in milliseconds. */
import type { LimitSettings, LivenessSettings } from '../bridge/context.js'
import type { NeverShared } from '../bridge/never-shared.js'
import type { EntityId } from '../bridge/state.js'
import type { HostPort } from './host-port.js'
import type { Secret } from './secret.js'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error'] as const

export type LogLevel = (typeof logLevels)[number]

/** What of one kind goes out, comes in, and under which names. */
export interface ShareConfig {
  readonly publish: boolean
  readonly subscribe: boolean
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** Is a device or mailbox of this name shared: matched by an include, by no exclude, and not one that feeds back (rule 4)? */
  readonly isShared: (id: string) => boolean
  /** Why one of this name is never shared, whatever the filters say; `undefined` where they decide. */
  readonly whyNever: (id: string) => NeverShared | undefined
}

export interface DeviceShareConfig extends ShareConfig {
  /** Are uncachable states shared too (rule 4)? */
  readonly uncachable: boolean
}

export interface MailboxShareConfig extends ShareConfig {
  readonly claim: readonly string[]
  /** Does this member own the mailbox by configuration (rule 5)? */
  readonly isClaimed: (id: string) => boolean
}

export interface XmppConfig {
  /** URIs of the nodes of one domain, in the order to try: `xmpp://host:5222`, `xmpps://host:5223`. */
  readonly services: readonly string[]
  /** Bare JID, lower case. */
  readonly jid: string
  readonly password: Secret
  /** JID of the pubsub service. */
  readonly pubsub: string
  /** How the password is proved; see `SaslMode` of `src/xmpp`. */
  readonly sasl: 'scram' | 'scram-unbound' | 'plain'
  readonly tls: {
    readonly mode: 'required' | 'insecure'
    readonly caFile?: string
    /** The PEM text of `caFile`. */
    readonly ca?: string
  }
}

export interface SipConfig {
  /** Where Asterisk listens. */
  readonly asterisk: HostPort
  /** Where Asterisk publishes to. */
  readonly listen: HostPort
  /** By what Asterisk is given states; for the rest it needs UDP at that address in any case. */
  readonly transport: 'udp' | 'tcp'
  /** User part, endpoint, auth user and publication name on both sides. */
  readonly resource: string
  /** What the bridge shows Asterisk. */
  readonly password: Secret
  /** What Asterisk shows the bridge; where there is none, as in older configurations, `password` serves both. */
  readonly asteriskPassword?: Secret
  /** Was it said that one of the addresses may be off loopback? */
  readonly insecure: boolean
}

export interface Config {
  /** Root of the pubsub node names. */
  readonly cluster: string
  /** Of this member, for humans. */
  readonly name: string
  /** JID globs. */
  readonly trust: readonly string[]
  /** May this bare JID be a member (rule 18)? */
  readonly isTrusted: (bareJid: string) => boolean
  /** Bare JIDs that may read the own nodes without being members. */
  readonly inspectors: readonly string[]
  /** Absolute path. */
  readonly stateDir: string
  /** Path of the control socket in it. */
  readonly controlSocket: string
  readonly xmpp: XmppConfig
  readonly asterisk: {
    readonly eid?: EntityId
    /** The program that is `asterisk`, whose console `doctor` and `explain` ask, and its first arguments. */
    readonly console: readonly string[]
    readonly sip: SipConfig
  }
  readonly share: {
    readonly device_state: DeviceShareConfig
    readonly message_waiting: MailboxShareConfig
  }
  readonly liveness: LivenessSettings
  readonly limits: LimitSettings
  readonly http: {
    readonly listen: HostPort
    /** Asked of whoever wants to read; there always is one where `listen` is off loopback. */
    readonly password?: Secret
  }
  readonly log: { readonly level: LogLevel }
}

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Where, in the file's own words: `xmpp.tls.mode`, `trust[0]`; empty for the file as a whole. */
  readonly path: string
  /** Line in the file, from 1. */
  readonly line?: number
  /** The bad value as text; never given for a secret. */
  readonly value?: string
  /** What is wrong and what to do. */
  readonly message: string
}

/** So many problems are told, and so much of each value. */
const mostProblems = 50
const mostShown = 100

/** The configuration cannot be used; it carries every problem at once. Exit code 78 (`EX_CONFIG` of sysexits.h). */
export class ConfigError extends Error {
  readonly isTemporary = false
  readonly problems: readonly ConfigProblem[]

  constructor(source: string, problems: readonly ConfigProblem[]) {
    super(
      [
        `${source}: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
        ...problems.slice(0, mostProblems).map((problem) => `  ${formatProblem(problem)}`),
        ...(problems.length > mostProblems ? [`  and ${problems.length - mostProblems} more`] : []),
      ].join('\n'),
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** One line: `xmpp.jid (line 4): 'pbx-a': must be a bare JID …`. */
export function formatProblem({ path, line, value, message }: ConfigProblem): string {
  const place = [path, line === undefined ? '' : `(line ${line})`].filter(Boolean).join(' ')
  return [place, value === undefined ? '' : formatValue(value), message].filter(Boolean).join(': ')
}

/** In quotes, of bounded length and without control characters. */
export function formatValue(value: string): string {
  const text = value.replaceAll(/\p{Cc}/gu, '\ufffd')
  return `'${text.slice(0, mostShown)}${text.length > mostShown ? '…' : ''}'`
}
