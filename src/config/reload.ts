import { checkDurations } from './checks.js'
import type { LivenessSettings } from '../bridge/context.js'
import type { Config } from './config.js'
import type { Secret } from './secret.js'

export interface Reload {
  /** The running configuration with what may change while it runs taken from the fresh one. */
  readonly config: Config
  /** Settings that changed and now apply, in the file's own names. */
  readonly applied: readonly string[]
  /** Settings that changed and apply only after a restart. */
  readonly restartNeeded: readonly string[]
}

/**
 * Decides what of a configuration that was read again applies at once: trust, inspectors, share filters, liveness, limits, log level, XMPP
 * password. Asterisk's console is used by other commands only.
 */
export function planReload(running: Config, fresh: Config): Reload {
  const before = describe(running)
  const after = describe(fresh)
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path) !== after.get(path),
  )
  const liveness = mergeLiveness(running.liveness, fresh.liveness)
  const isLive = (path: string): boolean =>
    live.test(path) && !(liveness === running.liveness && path.startsWith('liveness.'))
  const applied = changed.filter(isLive)
  const restartNeeded = changed.filter((path) => !isLive(path))
  if (!running.xmpp.password.equals(fresh.xmpp.password)) applied.push('xmpp.password')
  // Asterisk must be told of a new SIP password too, and takes both up only as a whole.
  const [sip, freshSip] = [running.asterisk.sip, fresh.asterisk.sip]
  if (!sip.password.equals(freshSip.password)) restartNeeded.push('asterisk.sip.password')
  if (!isSameSecret(sip.asteriskPassword, freshSip.asteriskPassword)) {
    restartNeeded.push('asterisk.sip.asterisk_password')
  }
  if (!isSameSecret(running.http.password, fresh.http.password)) restartNeeded.push('http.password')
  return { config: merge(running, fresh, liveness), applied, restartNeeded }
}

function isSameSecret(a: Secret | undefined, b: Secret | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

const live =
  /^(trust|inspectors|liveness\.(dead_after|grace|stale_after|members|audit)|limits\.(names_per_member|names)|log\.level|asterisk\.console|share\.(device_state|message_waiting)\.(include|exclude|claim|uncachable))$/

/** The fresh durations with the heartbeat that runs; all of the running ones where those make no sense with it. */
function mergeLiveness(running: LivenessSettings, fresh: LivenessSettings): LivenessSettings {
  const merged = Object.freeze({ ...fresh, heartbeatMs: running.heartbeatMs })
  return checkDurations(merged).length === 0 ? merged : running
}

function merge(running: Config, fresh: Config, liveness: LivenessSettings): Config {
  const keepSwitches = <Share extends { publish: boolean; subscribe: boolean }>(
    from: Share,
    { publish, subscribe }: { publish: boolean; subscribe: boolean },
  ): Share => Object.freeze({ ...from, publish, subscribe })
  return Object.freeze({
    ...running,
    trust: fresh.trust,
    isTrusted: fresh.isTrusted,
    inspectors: fresh.inspectors,
    xmpp: Object.freeze({ ...running.xmpp, password: fresh.xmpp.password }),
    share: Object.freeze({
      device_state: keepSwitches(fresh.share.device_state, running.share.device_state),
      message_waiting: keepSwitches(fresh.share.message_waiting, running.share.message_waiting),
    }),
    liveness,
    limits: fresh.limits,
    log: fresh.log,
  })
}

/** Path → value as text for every setting but the passwords; names as in the file. */
function describe(config: Config): Map<string, string> {
  const { xmpp, asterisk, share, liveness, limits, http } = config
  const named = {
    cluster: config.cluster,
    name: config.name,
    trust: config.trust,
    inspectors: config.inspectors,
    state_dir: config.stateDir,
    'xmpp.service': xmpp.services,
    'xmpp.jid': xmpp.jid,
    'xmpp.pubsub': xmpp.pubsub,
    'xmpp.sasl': xmpp.sasl,
    'xmpp.tls.mode': xmpp.tls.mode,
    'xmpp.tls.ca': [xmpp.tls.caFile, xmpp.tls.ca],
    'asterisk.eid': asterisk.eid,
    'asterisk.console': asterisk.console,
    'asterisk.sip.asterisk': asterisk.sip.asterisk,
    'asterisk.sip.listen': asterisk.sip.listen,
    'asterisk.sip.transport': asterisk.sip.transport,
    'asterisk.sip.resource': asterisk.sip.resource,
    'asterisk.sip.insecure': asterisk.sip.insecure,
    'share.device_state.publish': share.device_state.publish,
    'share.device_state.subscribe': share.device_state.subscribe,
    'share.device_state.include': share.device_state.include,
    'share.device_state.exclude': share.device_state.exclude,
    'share.device_state.uncachable': share.device_state.uncachable,
    'share.message_waiting.publish': share.message_waiting.publish,
    'share.message_waiting.subscribe': share.message_waiting.subscribe,
    'share.message_waiting.include': share.message_waiting.include,
    'share.message_waiting.exclude': share.message_waiting.exclude,
    'share.message_waiting.claim': share.message_waiting.claim,
    'liveness.heartbeat': liveness.heartbeatMs,
    'liveness.dead_after': liveness.deadAfterMs,
    'liveness.grace': liveness.graceMs,
    'liveness.stale_after': liveness.staleAfterMs,
    'liveness.members': liveness.membersMs,
    'liveness.audit': liveness.auditMs,
    'limits.names_per_member': limits.namesPerMember,
    'limits.names': limits.names,
    'http.listen': http.listen,
    'log.level': config.log.level,
  }
  return new Map(Object.entries(named).map(([path, value]) => [path, JSON.stringify(value)]))
}
