import { isIP, isIPv6 } from 'node:net'
import { formatHostPort, type HostPort, isLoopback } from './host-port.js'

export interface AsteriskSide {
  /** Name of all sections, auth user and user part on both sides. */
  readonly resource: string
  /** The SIP password that both sides share, in clear. */
  readonly password: string
  /** Where Asterisk listens. */
  readonly asterisk: HostPort
  /** Where the bridge listens. */
  readonly listen: HostPort
}

/**
 * Renders `pjsip_hintbridge.conf`, which `pjsip.conf` includes: all that Asterisk needs to know of its bridge. Source:
 * Asterisk `configs/samples/pjsip.conf.sample`, `res/res_pjsip_publish_asterisk.c`, `res/res_pjsip_outbound_publish.c`.
 */
export function renderAsteriskSide({ resource, password, asterisk, listen }: AsteriskSide): string {
  const bridge = `sip:${resource}@${formatHostPort(listen)}`
  const own = `sip:${resource}@${formatHostPort(asterisk)}`
  return `; ${resource}: the Asterisk side of hintbridge, written by 'hintbridge init'. This file holds a secret.
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

; The one secret: Asterisk asks it of the bridge ('auth' above) and gives it to the bridge ('outbound_auth' below).
[${resource}]
type = auth
auth_type = userpass
username = ${resource}
password = ${escapeValue(password)}

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
outbound_auth = ${resource}
expiration = 3600
`
  }
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
