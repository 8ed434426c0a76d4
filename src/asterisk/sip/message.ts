/** SIP messages as they stand in a datagram. Source: RFC 3261 sections 7, 18.3 and 25. */
import { isUtf8 } from 'node:buffer'

/** More than a UDP datagram can carry; longer input is refused unread. */
export const maxMessageOctets = 65_536

export interface HostPort {
  readonly host: string
  readonly port: number
}

/** One header field: its name as written on the wire, and its value. */
export type HeaderField = readonly [name: string, value: string]

/** The header fields of a parsed message: names in lower case, compact forms spelled out, order kept. */
export class Headers {
  constructor(private readonly fields: readonly HeaderField[]) {}

  /** The first value under that lower-case name. */
  get(name: string): string | undefined {
    for (const [key, value] of this.fields) if (key === name) return value
    return undefined
  }

  /** All values under that lower-case name, in order. */
  all(name: string): string[] {
    const values: string[] = []
    for (const [key, value] of this.fields) if (key === name) values.push(value)
    return values
  }
}

interface SipMessageParts {
  readonly headers: Headers
  /** The number of CSeq, and its method. */
  readonly sequence: number
  readonly sequenceMethod: string
  readonly body: Buffer
}

export interface SipRequest extends SipMessageParts {
  readonly type: 'request'
  readonly method: string
  readonly uri: string
}

export interface SipResponse extends SipMessageParts {
  readonly type: 'response'
  readonly status: number
  readonly reason: string
}

export type SipMessage = SipRequest | SipResponse

/** Why a datagram is no SIP message. Where it can be answered nevertheless, `request` is what to answer with 400. */
export class SipParseError extends Error {
  override readonly name = 'SipParseError'
  readonly request: SipRequest | undefined

  constructor(message: string, request?: SipRequest) {
    super(message)
    this.request = request
  }
}

const cr = 0x0d
const lf = 0x0a

/**
 * Parses one datagram.
 * @throws {SipParseError} on whatever RFC 3261 does not allow, and on nothing else.
 */
export function parseMessage(datagram: Buffer): SipMessage {
  if (datagram.length > maxMessageOctets) throw new SipParseError('message of more than 64 KiB')
  const start = skipBlankLines(datagram)
  const end = endOfHead(datagram, start)
  const head = datagram.subarray(start, end)
  if (!isUtf8(head)) throw new SipParseError('head is not UTF-8')
  const lines = head.toString().split('\r\n')
  const startLine = parseStartLine(lines[0] ?? '')
  const fields = parseFields(lines)
  return checkMessage(startLine, fields, datagram.subarray(end + 4))
}

/** Blank lines before the start line are ignored (RFC 3261 section 7.5). */
function skipBlankLines(datagram: Buffer): number {
  let start = 0
  while (datagram[start] === cr && datagram[start + 1] === lf) start += 2
  return start
}

/** Finds the empty line, and refuses control characters and lone CR or LF before it: one pass over the octets. */
function endOfHead(datagram: Buffer, start: number): number {
  for (let at = start; at < datagram.length; at++) {
    const octet = datagram[at] ?? 0
    if ((octet >= 0x20 && octet !== 0x7f) || octet === 0x09) continue
    if (octet !== cr || datagram[at + 1] !== lf) {
      throw new SipParseError('control character in the head')
    }
    if (datagram[at + 2] === cr && datagram[at + 3] === lf) return at
    at++
  }
  throw new SipParseError('no empty line after the head')
}

type StartLine = Pick<SipRequest, 'type' | 'method' | 'uri'> | ResponseLine
type ResponseLine = Pick<SipResponse, 'type' | 'status' | 'reason'>

