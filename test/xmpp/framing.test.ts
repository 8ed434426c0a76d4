/** What a server may send, before a tree is built of it: whole elements in any chunks, and bounds. */
import { Parser } from '@xmpp/xml'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  answerBounds,
  type ElementBounds,
  Framing,
  mostAttributes,
  mostDepth,
  mostElementsBeforeLogin,
  mostOctetsBeforeLogin,
  mostOctetsPassedOver,
  stanzaBounds,
} from '../../src/xmpp/framing.js'
import { onSeed } from '../search/seed.js'

const header = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version="1.0">`

interface Framed {
  readonly framing: Framing
  readonly taken: string[]
  readonly passedOver: [head: string, excess: string][]
}

function frame(boundsOf: (head: string) => ElementBounds = () => stanzaBounds): Framed {
  const taken: string[] = []
  const passedOver: [string, string][] = []
  const framing = new Framing({
    take: (text) => taken.push(text),
    boundsOf,
    passedOver: (head, excess) => passedOver.push([head, excess]),
  })
  return { framing, taken, passedOver }
}

/** One whose login is over, and whose stream has begun again. */
function framed(boundsOf?: (head: string) => ElementBounds): Framed {
  const all = frame(boundsOf)
  all.framing.loggedIn()
  all.framing.read(Buffer.from(header))
  all.taken.length = 0
  return all
}

const failure = (condition: string, message: RegExp): Error =>
  expect.objectContaining({ condition, message: expect.stringMatching(message) as string }) as Error

describe('the elements of a stream', () => {
  const pieces = [
    header,
    `<stream:features><mechanisms xmlns='a'><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>`,
    `<a/>`,
    `<message from="a'b>c"><body>é😀 ]]&gt;</body><x y='"/>'/></message>`,
    `<m><![CDATA[<x>]]</x>]>]]]></m>`,
    `</stream:stream>`,
  ]
  const whole = pieces.join(' \r\n\t')

  it('are given one by one, whole, and what comes after the end is not', () => {
    const { framing, taken } = frame()
    framing.read(Buffer.from(`${whole}<more/>`))
    expect(taken).toEqual(pieces)
  })

  it('are the same however they are cut into chunks', () => {
    const octets = Buffer.from(whole)
    fc.assert(
      fc.property(fc.array(fc.nat(octets.length), { maxLength: 12 }), (cuts) => {
        const { framing, taken } = frame()
        const ends = [...cuts, octets.length].sort((one, other) => one - other)
        let from = 0
        for (const to of ends) {
          framing.read(octets.subarray(from, to))
          from = to
        }
        expect(taken).toEqual(pieces)
      }),
      onSeed(100),
    )
    const { framing, taken } = frame()
    for (const octet of octets) framing.read(Buffer.from([octet]))
    expect(taken).toEqual(pieces)
  })

  it('begin anew with each header', () => {
    const { framing, taken } = frame()
    framing.read(Buffer.from(`${header}<unfinished`))
    framing.restart()
    framing.read(Buffer.from(`${header}<a/>`))
    expect(taken).toEqual([header, header, '<a/>'])
  })

  it.each([
    ['a comment', '<!-- x -->', 'restricted-xml'],
    ['a comment within an element', '<a><!-- x --></a>', 'restricted-xml'],
    ['a document type', '<!DOCTYPE x [<!ENTITY y "z">]>', 'restricted-xml'],
    ['a processing instruction', '<?x y?>', 'restricted-xml'],
    ['character data between elements', '<![CDATA[x]]>', 'restricted-xml'],
    ['text between elements', 'x<a/>', 'not-well-formed'],
  ])('are not mixed with %s (RFC 6120 §11.1)', (_title, text, condition) => {
    expect(() => framed().framing.read(Buffer.from(text))).toThrow(
      expect.objectContaining({ condition }) as Error,
    )
  })

  it.each([
    ['an end tag', '</a>', 'not-well-formed'],
    ['a document type', '<!DOCTYPE x>', 'restricted-xml'],
    ['two declarations', `<?xml version='1.0'?><?xml version='1.0'?>`, 'restricted-xml'],
  ])('do not begin with %s', (_title, text, condition) => {
    expect(() => frame().framing.read(Buffer.from(text))).toThrow(
      expect.objectContaining({ condition }) as Error,
    )
  })
})

describe('before the login', () => {
  const most = new RegExp(`more than ${mostOctetsBeforeLogin} octets before the login`)
  it.each([
    ['text', `${header}<a>`, 'x'],
    ['an attribute', `${header}<a b='`, 'x'],
    ['a tag', `${header}<`, 'x'],
    ['character data', `${header}<a><![CDATA[`, 'x'],
    ['white space', header, ' '],
    ['an XML declaration', '<?xml', ' '],
    ['a header', "<stream:stream a='", 'x'],
  ])('%s without end ends the stream, in chunks of any size', (_title, begin, more) => {
    for (const size of [1, 1_000, 65_536]) {
      const { framing } = frame()
      framing.read(Buffer.from(begin))
      const chunk = Buffer.from(more.repeat(size))
      const flood = (): void => {
        for (let sent = 0; sent < 2 * mostOctetsBeforeLogin; sent += size) framing.read(chunk)
      }
      expect(flood).toThrow(failure('negotiation-too-big', most))
    }
  })

  it.each([
    ['elements within each other', '<a>'.repeat(mostDepth), /within each other/],
    ['elements beside each other', `<a>${'<b/>'.repeat(1_000)}`, /more than 1000 elements/],
    ['attributes', `<a${" b='c'".repeat(mostAttributes + 1)}>`, /more than 64 attributes/],
    ['first-level elements', '<a/>'.repeat(mostElementsBeforeLogin), /more than 32 elements/],
  ])('too many %s end the stream, in one chunk too', (_title, text, message) => {
    expect(() => frame().framing.read(Buffer.from(header + text))).toThrow(
      failure('negotiation-too-big', message),
    )
  })

  it('the octets of all headers count together', () => {
    const { framing } = frame()
    framing.read(Buffer.from(header + ' '.repeat(40_000)))
    framing.restart()
    expect(() => framing.read(Buffer.from(header + ' '.repeat(40_000)))).toThrow(most)
  })
})

