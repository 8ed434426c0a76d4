/**
 * What the bridge does about each condition that an XMPP server can name. The only place that decides it; texts are for
 * humans and never looked at. Sources: RFC 6120 §4.9.3 (streams), §6.5 (SASL), §8.3.3 (stanzas).
 */

/** `retry`: may pass by itself. `fatal`: the same again would fail again. `ignore`: what was asked for is so already. */
export type StanzaFate = 'retry' | 'fatal' | 'ignore'

const stanzaFates: Readonly<Record<string, StanzaFate>> = {
  'bad-request': 'fatal',
  conflict: 'ignore',
  'feature-not-implemented': 'fatal',
  forbidden: 'fatal',
  gone: 'fatal',
  'internal-server-error': 'retry',
  // A node or peer that is not there may be made again (rule 19).
  'item-not-found': 'retry',
  'jid-malformed': 'fatal',
  'not-acceptable': 'fatal',
  'not-allowed': 'fatal',
  'not-authorized': 'fatal',
  'policy-violation': 'retry',
  'recipient-unavailable': 'retry',
  redirect: 'fatal',
  'registration-required': 'fatal',
  'remote-server-not-found': 'retry',
  'remote-server-timeout': 'retry',
  'resource-constraint': 'retry',
  'service-unavailable': 'retry',
  'subscription-required': 'fatal',
  // Not a defined condition: the server says why in its own words (RFC 6120 §8.3.3.21).
  'undefined-condition': 'retry',
  'unexpected-request': 'ignore',
}

/** What to do about a stanza error; a condition that the RFC does not name is tried again. */
export function stanzaFate(condition: string): StanzaFate {
  return Object.hasOwn(stanzaFates, condition) ? (stanzaFates[condition] ?? 'retry') : 'retry'
}

/**
 * What follows the end of a stream, or of an attempt to open one. A failed attempt goes on to the next service of the
 * list at once; these say how long to wait when the list is through, and what is tried first after a stream that stood.
 * `retry`: the same service, with backoff. `unreached`: the same service, with a shorter backoff: an attempt that reaches no
 * server costs nobody anything. `next`: the next service, with backoff. `slow`: an administrator has to mend something; the backoff's
 * cap, said once and clearly. `credentials`: the same, and minutes apart, as servers ban who goes on with a wrong password.
 * `conflict`: another bridge uses this JID; wait `stale_after` (rule 20).
 */
export type StreamReaction = 'retry' | 'unreached' | 'next' | 'slow' | 'credentials' | 'conflict'

const hopeful: ReadonlySet<StreamReaction> = new Set(['retry', 'unreached', 'next'])

/** May what it follows pass by itself? */
export function isHopeful(reaction: StreamReaction): boolean {
  return hopeful.has(reaction)
}

export interface StreamRow {
  readonly reaction: StreamReaction
  /** What the administrator can do. */
  readonly remedy: string
}

const checkPassword: StreamRow = {
  reaction: 'credentials',
  remedy: 'check xmpp.jid and its password, and that the account exists on the server',
}
/** It may say so of a channel binding that does not fit, too. */
const checkPasswordOrBinding: StreamRow = {
  ...checkPassword,
  remedy: `${checkPassword.remedy}; where the server speaks of channel binding, find out who ends TLS in between: for a proxy of your own set xmpp.sasl: scram-unbound`,
}
/** No legitimate server sends so much or such things. */
const checkSender: StreamRow = {
  reaction: 'slow',
  remedy:
    'see that xmpp.service names your XMPP server and that nobody stands in between; no XMPP server sends such things by itself',
}
const checkDomain: StreamRow = {
  reaction: 'slow',
  remedy: 'check that xmpp.service points to a server of the domain in xmpp.jid',
}
const checkCertificate: StreamRow = {
  reaction: 'slow',
  remedy:
    "give the CA's PEM file as xmpp.tls.ca, or a certificate for the domain of xmpp.jid to the server",
}
const checkExpiry: StreamRow = {
  reaction: 'slow',
  remedy: "renew the server's certificate, or set the clocks of both machines right",
}
const checkOffer: StreamRow = {
  reaction: 'slow',
  remedy: 'let the server offer SCRAM-SHA-256 or SCRAM-SHA-1',
}
const seeServer = 'see whether the XMPP server runs, and what its log says'
/** The server does not work just now; another of the list may. */
const leaveServer: StreamRow = { reaction: 'next', remedy: seeServer }
const startServer: StreamRow = {
  reaction: 'unreached',
  remedy: 'start the XMPP server, or correct xmpp.service, which is to name its client port',
}
const checkName: StreamRow = {
  reaction: 'unreached',
  remedy: 'correct the name in xmpp.service, or see why it cannot be resolved',
}
const checkNetwork: StreamRow = {
  reaction: 'unreached',
  remedy: 'see whether xmpp.service is right, and the network and firewalls on the way there',
}

const freeFiles: StreamRow = {
  reaction: 'retry',
  remedy:
    'this process, or the machine, may open no more files: raise LimitNOFILE of the unit (or ulimit -n), and see with ' +
    'ls -l /proc/PID/fd what holds them',
}

