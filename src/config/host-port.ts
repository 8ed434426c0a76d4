import { BlockList, isIP, isIPv6 } from 'node:net'

/** Where something listens; `host` is without the brackets of an IPv6 literal. */
export interface HostPort {
  readonly host: string
  readonly port: number
}

/** Reads `host:port`, `[::1]:port`; `undefined` where the text is neither. Port 0 is accepted here: callers that cannot use it say so. */
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([^\]]+)\]|([^[\]:\s/@]+)):(\d{1,5})$/.exec(text.trim())
  if (match === null) return undefined
  const port = Number(match[3])
  const host = match[1] ?? match[2] ?? ''
  if (port > 65_535) return undefined
  if (match[1] !== undefined) return isIPv6(host) ? { host, port } : undefined
  return isHostName(host) ? { host, port } : undefined
}

/** `host:port`, an IPv6 literal in brackets. */
export function formatHostPort({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Does this host stay on the machine: 127.0.0.0/8, ::1 (RFC 6890) or `localhost` (RFC 6761)? */
export function isLoopback(host: string): boolean {
  const version = isIP(host)
  if (version === 0) return host.toLowerCase() === 'localhost'
  return loopback.check(host, version === 4 ? 'ipv4' : 'ipv6')
}

/** An IPv4 literal or a host name of RFC 1123; all digits and dots must be a real IPv4 address. */
function isHostName(host: string): boolean {
  if (/^[\d.]+$/.test(host)) return isIP(host) === 4
  return /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?$/i.test(
    host,
  )
}