describe('after the login', () => {
  const chunk = Buffer.alloc(65_536, 'x')
  const fill = (framing: Framing, octets: number): void => {
    for (let sent = 0; sent < octets; sent += chunk.length) framing.read(chunk)
  }

  it('what is larger than a stanza is passed over, and the next one is taken', () => {
    const { framing, taken, passedOver } = framed()
    framing.read(Buffer.from(`<message from='a@b/c'><body>`))
    fill(framing, stanzaBounds.octets)
    framing.read(Buffer.from('</body></message><next/>'))
    expect(taken).toEqual(['<next/>'])
    expect(passedOver).toHaveLength(1)
    const [[head, excess]] = passedOver as [[string, string]]
    expect(head.slice(0, 34)).toBe(`<message from='a@b/c'><body>xxxxxx`)
    expect(head).toHaveLength(1_024)
    expect(excess).toBe('more than 1048576 octets')
  })

  it.each([
    ['<a/>'.repeat(stanzaBounds.elements), 'more than 20000 elements'],
    ['<a>'.repeat(mostDepth) + '</a>'.repeat(mostDepth), 'more than 32 elements within each other'],
    [`<a${" b='c'".repeat(65)}/>`, 'more than 64 attributes'],
  ])('so is what has too much else', (text, excess) => {
    const { framing, taken, passedOver } = framed()
    framing.read(Buffer.from(`<message>${text}</message><next/>`))
    expect(taken).toEqual(['<next/>'])
    expect(passedOver.map(([, what]) => what)).toEqual([excess])
  })

  it('an answer may have 8 MB, as Prosody gives a node whole', () => {
    const asked: string[] = []
    const { framing, taken, passedOver } = framed((head) => {
      asked.push(head)
      return answerBounds
    })
    framing.read(Buffer.from(`<iq id='7'><x>`))
    fill(framing, 7 * 1024 * 1024)
    framing.read(Buffer.from('</x></iq>'))
    expect(taken.map(({ length }) => length)).toEqual([7 * 1024 * 1024 + 23])
    expect(asked.map((head) => head.slice(0, 11))).toEqual([`<iq id='7'>`])
    framing.read(Buffer.from(`<iq id='8'><x>`))
    fill(framing, answerBounds.octets)
    framing.read(Buffer.from('</x></iq>'))
    expect(passedOver.map(([, excess]) => excess)).toEqual(['more than 8388608 octets'])
  })

  it('what does not end at all ends the stream', () => {
    const { framing } = framed()
    framing.read(Buffer.from('<message>'))
    fill(framing, mostOctetsPassedOver - chunk.length)
    expect(() => fill(framing, 2 * chunk.length)).toThrow(
      failure('stanza-too-big', /element of more than 67108864 octets/),
    )
  })

  it('a stanza that comes octet by octet costs no more than its octets', () => {
    const { framing, taken } = framed()
    const octets = Buffer.from(`<a>${'x'.repeat(500_000)}</a>`)
    const before = process.cpuUsage()
    for (let at = 0; at < octets.length; at += 1) framing.read(octets.subarray(at, at + 1))
    const { user } = process.cpuUsage(before)
    expect(taken).toHaveLength(1)
    // Some 0.1 s; were it quadratic, as the parser is with what is not whole, minutes.
    expect(user).toBeLessThan(5_000_000)
  })
})

it('gives the parser what it finds whole too', () => {
  const parser = new Parser()
  const names: string[] = []
  parser.on('element', ({ name }) => names.push(name))
  const framing = new Framing({
    take: (text) => parser.write(text),
    boundsOf: () => stanzaBounds,
    passedOver: () => undefined,
  })
  framing.read(Buffer.from(`${header}<a b="'>"><c/></a><d>x</d>`))
  expect(names).toEqual(['a', 'd'])
})
