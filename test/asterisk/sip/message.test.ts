import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  parseMessage,
  serialiseRequest,
  serialiseResponse,
  SipParseError,
  topBranch,
} from '../../../src/asterisk/sip/message.js'
import { parseRequest, parseResponse, publishOf } from './support.js'
import { onSeed } from '../../search/seed.js'

const lines = {
  start: 'PUBLISH sip:hintbridge@127.0.0.1:5070 SIP/2.0',
  via: 'Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1',
  from: 'From: <sip:a@127.0.0.1>;tag=1',
  to: 'To: <sip:b@127.0.0.1>',
  callId: 'Call-ID: x',
  cseq: 'CSeq: 1 PUBLISH',
}

/** A request of those lines, some replaced, some added. */
function request(changes: Partial<typeof lines> = {}, more: string[] = [], body = ''): string {
  return [...Object.values({ ...lines, ...changes }), ...more, '', body].join('\r\n')
}

function refusalOf(input: string | Buffer): SipParseError {
  try {
    parseMessage(Buffer.from(input))
  } catch (error) {
    if (error instanceof SipParseError) return error
    throw error
  }
  throw new Error('was parsed')
}

describe('the SIP parser', () => {
  it('reads a PUBLISH of Asterisk', () => {
    const message = parseRequest(publishOf({ body: '{"type":"refresh"}' }))
    expect(message.method).toBe('PUBLISH')
    expect(message.uri).toBe('sip:hintbridge@127.0.0.1:5070')
    expect(message.sequence).toBe(35_807)
    expect(message.headers.get('event')).toBe('asterisk-devicestate')
    expect(message.body.toString()).toBe('{"type":"refresh"}')
  })

  it('reads a response with an empty reason', () => {
    const text = request({ start: 'SIP/2.0 200 ' })
    expect(parseResponse(text)).toMatchObject({ status: 200, reason: '' })
  })

  it.each([
    ['compact forms', ['o: asterisk-mwi'], 'event', 'asterisk-mwi'],
    ['names in any case', ['eVeNT: asterisk-mwi'], 'event', 'asterisk-mwi'],
    ['space before the colon', ['Event \t: asterisk-mwi'], 'event', 'asterisk-mwi'],
    ['folded values', ['Subject: one', '  two', '\tthree'], 'subject', 'one two three'],
    ['empty values', ['Supported:'], 'supported', ''],
    ['values with colons', ['X-Time: 10:20'], 'x-time', '10:20'],
    ['names of object members', ['constructor: x'], 'constructor', 'x'],
    ['UTF-8 values', ['Subject: Grüße'], 'subject', 'Grüße'],
  ])('takes %s', (_, more, name, value) => {
    expect(parseRequest(request({}, more)).headers.get(name)).toBe(value)
  })

  it('ignores empty lines before the start line', () => {
    expect(parseRequest(`\r\n\r\n${request()}`).method).toBe('PUBLISH')
  })

  it('keeps the order of several Via headers', () => {
    const { headers } = parseRequest(request({}, ['v: SIP/2.0/UDP b;branch=z9hG4bK2']))
    expect(headers.all('via')).toEqual([lines.via.slice(5), 'SIP/2.0/UDP b;branch=z9hG4bK2'])
    expect(topBranch(headers)).toBe('z9hG4bK1')
  })

  it('drops octets after Content-Length', () => {
    expect(parseRequest(request({}, ['l: 2'], 'abcd')).body.toString()).toBe('ab')
  })

  it('takes all octets as the body without Content-Length', () => {
    expect(parseRequest(request({}, [], 'abcd')).body.toString()).toBe('abcd')
  })

  it.each([
    ['nothing', ''],
    ['no end of head', lines.start],
    ['a lone line feed', request().replace('\r\n', '\n')],
    ['a lone carriage return', request({ to: 'To: a\rb' })],
    ['a NUL', request({ to: 'To: a\0b' })],
    ['DEL', request({ to: 'To: a\x7fb' })],
    ['an escape character in a name', request({}, ['X\x1b: 1'])],
    ['octets that are not UTF-8', Buffer.from(request({ to: 'To: \xff' }), 'latin1')],
    ['another version', request({ start: 'PUBLISH sip:a@b SIP/3.0' })],
    ['a start line of two words', request({ start: 'PUBLISH SIP/2.0' })],
    ['a start line of four words', request({ start: 'PUBLISH sip:a b SIP/2.0' })],
    ['a method that is no token', request({ start: 'PUB@ISH sip:a@b SIP/2.0' })],
    ['a status of two digits', request({ start: 'SIP/2.0 20 OK' })],
    ['a status above 699', request({ start: 'SIP/2.0 700 No' })],
    ['a header without a colon', request({}, ['Event'])],
    ['a header without a name', request({}, [': x'])],
    ['a header name with a space inside', request({}, ['Event x: 1'])],
    ['a continuation at once', request({ via: ' folded' })],
    ['no Via', request({ via: 'X-Via: 1' })],
    ['no From', request({ from: 'X-From: 1' })],
    ['no To', request({ to: 'X-To: 1' })],
    ['no Call-ID', request({ callId: 'X-Id: 1' })],
    ['no CSeq', request({ cseq: 'X-CSeq: 1' })],
    ['a CSeq of 2^31', request({ cseq: 'CSeq: 2147483648 PUBLISH' })],
    ['a CSeq without a number', request({ cseq: 'CSeq: PUBLISH' })],
    ['more than 64 KiB', request({}, [], 'x'.repeat(65_536))],
  ])('refuses %s, and has nothing to answer', (_, text) => {
    expect(refusalOf(text).request).toBeUndefined()
  })

  it.each([
    ['Content-Length beyond the datagram', request({}, ['l: 5'], 'abcd')],
    ['a negative Content-Length', request({}, ['l: -1'], 'abcd')],
    ['a Content-Length that is no number', request({}, ['l: 0x2'], 'abcd')],
    ['two Content-Length headers', request({}, ['l: 4', 'Content-Length: 4'], 'abcd')],
    ['two Event headers', request({}, ['Event: a', 'o: b'])],
    ['two Call-ID headers', request({}, ['i: b'])],
    ['a CSeq of another method', request({ cseq: 'CSeq: 1 OPTIONS' })],
  ])('refuses %s, and lets it be answered', (_, text) => {
    expect(refusalOf(text).request?.method).toBe('PUBLISH')
  })

  it('throws nothing but SipParseError, whatever comes', () => {
    const mutation = fc.tuple(fc.nat(500), fc.uint8Array({ minLength: 1, maxLength: 4 }))
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 6 }), (mutations) => {
        const datagram = Buffer.from(publishOf({ body: '{"type":"refresh"}' }))
        for (const [at, octets] of mutations) datagram.set(octets, at % (datagram.length - 4))
        try {
          parseMessage(datagram)
        } catch (error) {
          expect(error).toBeInstanceOf(SipParseError)
        }
      }),
      onSeed(500),
    )
  })
})