const token = /^[A-Za-z0-9\-.!%*_+`'~]+$/

function parseStartLine(line: string): StartLine {
  if (/^SIP\/2\.0 /i.test(line)) return parseStatusLine(line)
  const [method, uri, version, ...rest] = line.split(' ')
  if (!method || !uri || !version || rest.length > 0 || version.toUpperCase() !== 'SIP/2.0') {
    throw new SipParseError('start line is neither a request nor a status line')
  }
  if (!token.test(method)) throw new SipParseError('method is not a token')
  return { type: 'request', method, uri }
}

function parseStatusLine(line: string): ResponseLine {
  const match = /^.{7} ([1-6]\d\d)(?: (.*))?$/.exec(line)
  if (!match) throw new SipParseError('status code is not three digits')
  return { type: 'response', status: Number(match[1]), reason: match[2] ?? '' }
}

/** RFC 3261 section 20, RFC 3903 and RFC 6665: one letter for the frequent names. */
const compactForms: Readonly<Record<string, string>> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
}

function parseFields(lines: readonly string[]): HeaderField[] {
  const fields: HeaderField[] = []
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (line.startsWith(' ') || line.startsWith('\t')) {
      const folded = fields.pop()
      if (!folded) throw new SipParseError('first header is a continuation')
      fields.push([folded[0], `${folded[1]} ${line.trim()}`.trim()])
      continue
    }
    const colon = line.indexOf(':')
    fields.push([headerName(line.slice(0, Math.max(colon, 0))), line.slice(colon + 1).trim()])
  }
  return fields
}

/** Spellings met before, so that the hot path neither lower-cases nor matches; bounded, as names come from outside. */
const spellings = new Map<string, string>()
const maxSpellings = 256

function headerName(spelling: string): string {
  const known = spellings.get(spelling)
  if (known !== undefined) return known
  const written = spelling.trimEnd().toLowerCase()
  if (!token.test(written)) throw new SipParseError('header name is not a token')
  const name = Object.hasOwn(compactForms, written) ? (compactForms[written] ?? written) : written
  if (spellings.size < maxSpellings && spelling.length < 64) spellings.set(spelling, name)
  return name
}

const singular = new Map(
  [
    'call-id',
    'cseq',
    'from',
    'to',
    'content-length',
    'content-type',
    'event',
    'expires',
    'sip-if-match',
    'sip-etag',
  ].map((name, index) => [name, 1 << index] as const),
)

function checkMessage(startLine: StartLine, fields: HeaderField[], rest: Buffer): SipMessage {
  const headers = new Headers(fields)
  for (const name of ['via', 'from', 'to', 'call-id']) {
    if (!headers.get(name)) throw new SipParseError(`no ${name} header`)
  }
  const sequence = /^(\d{1,10})[ \t]+(\S+)$/.exec(headers.get('cseq') ?? '')
  const number = Number(sequence?.[1])
  if (!sequence || number >= 2 ** 31) throw new SipParseError('no valid cseq header')
  const contentLength = headers.get('content-length') ?? String(rest.length)
  const length = /^\d{1,9}$/.test(contentLength) ? Number(contentLength) : Infinity
  const sequenceMethod = sequence[2] ?? ''
  // Octets after Content-Length are not of the message (RFC 3261 section 18.3).
  const body = rest.subarray(0, Math.min(length, rest.length))
  const message = messageOf(startLine, { headers, sequence: number, sequenceMethod, body })
  const problem = findProblem(message, fields, length > rest.length)
  if (problem) throw new SipParseError(problem, message.type === 'request' ? message : undefined)
  return message
}

/** Field by field: to spread two objects into one took V8 longer than all the rest of the check. */
function messageOf(line: StartLine, parts: SipMessageParts): SipMessage {
  const { headers, sequence, sequenceMethod, body } = parts
  if (line.type === 'request') {
    const { type, method, uri } = line
    return { type, method, uri, headers, sequence, sequenceMethod, body }
  }
  const { type, status, reason } = line
  return { type, status, reason, headers, sequence, sequenceMethod, body }
}

function findProblem(
  message: SipMessage,
  fields: readonly HeaderField[],
  isTruncated: boolean,
): string | undefined {
  if (isTruncated) return 'content-length is not the length of the body'
  if (message.type === 'request' && message.sequenceMethod !== message.method) {
    return 'cseq names another method'
  }
  let seen = 0
  for (const [name] of fields) {
    const bit = singular.get(name) ?? 0
    if ((seen & bit) !== 0) return `two ${name} headers`
    seen |= bit
  }
  return undefined
}

/** Writes a request; `fields` are all but Content-Length, and hold no line breaks. */
export function serialiseRequest(
  method: string,
  uri: string,
  fields: readonly HeaderField[],
  body = '',
): Buffer {
  return serialise(`${method} ${uri} SIP/2.0\r\n`, fields, body)
}

/** What to answer a request with: a status of {@link reasonPhrases}, and fields beyond those copied from the request. */
export interface Answer {
  readonly status: number
  readonly fields?: readonly HeaderField[]
  /** Runs when the answer is on its way. */
  readonly onSent?: (() => void) | undefined
}

/**
 * Writes the response to a request: Via, From, To, Call-ID and CSeq copied and To tagged (RFC 3261 section 8.2.6.2);
 * a Via that asks for it is told where the request came from (RFC 3581 section 4).
 */
export function serialiseResponse(
  request: SipRequest,
  answer: Answer,
  { toTag, source }: { toTag: string; source: HostPort },
): Buffer {
  const { headers } = request
  const to = headers.get('to') ?? ''
  const [topVia = '', ...vias] = headers.all('via')
  const mark = `;received=${source.host};rport=${source.port}`
  const fields: HeaderField[] = [['Via', topVia.replace(/;\s*rport\s*(?=[;,]|$)/i, mark)]]
  for (const via of vias) fields.push(['Via', via])
  fields.push(
    ['From', headers.get('from') ?? ''],
    ['To', /;\s*tag\s*=/i.test(to) ? to : `${to};tag=${toTag}`],
    ['Call-ID', headers.get('call-id') ?? ''],
    ['CSeq', headers.get('cseq') ?? ''],
    ...(answer.fields ?? []),
  )
  const reason = reasonPhrases[answer.status] ?? 'Unknown'
  return serialise(`SIP/2.0 ${answer.status} ${reason}\r\n`, fields, '')
}

function serialise(startLine: string, fields: readonly HeaderField[], body: string): Buffer {
  let text = startLine
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`
  return Buffer.from(`${text}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

export const reasonPhrases: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  412: 'Conditional Request Failed',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  420: 'Bad Extension',
  481: 'Call/Transaction Does Not Exist',
  489: 'Bad Event',
}

/** The branch of the topmost Via, which names the transaction (RFC 3261 section 17.1.3). */
export function topBranch(headers: Headers): string | undefined {
  return /;\s*branch\s*=\s*([^;,\s]+)/i.exec(headers.get('via') ?? '')?.[1]
}

/** A host as it stands in a URI or Via: IPv6 literals in brackets. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
