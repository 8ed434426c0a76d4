/** Digest authentication, both sides, with qop=auth. Source: RFC 7616, RFC 8760, RFC 3261 section 22. */
import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from './clock.js'

/** The wire's name of each algorithm, and OpenSSL's. */
const hashNames = { MD5: 'md5', 'SHA-256': 'sha256' } as const

export type DigestAlgorithm = keyof typeof hashNames

export interface Credentials {
  readonly user: string
  readonly password: string
}

export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly opaque?: string
  readonly algorithm: DigestAlgorithm
  /** Is `qop=auth` offered? Without it the response follows RFC 2069. */
  readonly hasQop: boolean
  readonly isStale: boolean
}

/** What goes into one digest response; `qop` where nc and cnonce take part. */
export interface DigestInput extends Credentials {
  readonly algorithm: DigestAlgorithm
  readonly realm: string
  readonly method: string
  readonly uri: string
  readonly nonce: string
  readonly qop?: { readonly nc: string; readonly cnonce: string } | undefined
}

/** The `response` value of RFC 7616 section 3.4.1. */
export function digestResponse(input: DigestInput): string {
  return responseOf(input, secretOf(input))
}

/** What of a response stays the same for a realm, method and URI: the hashes of A1 and A2. */
interface DigestSecret {
  readonly a1: string
  readonly a2: string
}

function secretOf(input: Omit<DigestInput, 'nonce' | 'qop'>): DigestSecret {
  const name = hashNames[input.algorithm]
  return {
    a1: hash(name, `${input.user}:${input.realm}:${input.password}`),
    a2: hash(name, `${input.method}:${input.uri}`),
  }
}

function responseOf(
  { algorithm, nonce, qop }: Pick<DigestInput, 'algorithm' | 'nonce' | 'qop'>,
  { a1, a2 }: DigestSecret,
): string {
  const middle = qop ? `:${qop.nc}:${qop.cnonce}:auth` : ''
  return hash(hashNames[algorithm], `${a1}:${nonce}${middle}:${a2}`)
}

/** The parameters of a `Digest` header value by lower-case name, or `undefined` where it is none. */
export function parseDigest(value: string): ReadonlyMap<string, string> | undefined {
  if (!/^digest[ \t]/i.test(value)) return undefined
  const parameter = /\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)/y
  parameter.lastIndex = 'digest'.length
  const parameters = new Map<string, string>()
  while (parameter.lastIndex < value.length) {
    const match = parameter.exec(value)
    if (!match?.[1]) return undefined
    const text = match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? ''
    parameters.set(match[1].toLowerCase(), text)
  }
  return parameters
}

/** The challenges of a response that this side can answer, in the order of its headers. */
export function parseChallenges(values: readonly string[]): Challenge[] {
  const challenges: Challenge[] = []
  for (const value of values) {
    const parameters = parseDigest(value)
    const realm = parameters?.get('realm')
    const nonce = parameters?.get('nonce')
    const algorithm = parseAlgorithm(parameters?.get('algorithm'))
    if (realm === undefined || nonce === undefined || !algorithm) continue
    const opaque = parameters?.get('opaque')
    const qops = parameters?.get('qop')?.split(/\s*,\s*/)
    if (qops && !qops.includes('auth')) continue
    const isStale = parameters?.get('stale')?.toLowerCase() === 'true'
    const challenge = { realm, nonce, algorithm, hasQop: qops !== undefined, isStale }
    challenges.push(opaque === undefined ? challenge : { ...challenge, opaque })
  }
  return challenges
}

