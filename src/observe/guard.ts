import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, RequestListener } from 'node:http'
import { Attempts } from './attempts.js'
import { sourceOf } from './source.js'

/**
 * Why a request or a connection was turned away: no or a wrong `password`; more of them than are looked at (`attempts`); another
 * `host` than a loopback one; more `connections` than are held; a request that did not come to its end (`timeout`).
 */
export type RefusalReason = 'password' | 'attempts' | 'host' | 'connections' | 'timeout'

export interface GuardOptions {
  /** Asked of every request, with any user name; without one, only requests that name a loopback host are answered. */
  readonly password?: string
  /** Told of each request that is turned away. */
  readonly onRefused?: (reason: RefusalReason) => void
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
 * a wrong one is answered late (`Attempts`);
 * without one, who asks for a loopback host, so that no foreign web page reads by a name that it points at this machine (DNS
 * rebinding).
 */
export function guard(
  { password, onRefused }: GuardOptions,
  next: RequestListener,
): RequestListener {
  const expected = password === undefined ? undefined : digest(password)
  const attempts = new Attempts()
  return (request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
    const refuse = (reason: RefusalReason, status: number, text: string): void => {
      onRefused?.(reason)
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`)
    }
    const challenge = (): void => {
      response.setHeader('www-authenticate', 'Basic realm="hintbridge", charset="UTF-8"')
      refuse('password', 401, 'the password of http.password_file is needed, with any user name')
    }
    if (expected === undefined) {
      if (isLoopbackName(request.headers.host)) next(request, response)
      else {
        request.resume()
        refuse('host', 403, 'ask for localhost or 127.0.0.1, or set http.password_file')
      }
      return
    }
    const from = sourceOf(request)
    const given = passwordOf(request)
    if (given === undefined) {
      request.resume()
      challenge()
    } else if (!attempts.mayTry(from)) {
      request.resume()
      response.setHeader('retry-after', '5')
      refuse('attempts', 429, 'too many wrong passwords wait for their answer: try again')
    } else if (timingSafeEqual(digest(given), expected)) {
      next(request, response)
    } else {
      request.resume()
      attempts.failed(from, challenge)
    }
  }
}

/** What was given with HTTP basic authentication; `undefined` where nothing was, or not so. */
function passwordOf({ headers: { authorization = '' } }: IncomingMessage): string | undefined {
  const [, credentials] = /^basic +([a-z0-9+/=]+) *$/i.exec(authorization) ?? []
  if (credentials === undefined) return undefined
  const text = Buffer.from(credentials, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : text.slice(colon + 1)
}

/** Digests are of one length, and are compared in a time that tells nothing of where they differ. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Without a Host (HTTP/1.0, as some health checks speak) it is no browser. */
function isLoopbackName(host: string | undefined): boolean {
  return host === undefined || /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host)
}
