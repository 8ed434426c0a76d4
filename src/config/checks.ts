import { join } from 'node:path'
import { isIP } from 'node:net'
import type { ConfigProblem } from './config.js'
import { formatDuration, parseDuration } from './duration.js'
import { formatHostPort, type HostPort, isLoopback, parseHostPort } from './host-port.js'
import { controlSocketName } from './build.js'
import { defaults } from './schema.js'
import { at, textAt } from './tree.js'

/** Longest path of a Unix socket in octets: `sun_path` of unix(7) without its final NUL. */
const maxSocketPathOctets = 107

/**
 * What one key demands of another. Works on the unchecked file, so that these problems are reported along with those of
 * the single keys; a key that does not parse is left to the schema. `hasHttpPassword`: was one looked for and found, or
 * complained of?
 */
export function checkAcrossKeys(tree: unknown, hasHttpPassword: boolean): ConfigProblem[] {
  return [
    ...checkSip(tree),
    ...(hasHttpPassword ? [] : checkHttp(tree)),
    ...checkLiveness(tree),
    ...checkStateDir(tree),
  ]
}

function checkSip(tree: unknown): ConfigProblem[] {
  const asterisk = addressAt(tree, 'asterisk.sip.asterisk', defaults.sipAsterisk)
  const listen = addressAt(tree, 'asterisk.sip.listen', defaults.sipListen)
  const problems = [
    ...checkLoopback(tree, 'asterisk.sip.asterisk', asterisk),
    ...checkLoopback(tree, 'asterisk.sip.listen', listen),
  ]
  if (asterisk === undefined || listen === undefined) return problems
  const value = formatHostPort(listen)
  if (formatHostPort(asterisk) === value) {
    const message = 'is where Asterisk itself listens (asterisk.sip.asterisk): take another port'
    problems.push({ path: 'asterisk.sip.listen', value, message })
  }
  const families = new Set(
    [isIP(asterisk.host), isIP(listen.host)].filter((family) => family !== 0),
  )
  if (families.size > 1) {
    const message = `must be of the same IP version as asterisk.sip.asterisk (${formatHostPort(asterisk)})`
    problems.push({ path: 'asterisk.sip.listen', value, message })
  }
  return problems
}

function checkHttp(tree: unknown): ConfigProblem[] {
  const path = 'http.listen'
  const listen = addressAt(tree, path, defaults.httpListen, 0)
  if (listen === undefined || isLoopback(listen.host)) return []
  const message =
    'is not a loopback address, and whoever reaches it could read who talks on which phone: ' +
    'set http.password_file (a file with a password that readers are asked for), or use 127.0.0.1'
  return [{ path, value: formatHostPort(listen), message }]
}

function checkLoopback(
  tree: unknown,
  path: string,
  address: HostPort | undefined,
): ConfigProblem[] {
  const word = 'asterisk.sip.insecure'
  if (address === undefined || isLoopback(address.host) || at(tree, word) === true) return []
  const message = `is not a loopback address and nothing there is encrypted: use 127.0.0.1, or write '${word}: true' to accept that`
  return [{ path, value: formatHostPort(address), message }]
}

function checkLiveness(tree: unknown): ConfigProblem[] {
  const read = (key: string, fallback: string): number | undefined =>
    parseDuration(textOr(tree, `liveness.${key}`, fallback) ?? '')
  return checkDurations({
    heartbeatMs: read('heartbeat', defaults.heartbeat),
    deadAfterMs: read('dead_after', defaults.deadAfter),
    graceMs: read('grace', defaults.grace),
    staleAfterMs: read('stale_after', defaults.staleAfter),
  })
}

type Durations = {
  readonly [Name in 'heartbeatMs' | 'deadAfterMs' | 'graceMs' | 'staleAfterMs']: number | undefined
}

/** What makes the rules on life and death (13, 21, 23) work at all; a duration that is not known demands nothing. */
export function checkDurations(durations: Durations): ConfigProblem[] {
  const { heartbeatMs, deadAfterMs, graceMs, staleAfterMs } = durations
  const problems: ConfigProblem[] = []
  if (deadAfterMs === undefined) return problems
  const value = formatDuration(deadAfterMs)
  if (heartbeatMs !== undefined && deadAfterMs < 2 * heartbeatMs) {
    const message = `must be at least two heartbeats (${formatDuration(2 * heartbeatMs)}): one that is late is not death`
    problems.push({ path: 'liveness.dead_after', value, message })
  }
  if (graceMs !== undefined && graceMs >= deadAfterMs) {
    const message = `must be shorter than liveness.dead_after (${value})`
    problems.push({ path: 'liveness.grace', value: formatDuration(graceMs), message })
  }
  if (staleAfterMs !== undefined && staleAfterMs < deadAfterMs) {
    const message = `must be at least liveness.dead_after (${value})`
    problems.push({ path: 'liveness.stale_after', value: formatDuration(staleAfterMs), message })
  }
  return problems
}

function checkStateDir(tree: unknown): ConfigProblem[] {
  const value = textAt(tree, 'state_dir')
  if (value === undefined) return []
  if (Buffer.byteLength(join(value, controlSocketName)) <= maxSocketPathOctets) return []
  const longest = maxSocketPathOctets - controlSocketName.length - 1
  const message = `is too long for the control socket in it: at most ${longest} octets`
  return [{ path: 'state_dir', value, message }]
}

function addressAt(
  tree: unknown,
  path: string,
  fallback: string,
  leastPort = 1,
): HostPort | undefined {
  const address = parseHostPort(textOr(tree, path, fallback) ?? '')
  return address !== undefined && address.port >= leastPort ? address : undefined
}

/** The fallback stands in only for what is absent, not for what is of a wrong type. */
function textOr(tree: unknown, path: string, fallback: string): string | undefined {
  return at(tree, path) === undefined ? fallback : textAt(tree, path)
}