const outOfFiles: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])

/** Does that code say that no more files or sockets may be opened? */
export function isOutOfFiles(code: string): boolean {
  return outOfFiles.has(code)
}

/** Every condition with a row of its own; all others are tried again with backoff. */
export const streamRows: Readonly<Record<string, StreamRow>> = {
  // RFC 6120 §4.9.3
  conflict: {
    reaction: 'conflict',
    remedy:
      'give every bridge an account and an Asterisk entity ID of its own, or make the account again if it was removed',
  },
  'connection-timeout': leaveServer,
  'host-gone': checkDomain,
  'host-unknown': checkDomain,
  'internal-server-error': leaveServer,
  'policy-violation': {
    reaction: 'retry',
    // COMPAT ejabberd: mod_fail2ban ends the streams of an address that it has banned with this condition too.
    remedy:
      "raise the server's rate and session limits for the bridges' accounts; if it has banned this address after " +
      'wrong passwords, correct the password, then lift the ban (ejabberd: ejabberdctl unban_ip ADDRESS)',
  },
  'remote-connection-failed': leaveServer,
  reset: { reaction: 'retry', remedy: seeServer },
  'resource-constraint': {
    reaction: 'next',
    remedy: "raise the server's limit on sessions for this account",
  },
  'see-other-host': {
    reaction: 'next',
    remedy: 'name the host that the server points to in xmpp.service; redirects are not followed',
  },
  'system-shutdown': leaveServer,
  // RFC 6120 §6.5
  'account-disabled': checkPassword,
  'credentials-expired': checkPassword,
  'encryption-required': checkOffer,
  'invalid-mechanism': checkOffer,
  'mechanism-too-weak': checkOffer,
  'not-authorized': checkPasswordOrBinding,
  'temporary-auth-failure': leaveServer,
  // The system's
  EAI_AGAIN: checkName,
  ECONNREFUSED: startServer,
  EHOSTDOWN: checkNetwork,
  EHOSTUNREACH: checkNetwork,
  EMFILE: freeFiles,
  ENETDOWN: checkNetwork,
  ENETUNREACH: checkNetwork,
  ENFILE: freeFiles,
  ENOTFOUND: checkName,
  ETIMEDOUT: checkNetwork,
  // Ours
  certificate: checkCertificate,
  'certificate-date': checkExpiry,
  /** The server has found that the login is not bound to its end of TLS, or that its offer was changed on the way. */
  'channel-binding': {
    reaction: 'credentials',
    remedy:
      'somebody ends TLS between this bridge and the server: for a proxy of your own set xmpp.sasl: scram-unbound, else the login was attacked',
  },
  /** The stream or its connection was closed without a reason. */
  closed: { reaction: 'retry', remedy: seeServer },
  'mechanism-downgraded': {
    reaction: 'slow',
    remedy:
      "if the server was changed on purpose, delete the file 'mechanisms' in state_dir, and it is let in within 30 s; else somebody stands in between",
  },
  'negotiation-too-big': checkSender,
  'no-mechanism': checkOffer,
  'plain-only': {
    reaction: 'slow',
    remedy:
      'let the server offer SCRAM-SHA-256 or SCRAM-SHA-1; only if it cannot, as with an LDAP behind it, set xmpp.sasl: plain, which gives the password to whoever has a certificate for it',
  },
  'restricted-xml': checkSender,
  'server-signature': {
    reaction: 'slow',
    remedy: 'the server does not know the password: check that xmpp.service is the right server',
  },
  'stanza-too-big': checkSender,
  /** A stream that stood, and on which nothing comes any more. */
  silent: leaveServer,
  /** A connection that is accepted and stays mute. */
  timeout: {
    reaction: 'next',
    remedy: 'see whether the server is overloaded, and whether xmpp.service names its client port',
  },
  /** A connection that ends before anything came: that of a proxy, as Docker's, before a server that does not run. */
  unanswered: { reaction: 'unreached', remedy: seeServer },
  'tls-unavailable': {
    reaction: 'slow',
    remedy:
      'let the server offer STARTTLS, use an xmpps:// service, or say xmpp.tls.mode: insecure for clear text',
  },
}

const unknown: StreamRow = { reaction: 'retry', remedy: seeServer }

/** What to do when a stream ended with that condition; unknown ones are tried again. */
export function streamRow(condition: string): StreamRow {
  return Object.hasOwn(streamRows, condition) ? (streamRows[condition] ?? unknown) : unknown
}

const dateCodes: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])

/** Conditions that only a peer's certificate causes. Source: Node's `tls`, OpenSSL `X509_V_ERR_*`. */
const certificateCodes: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_FORMAT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

/** The condition of an error that TLS or a socket threw under that code: `certificate`, `certificate-date`, or the code. */
export function conditionOfCode(code: string): string {
  if (dateCodes.has(code)) return 'certificate-date'
  return certificateCodes.has(code) ? 'certificate' : code
}
