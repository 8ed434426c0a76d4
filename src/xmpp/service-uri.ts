/** Where to connect to. */
export interface ServiceUri {
  /** In its one spelling, such as `xmpp://[::1]:5222`. */
  readonly href: string
  readonly host: string
  readonly port: number
  /** `xmpps:`: TLS from the first octet (XEP-0368). */
  readonly isDirectTls: boolean
}

const defaultPorts: Readonly<Record<string, number>> = { 'xmpp:': 5222, 'xmpps:': 5223 }

/** Parses `xmpp://host[:port]` or `xmpps://host[:port]`, IPv6 literals in brackets; throws TypeError for anything else. */
export function parseServiceUri(text: string): ServiceUri {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const defaultPort = defaultPorts[url?.protocol ?? '']
  const isPlain = /^[a-z]+:\/\/[^/?#@]+\/?$/i.test(text)
  if (url === undefined || defaultPort === undefined || url.hostname === '' || !isPlain) {
    throw new TypeError(`${JSON.stringify(text)} is not xmpp://host:port or xmpps://host:port`)
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const port = url.port === '' ? defaultPort : Number(url.port)
  return {
    href: `${url.protocol}//${url.hostname}:${port}`,
    host,
    port,
    isDirectTls: url.protocol === 'xmpps:',
  }
}
