/** Is a request meant for this side? Source: RFC 3261 sections 8.2.2.1 and 19.1.4. */
import { isIPv6 } from 'node:net'
import type { HostPort } from './message.js'
import { isLoopback } from './transport.js'

export interface OwnUriParts {
  readonly resource: string
  /** As it is configured: an address, a name, or all addresses of the machine. */
  readonly listen: HostPort
  /** The other side's address, which is never this one's. */
  readonly asterisk: HostPort
  /** What the socket has become; nothing before it is bound. */
  readonly bound: () => HostPort | undefined
}

const form = /^sip:([^@:;?]+)@(\[[^\]]+\]|[^:;?[\]]+)(?::(\d{1,5}))?(?:;[^?]*)?$/i
const defaultPort = 5060
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Compares request URIs with what Asterisk's `server_uri` may call this side. */
export class OwnUri {
  /** Asterisk writes the same in every request. */
  private known: string | undefined

  constructor(private readonly parts: OwnUriParts) {}

  /** Does that URI name this side's resource, host and port? */
  names(uri: string): boolean {
    if (uri === this.known) return true
    const [, user, host = '', port = String(defaultPort)] = form.exec(uri) ?? []
    const isOwn = user === this.parts.resource && this.isOwnPlace({ host, port: Number(port) })
    if (isOwn) this.known = uri
    return isOwn
  }

  private isOwnPlace({ host, port }: HostPort): boolean {
    const { listen, asterisk, bound } = this.parts
    const named = canonical(host)
    if (port !== listen.port) return false
    const isAsterisks = named === canonical(asterisk.host) && port === asterisk.port
    if (wildcards.has(listen.host)) return !isAsterisks
    const address = bound()?.host ?? listen.host
    const isLocal = named === 'localhost' && isLoopback(address)
    return isLocal || named === canonical(listen.host) || named === canonical(address)
  }
}

/** One spelling of each host: lower case, no brackets, IPv6 as RFC 5952 has it. */
function canonical(host: string): string {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase()
  return isIPv6(bare) ? new URL(`http://[${bare}]`).hostname.slice(1, -1) : bare.replace(/\.$/, '')
}
