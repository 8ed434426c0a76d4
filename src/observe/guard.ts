import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'

export interface GuardOptions {
  /** Asked of every request, with any user name; without one, only requests that name a loopback host are answered. */
  readonly password?: string
  /** Told of each request that is turned away. */
  readonly onRefused?: (reason: 'password' | 'host') => void
}

/**
 * Sent with every answer: nothing but the own files is loaded, no inline code runs, nobody frames the page, and no text becomes
 * markup (Trusted Types). Source: W3C Content Security Policy Level 3.
 */
const headers = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/**
 * Lets through to `next` who may read: with a password, who gives it (HTTP basic authentication, RFC 7617), at every path;
 * without one, who asks for a loopback host, so that no foreign web page reads by a name that it points at this machine (DNS
 * rebinding).
 */
export function guard(
  { password, onRefused }: GuardOptions,
  next: RequestListener,
): RequestListener {
  const expected = password === undefined ? undefined : digest(password)
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    const refuse = (reason: 'password' | 'host', status: number, text: string): void => {
      request.resume()
      onRefused?.(reason)
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
    }
    if (expected === undefined) {
      if (isLoopbackName(request.headers.host)) next(request, response)
      else refuse('host', 403, 'ask for localhost or 127.0.0.1, or set http.password_file')
    } else if (isProven(request, expected)) {
      next(request, response)
    } else {
      response.setHeader('www-authenticate', 'Basic realm="hintbridge", charset="UTF-8"')
      refuse('password', 401, 'the password of http.password_file is needed, with any user name')
    }
  }
}

/** Compares digests, which are of one length, in a time that tells nothing of where they differ. */
function isProven({ headers: { authorization = '' } }: IncomingMessage, expected: Buffer): boolean {
  const [, credentials] = /^basic +([a-z0-9+/=]+) *$/i.exec(authorization) ?? []
  if (credentials === undefined) return false
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon >= 0 && timingSafeEqual(digest(text.slice(colon + 1)), expected)
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Without a Host (HTTP/1.0, as some health checks speak) it is no browser. */
function isLoopbackName(host: string | undefined): boolean {
  return host === undefined || /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host)
}
