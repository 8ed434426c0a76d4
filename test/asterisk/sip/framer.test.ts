import { describe, expect, it } from 'vitest'
import { Framer } from '../../../src/asterisk/sip/framer.js'
import { maxMessageOctets, SipParseError } from '../../../src/asterisk/sip/message.js'

const first = 'SIP/2.0 200 OK\r\nCall-ID: 1\r\nContent-Length: 6\r\n\r\n{"é"}'
const second = 'SIP/2.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n'
const compact = 'SIP/2.0 200 OK\r\nl : 4\r\nCall-ID: 3\r\n\r\n\r\n\r\n'

/** What a new framer gives of these chunks. */
function framed(...chunks: (string | Buffer)[]): string[] {
  const framer = new Framer()
  return chunks.flatMap((chunk) => framer.take(Buffer.from(chunk)).map(String))
}

/** A message whose head is as long as that, in octets. */
function withHeadOf(octets: number): string {
  const [start, end] = ['SIP/2.0 200 OK\r\nX: ', '\r\nContent-Length: 0\r\n\r\n']
  return start + 'x'.repeat(octets - start.length - end.length) + end
}

describe('a stream of SIP', () => {
  it('gives several messages that come in one chunk', () => {
    expect(framed(first + second + compact)).toEqual([first, second, compact])
  })

  it('gives the same wherever it is cut', () => {
    const whole = Buffer.from(first + compact + second)
    for (let cut = 0; cut <= whole.length; cut++) {
      expect(framed(whole.subarray(0, cut), whole.subarray(cut))).toEqual([first, compact, second])
    }
    expect(framed(...[...whole].map((octet) => Buffer.of(octet)))).toEqual([first, compact, second])
  })

  it('gives a message with its last octet, and not before', () => {
    const framer = new Framer()
    expect(framer.take(Buffer.from(first.slice(0, -1)))).toEqual([])
    expect(framer.take(Buffer.from(first.slice(-1))).map(String)).toEqual([first])
  })

  it('may hold keep-alives before, between and after the messages (RFC 5626 section 3.5.1)', () => {
    expect(framed(`\r\n${first}\r\n\r\n${second}\r\n`, '\r', `\n${first}`)).toEqual([
      first,
      second,
      first,
    ])
    expect(framed('\r\n\r\n')).toEqual([])
  })

  it.each([
    ['none', 'SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\n'],
    ['no number', 'SIP/2.0 200 OK\r\nContent-Length: x\r\n\r\n'],
    ['a negative one', 'SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['one in the body only', 'SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\nx\r\nContent-Length: 0\r\n\r\n'],
  ])('is refused where a message tells its length as %s', (_, text) => {
    expect(() => framed(text)).toThrow(new SipParseError('no content-length header on a stream'))
  })

  it('may hold messages of 64 KiB, and is refused at one octet more', () => {
    const tooLong = new SipParseError('message of more than 64 KiB')
    expect(framed(withHeadOf(maxMessageOctets))).toHaveLength(1)
    expect(() => framed(withHeadOf(maxMessageOctets + 1))).toThrow(tooLong)
    const head = 'SIP/2.0 200 OK\r\nContent-Length: 65487\r\n\r\n'
    const bodyOctets = maxMessageOctets - head.length
    const ofBody = (octets: number) => head.replace('65487', String(octets))
    expect(framed(ofBody(bodyOctets) + 'x'.repeat(bodyOctets))).toHaveLength(1)
    // Before the body comes.
    expect(() => framed(ofBody(bodyOctets + 1))).toThrow(tooLong)
  })

  it('is refused at a head without end, before all of it is kept', () => {
    const framer = new Framer()
    framer.take(Buffer.from('x'.repeat(maxMessageOctets)))
    expect(() => framer.take(Buffer.from('x'))).toThrow(SipParseError)
  })

  it('may bring more than 64 KiB of messages at once', () => {
    expect(framed(first.repeat(2_000))).toHaveLength(2_000)
  })
})