function parseAlgorithm(text = 'MD5'): DigestAlgorithm | undefined {
  const name = text.toUpperCase()
  return name === 'MD5' || name === 'SHA-256' ? name : undefined
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** The part of the answers to one challenge that stays the same. */
interface Prepared {
  readonly challenge: Challenge
  readonly method: string
  readonly uri: string
  readonly secret: DigestSecret
  readonly head: string
}

/** The side that is challenged: keeps the latest challenge and answers with it, nc rising, until another comes. */
export class DigestClient {
  private challenge: Challenge | undefined
  private cnonce = ''
  private nonceCount = 0
  private prepared: Prepared | undefined

  /** `isAnswerable`: may this side show what it knows to whoever gives that challenge? */
  constructor(
    private readonly credentials: Credentials,
    private readonly isAnswerable: (challenge: Challenge) => boolean = () => true,
    private readonly makeCnonce = () => randomBytes(8).toString('hex'),
  ) {}

  /**
   * Takes the challenge of a 401 or 407: the first that is understood and may be answered (RFC 8760 section 2.4), one for
   * SHA-256 before one for MD5. `undefined`: none is; else whether the server calls the credentials right and only the nonce
   * stale.
   */
  take(values: readonly string[]): { readonly isStale: boolean } | undefined {
    const answerable = parseChallenges(values).filter((challenge) => this.isAnswerable(challenge))
    const challenge = answerable.find(({ algorithm }) => algorithm !== 'MD5') ?? answerable[0]
    if (!challenge) return undefined
    this.challenge = challenge
    this.cnonce = this.makeCnonce()
    this.nonceCount = 0
    return challenge
  }

  /** The realm of challenges none of which may be answered. */
  strangeRealm(values: readonly string[]): string | undefined {
    const challenges = parseChallenges(values)
    return challenges.some(this.isAnswerable) ? undefined : challenges[0]?.realm
  }

  forget(): void {
    this.challenge = undefined
  }

  /** The value of the Authorization header for the next request; `undefined` before any challenge. */
  authorize(method: string, uri: string): string | undefined {
    if (!this.challenge) return undefined
    const { nonce, opaque, algorithm, hasQop } = this.challenge
    const { secret, head } = this.prepare(this.challenge, method, uri)
    this.nonceCount++
    const nc = this.nonceCount.toString(16).padStart(8, '0')
    const { cnonce } = this
    const qop = hasQop ? { nc, cnonce } : undefined
    const response = responseOf({ algorithm, nonce, qop }, secret)
    let value = `${head}, response="${response}"`
    if (hasQop) value += `, cnonce="${cnonce}", qop=auth, nc=${nc}`
    if (opaque !== undefined) value += `, opaque=${quoted(opaque)}`
    return value
  }

  /** What is the same in all answers to one challenge for one method and URI is made once: it is the hot path. */
  private prepare(challenge: Challenge, method: string, uri: string): Prepared {
    const known = this.prepared
    if (known?.challenge === challenge && known.method === method && known.uri === uri) return known
    const { realm, nonce, algorithm } = challenge
    const head = [
      `Digest username=${quoted(this.credentials.user)}`,
      `realm=${quoted(realm)}`,
      `nonce=${quoted(nonce)}`,
      `uri=${quoted(uri)}`,
      `algorithm=${algorithm}`,
    ].join(', ')
    const secret = secretOf({ ...this.credentials, algorithm, realm, method, uri })
    this.prepared = { challenge, method, uri, secret, head }
    return this.prepared
  }
}

export type Verdict =
  | { readonly type: 'accepted' }
  /** Answer 401 with these WWW-Authenticate values. */
  | { readonly type: 'challenged'; readonly values: readonly string[]; readonly isWrong: boolean }
  /** Wrong for the second time in a row: answer 403, as a fifth 401 would wedge Asterisk's publisher (rule 6). */
  | { readonly type: 'refused' }

export const nonceLifetimeMs = 300_000
const maxNonces = 1_024
const maxDialogues = 1_024

/** The side that challenges. It keeps the nonces that it gave, the oldest going first, and nc for each. */
export class DigestServer {
  private readonly nonces = new Map<string, { givenAtMs: number; nonceCount: number }>()
  /** Call-IDs whose last credentials were wrong. */
  private readonly wrong = new Set<string>()

  constructor(
    private readonly options: Credentials & {
      readonly realm: string
      readonly clock: Clock
      readonly makeNonce?: () => string
    },
  ) {}

  /** Judges the Authorization values of one request. */
  judge(
    request: { readonly method: string; readonly uri: string; readonly callId: string },
    authorizations: readonly string[],
  ): Verdict {
    let hasWrong = false
    let hasStale = false
    for (const value of authorizations) {
      const parameters = parseDigest(value)
      if (parameters?.get('realm') !== this.options.realm) continue
      const isRight = this.isRight(request, parameters)
      if (isRight && this.isFresh(parameters)) {
        this.wrong.delete(request.callId)
        return { type: 'accepted' }
      }
      hasStale ||= isRight
      hasWrong ||= !isRight
    }
    if (hasStale || !hasWrong) return this.challenge(hasStale, false)
    if (this.wrong.has(request.callId)) return { type: 'refused' }
    dropOldest(this.wrong, maxDialogues)
    this.wrong.add(request.callId)
    return this.challenge(false, true)
  }

  private isRight(
    { method, uri }: { readonly method: string; readonly uri: string },
    parameters: ReadonlyMap<string, string>,
  ): boolean {
    const algorithm = parseAlgorithm(parameters.get('algorithm'))
    const { user, password, realm } = this.options
    if (!algorithm || parameters.get('username') !== user) return false
    // What was said of another resource is not said of this one (RFC 7616 section 3.4.6).
    if (parameters.get('uri') !== uri) return false
    const input = { user, password, realm, algorithm, method, uri }
    const nonce = parameters.get('nonce') ?? ''
    const qop = parameters.get('qop')
    if (qop !== undefined && qop !== 'auth') return false
    const nc = parameters.get('nc') ?? ''
    const cnonce = parameters.get('cnonce') ?? ''
    const expected = digestResponse({ ...input, nonce, qop: qop ? { nc, cnonce } : undefined })
    return isSame(parameters.get('response')?.toLowerCase() ?? '', expected)
  }

  /** Was this nonce given here? Then no challenge of another side can be meant by it. */
  hasGiven(nonce: string): boolean {
    return this.nonces.has(nonce)
  }

  /** No credentials for a nonce of before are taken any more. */
  forget(): void {
    this.nonces.clear()
    this.wrong.clear()
  }

  /** Is the nonce one of ours, young, and its nc higher than any before? Without qop it serves once. */
  private isFresh(parameters: ReadonlyMap<string, string>): boolean {
    const given = this.nonces.get(parameters.get('nonce') ?? '')
    if (!given || this.options.clock.now() - given.givenAtMs >= nonceLifetimeMs) return false
    const nc = parameters.get('nc') ?? '1'
    const nonceCount = /^[0-9a-f]{1,8}$/i.test(nc) ? parseInt(nc, 16) : 0
    if (nonceCount <= given.nonceCount) return false
    given.nonceCount = nonceCount
    return true
  }

  /** SHA-256 first, as preferred (RFC 8760 section 2.4); MD5 always, as Asterisk may know no other (rule 6). */
  private challenge(isStale: boolean, isWrong: boolean): Verdict {
    const { clock, realm, makeNonce = () => randomBytes(16).toString('hex') } = this.options
    const nonce = makeNonce()
    dropOldest(this.nonces, maxNonces)
    this.nonces.set(nonce, { givenAtMs: clock.now(), nonceCount: 0 })
    const rest = `qop="auth"${isStale ? ', stale=true' : ''}`
    const values = Object.keys(hashNames)
      .reverse()
      .map((algorithm) => {
        return `Digest realm=${quoted(realm)}, nonce="${nonce}", algorithm=${algorithm}, ${rest}`
      })
    return { type: 'challenged', values, isWrong }
  }
}

/** Compares in a time that does not tell how much is right. */
function isSame(one: string, other: string): boolean {
  return timingSafeEqual(digestOf(one), digestOf(other))
}

/** Of equal length, whatever is compared. */
function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer')
}

function dropOldest(
  kept: { keys(): Iterable<string>; delete(key: string): boolean; size: number },
  bound: number,
): void {
  if (kept.size < bound) return
  for (const oldest of kept.keys()) {
    kept.delete(oldest)
    return
  }
}