describe('the SIP serialiser', () => {
  it('writes a request that parses alike, with the length of its body in octets', () => {
    const fields = ['via', 'from', 'to', 'callId', 'cseq'] as const
    const datagram = serialiseRequest(
      'PUBLISH',
      'sip:b@127.0.0.1',
      fields.map((field) => lines[field].split(': ') as [string, string]),
      '{"ü":1}',
    )
    const message = parseRequest(datagram)
    expect(message.headers.get('content-length')).toBe('8')
    expect(message.body.toString()).toBe('{"ü":1}')
  })

  it('copies into a response what RFC 3261 section 8.2.6.2 asks for, and tags To', () => {
    const from = { toTag: 'mine', source: { host: '127.0.0.1', port: 5060 } }
    const original = request({ via: `${lines.via};rport` }, ['Via: SIP/2.0/UDP b;rport'])
    const answer = { status: 412, fields: [['Expires', '5']] as const }
    expect(serialiseResponse(parseRequest(original), answer, from).toString()).toBe(
      [
        'SIP/2.0 412 Conditional Request Failed',
        `${lines.via};received=127.0.0.1;rport=5060`,
        'Via: SIP/2.0/UDP b;rport',
        lines.from,
        `${lines.to};tag=mine`,
        lines.callId,
        lines.cseq,
        'Expires: 5',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    )
  })

  it('leaves the tag of To alone where there is one', () => {
    const from = { toTag: 'mine', source: { host: '127.0.0.1', port: 5060 } }
    const original = parseRequest(request({ to: `${lines.to};tag=theirs` }))
    const response = parseResponse(serialiseResponse(original, { status: 200 }, from).toString())
    expect(response.headers.get('to')).toBe('<sip:b@127.0.0.1>;tag=theirs')
  })
})
