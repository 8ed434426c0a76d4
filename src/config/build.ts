import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { type NeverShared, whyNeverShared } from '../bridge/never-shared.js'
import type { Config, ConfigProblem, ShareConfig } from './config.js'
import { isLoopback, parseHostPort } from './host-port.js'
import { compileTrust, parseBareJid } from './jid.js'
import { compileRegex } from './regex.js'
import type { Settings } from './schema.js'
import { Secret } from './secret.js'

export interface SettingsFiles {
  readonly xmppPassword: Secret
  readonly sipPassword: Secret
  readonly asteriskPassword?: Secret
  readonly httpPassword?: Secret
  /** PEM text. */
  readonly ca?: string
}

/** Name of the control socket in `state_dir`. */
export const controlSocketName = 'hintbridge.sock'

const ownEndpointIsOut: NeverShared = {
  reason: "is the bridge's own endpoint, which says nothing of a phone",
}

/** Makes the frozen Config of checked settings, and the warnings about what is allowed but unwise. */
export function buildConfig(
  settings: Settings,
  folder: string,
  files: SettingsFiles,
): { readonly config: Config; readonly warnings: ConfigProblem[] } {
  const { xmpp, asterisk, share, liveness, limits } = settings
  const ownEndpoint = `PJSIP/${asterisk.sip.resource}`
  const whyNever = (id: string): NeverShared | undefined =>
    id === ownEndpoint ? ownEndpointIsOut : whyNeverShared('device_state', id)
  const devices = compileFilter(share.device_state)
  const mailboxes = compileFilter(share.message_waiting)
  const isClaimed = compileAny(share.message_waiting.claim)
  const caFile = xmpp.tls.ca === undefined ? undefined : resolve(folder, xmpp.tls.ca)
  const stateDir = resolve(folder, settings.state_dir)
  const config: Config = {
    cluster: settings.cluster,
    name: settings.name ?? hostname(),
    trust: settings.trust,
    isTrusted: compileTrust(settings.trust),
    inspectors: settings.inspectors,
    stateDir,
    controlSocket: join(stateDir, controlSocketName),
    xmpp: {
      services: xmpp.service,
      jid: xmpp.jid,
      password: files.xmppPassword,
      pubsub: xmpp.pubsub ?? `pubsub.${parseBareJid(xmpp.jid)?.domain ?? ''}`,
      sasl: xmpp.sasl,
      tls: {
        mode: xmpp.tls.mode,
        ...(caFile !== undefined && { caFile }),
        ...(files.ca !== undefined && { ca: files.ca }),
      },
    },
    asterisk: {
      ...(asterisk.eid !== undefined && { eid: asterisk.eid }),
      console: asterisk.console,
      sip: {
        asterisk: asterisk.sip.asterisk,
        listen: asterisk.sip.listen,
        transport: asterisk.sip.transport,
        resource: asterisk.sip.resource,
        password: files.sipPassword,
        ...(files.asteriskPassword !== undefined && { asteriskPassword: files.asteriskPassword }),
        insecure: asterisk.sip.insecure,
      },
    },
    share: {
      device_state: {
        ...share.device_state,
        isShared: (id) => whyNever(id) === undefined && devices(id),
        whyNever,
      },
      message_waiting: {
        ...share.message_waiting,
        isShared: (id) => whyNeverShared('message_waiting', id) === undefined && mailboxes(id),
        whyNever: (id) => whyNeverShared('message_waiting', id),
        isClaimed,
      },
    },
    liveness: {
      heartbeatMs: liveness.heartbeat,
      deadAfterMs: liveness.dead_after,
      graceMs: liveness.grace,
      staleAfterMs: liveness.stale_after,
      membersMs: liveness.members,
      auditMs: liveness.audit,
    },
    limits: { namesPerMember: limits.names_per_member, names: limits.names },
    http: {
      listen: settings.http.listen,
      ...(files.httpPassword !== undefined && { password: files.httpPassword }),
    },
    log: settings.log,
  }
  return { config: freeze(config), warnings: adviseOn(config) }
}

function adviseOn(config: Config): ConfigProblem[] {
  const warnings: ConfigProblem[] = []
  const { jid, services, tls, sasl } = config.xmpp
  if (!config.isTrusted(jid)) {
    const message = `does not cover this bridge's own account ${jid}: peers with the same list will refuse it`
    warnings.push({ path: 'trust', value: config.trust.join(', '), message })
  }
  for (const [index, glob] of config.trust.entries()) {
    if (!/^\*+@|@\*+$/.test(glob)) continue
    const message =
      'trusts every account of a server, or a server of any name: name the accounts more closely'
    warnings.push({ path: `trust[${index}]`, value: glob, message })
  }
  for (const [index, inspector] of config.inspectors.entries()) {
    if (!config.isTrusted(inspector)) continue
    const message = 'is trusted too, so that it may set lamps: an inspector needs no trust to read'
    warnings.push({ path: `inspectors[${index}]`, value: inspector, message })
  }
  const remote = services.find((uri) => !isLoopback(serviceHost(uri)))
  if (tls.mode === 'insecure' && remote !== undefined) {
    const what = sasl === 'plain' ? 'the password and all states' : 'all states'
    const message = `lets ${what} cross the network to ${remote} in clear: use 'required'`
    warnings.push({ path: 'xmpp.tls.mode', value: tls.mode, message })
  }
  return warnings
}

function serviceHost(uri: string): string {
  const authority = uri.replace(/^xmpps?:\/\//, '').replace(/\/$/, '')
  return (parseHostPort(authority) ?? parseHostPort(`${authority}:5222`))?.host ?? authority
}

function compileFilter(filter: Pick<ShareConfig, 'include' | 'exclude'>): (id: string) => boolean {
  const isIncluded = compileAny(filter.include)
  const isExcluded = compileAny(filter.exclude)
  return (id) => isIncluded(id) && !isExcluded(id)
}

function compileAny(patterns: readonly string[]): (id: string) => boolean {
  const tests = patterns.map(compileRegex)
  return (id) => tests.some((test) => test(id))
}

function freeze<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || value instanceof Secret) return value
  for (const part of Object.values(value)) freeze(part)
  return Object.freeze(value)
}
