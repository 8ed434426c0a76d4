import { isIP, isIPv6 } from 'node:net'
import type { SipConfig } from './config.js'
import { formatHostPort, type HostPort, isLoopback } from './host-port.js'

/**
 * The realm in which each side asks the other for its secret (RFC 3261 section 22.1). Asterisk answers only challenges of the
 * realm that its `outbound_auth` names, and the bridge only those of Asterisk's: neither can be made to answer its own.
 */
export const realms = { bridge: 'hintbridge', asterisk: 'hintbridge-asterisk' } as const

/** What the two sides show each other; an older configuration has one secret for both, and no realm for what the bridge shows. */
export function sipSecrets({
  password,
  asteriskPassword,
}: Pick<SipConfig, 'password' | 'asteriskPassword'>): {
  readonly toBridge: { readonly realm: string; readonly password: string }
  readonly toAsterisk: { readonly realm?: string; readonly password: string }
} {
  const own = password.reveal()
  const toBridge = { realm: realms.bridge, password: asteriskPassword?.reveal() ?? own }
  return asteriskPassword === undefined
    ? { toBridge, toAsterisk: { password: own } }
    : { toBridge, toAsterisk: { realm: realms.asterisk, password: own } }
}

export interface AsteriskSide {
  /** Name of all sections, auth user and user part on both sides. */
  readonly resource: string
  /** What the bridge shows Asterisk, in clear. */
  readonly password: string
  /** What Asterisk shows the bridge, in clear. */
  readonly asteriskPassword: string
  /** Where Asterisk listens. */
  readonly asterisk: HostPort
  /** Where the bridge listens. */
  readonly listen: HostPort
}

/**
 * Renders `pjsip_hintbridge.conf`, which `pjsip.conf` includes: all that Asterisk needs to know of its bridge. Source:
 * Asterisk `configs/samples/pjsip.conf.sample`, `res/res_pjsip_publish_asterisk.c`, `res/res_pjsip_outbound_publish.c`.
 */
export function renderAsteriskSide(side: AsteriskSide): string {
  const { resource, password, asteriskPassword, asterisk, listen } = side
  const bridge = `sip:${resource}@${formatHostPort(listen)}`
  const own = `sip:${resource}@${formatHostPort(asterisk)}`
  return `; ${resource}: the Asterisk side of hintbridge, written by 'hintbridge init'. This file holds secrets.
; pjsip.conf needs one line, below its transports:   #include pjsip_hintbridge.conf
; Needs a UDP transport on ${formatHostPort(asterisk)} (0.0.0.0 will do) and the modules
; res_pjsip_pubsub.so, res_pjsip_outbound_publish.so and res_pjsip_publish_asterisk.so.

; Whom the bridge is to Asterisk: found by the user part of its From header. It can place no call (the context is empty)
; and comes from this machine only. An 'identify' section that matches the bridge's address would take its requests away.
[${resource}]
type = endpoint
context =
disallow = all
allow = ulaw
identify_by = username
auth = ${resource}
deny = 0.0.0.0/0
deny = ::/0
${permitted(listen)
  .map((network) => `permit = ${network}`)
  .join('\n')}
allow_subscribe = no

; A secret for each direction, and a realm for each, so that nobody can have one side's answer for the other.
; What the bridge shows Asterisk ('auth' above):
[${resource}]
type = auth
auth_type = userpass
realm = ${realms.asterisk}
username = ${resource}
password = ${escapeValue(password)}

; What Asterisk shows the bridge ('outbound_auth' below), and nobody else: it answers no challenge of another realm.
[${outboundAuthOf(resource)}]
type = auth
auth_type = userpass
realm = ${realms.bridge}
username = ${resource}
password = ${escapeValue(asteriskPassword)}

; Asterisk tells the bridge its own device states ...
[${resource}-devicestate]
${outboundPublish('asterisk-devicestate')}
; ... and its own message counts.
[${resource}-mwi]
${outboundPublish('asterisk-mwi')}
; The bridge gives Asterisk the states and counts of the other servers. Only that endpoint may.
[${resource}]
type = inbound-publication
endpoint = ${resource}
event_asterisk-devicestate = ${resource}
event_asterisk-mwi = ${resource}

; Ties the two directions together: what is taken, and where to when the bridge asks for everything ('refresh').
[${resource}]
type = asterisk-publication
devicestate_publish = ${resource}-devicestate
mailboxstate_publish = ${resource}-mwi
device_state = yes
mailbox_state = yes
`

  function outboundPublish(event: string): string {
    return `type = outbound-publish
event = ${event}
server_uri = ${bridge}
from_uri = ${own}
to_uri = ${bridge}
outbound_auth = ${outboundAuthOf(resource)}
expiration = 3600
`
  }
}

/** The section that holds what Asterisk shows the bridge. */
export function outboundAuthOf(resource: string): string {
  return `${resource}-outbound`
}

/** Where the bridge's requests may come from: this machine, and an address of its own where it was told to use one. */
function permitted({ host }: HostPort): string[] {
  const loopback = ['127.0.0.0/8', '::1/128']
  if (isIP(host) === 0 || isLoopback(host)) return loopback
  return [...loopback, isIPv6(host) ? `${host}/128` : `${host}/32`]
}

/** In Asterisk's configuration files a semicolon starts a comment unless it is escaped (Asterisk `main/config.c`). */
function escapeValue(text: string): string {
  return text.replaceAll(';', '\\;')
}
