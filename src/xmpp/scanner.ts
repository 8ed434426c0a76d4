/**
 * Finds where the header of a stream, each of its first-level elements and its end are whole, octet by octet and in one pass.
 * It knows as much of XML as that takes, and refuses what RFC 6120 §11.1 forbids on a stream; the parser judges the rest.
 */
import { StreamFailure } from './errors.js'

const enum State {
  Text,
  /** After `<`. */
  Markup,
  StartTag,
  EndTag,
  DoubleQuoted,
  SingleQuoted,
  Declaration,
  /** After `<!`, where only `[CDATA[` is allowed. */
  Bang,
  Cdata,
}

const bang = 0x21
const doubleQuote = 0x22
const singleQuote = 0x27
const slash = 0x2f
const less = 0x3c
const greater = 0x3e
const question = 0x3f
const close = 0x5d

const cdata = Buffer.from('[CDATA[')

export class Scanner {
  /** Of the element under way: how many elements it has, how deep they lie, and the most attributes of one of them. */
  elements = 0
  deepest = 0
  mostAttributes = 0
  /** Elements that are open. */
  depth = 0
  /** Did the last octet end the header, a first-level element, or the stream? */
  isWhole = false
  private state = State.Text
  /** The octet before, within a tag or declaration. */
  private previous = 0
  private attributes = 0
  /** How much of `[CDATA[`, or of `]]>`, was seen. */
  private matched = 0
  private isDeclared = false

  /** Is the stream over, as its root element is closed? */
  get isOver(): boolean {
    return this.isWhole && this.depth === 0
  }

  /** The next element begins. */
  begin(): void {
    this.isWhole = false
    this.elements = 0
    this.deepest = 0
    this.mostAttributes = 0
  }

  /** Reads on from an octet of the chunk; gives the place after the last octet of the element, or the end of the chunk. */
  scan(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && !this.isWhole) {
      switch (this.state) {
        case State.Text:
          at = this.text(chunk, at)
          break
        case State.Markup:
          this.markup(chunk[at])
          at += 1
          break
        case State.StartTag:
          at = this.startTag(chunk, at)
          break
        case State.EndTag:
          at = this.endTag(chunk, at)
          break
        case State.DoubleQuoted:
          at = this.quoted(chunk, at, doubleQuote)
          break
        case State.SingleQuoted:
          at = this.quoted(chunk, at, singleQuote)
          break
        case State.Declaration:
          this.declaration(chunk[at])
          at += 1
          break
        case State.Bang:
          this.bang(chunk[at])
          at += 1
          break
        case State.Cdata:
          this.cdata(chunk[at])
          at += 1
      }
    }
    return at
  }

  private text(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && chunk[at] !== less) at += 1
    if (at === chunk.length) return at
    this.state = State.Markup
    return at + 1
  }

  private markup(octet: number | undefined): void {
    if (octet === slash) {
      this.state = State.EndTag
    } else if (octet === bang) {
      this.state = State.Bang
      this.matched = 0
    } else if (octet === question) {
      // Once, before the root: the XML declaration.
      if (this.depth > 0 || this.isDeclared) throw restricted('a processing instruction')
      this.isDeclared = true
      this.state = State.Declaration
    } else {
      this.state = State.StartTag
      this.attributes = 0
      this.elements += 1
    }
    this.previous = octet ?? 0
  }

  private startTag(chunk: Buffer, from: number): number {
    const { length } = chunk
    let { previous, attributes } = this
    let at = from
    while (at < length) {
      const octet = chunk[at] ?? 0
      at += 1
      if (octet === greater) {
        if (attributes > this.mostAttributes) this.mostAttributes = attributes
        this.opened(previous === slash)
        return at
      }
      previous = octet
      if (octet !== doubleQuote && octet !== singleQuote) continue
      attributes += 1
      while (at < length && chunk[at] !== octet) at += 1
      if (at === length) {
        this.state = octet === doubleQuote ? State.DoubleQuoted : State.SingleQuoted
        break
      }
      at += 1
    }
    this.previous = previous
    this.attributes = attributes
    return at
  }

  private opened(isEmpty: boolean): void {
    this.state = State.Text
    if (!isEmpty) this.depth += 1
    const depth = isEmpty ? this.depth + 1 : this.depth
    if (depth > this.deepest) this.deepest = depth
    // The header of the stream, or an element without content.
    this.isWhole = isEmpty ? this.depth <= 1 : this.depth === 1
  }

  private endTag(chunk: Buffer, from: number): number {
    let at = from
    while (at < chunk.length && chunk[at] !== greater) at += 1
    if (at === chunk.length) return at
    if (this.depth === 0) throw new StreamFailure('not-well-formed', 'an end tag before the stream')
    this.state = State.Text
    this.depth -= 1
    this.isWhole = this.depth <= 1
    return at + 1
  }

  private quoted(chunk: Buffer, from: number, quote: number): number {
    let at = from
    while (at < chunk.length && chunk[at] !== quote) at += 1
    if (at === chunk.length) return at
    this.state = State.StartTag
    return at + 1
  }

  private declaration(octet: number | undefined): void {
    if (octet === greater && this.previous === question) this.state = State.Text
    this.previous = octet ?? 0
  }

  private bang(octet: number | undefined): void {
    if (octet !== cdata[this.matched] || this.depth <= 1) {
      throw restricted('a comment or document type')
    }
    this.matched += 1
    if (this.matched < cdata.length) return
    this.state = State.Cdata
    this.matched = 0
  }

  private cdata(octet: number | undefined): void {
    if (octet === close) this.matched = Math.min(2, this.matched + 1)
    else if (octet === greater && this.matched === 2) this.state = State.Text
    else this.matched = 0
  }
}

function restricted(what: string): StreamFailure {
  return new StreamFailure('restricted-xml', `the server sent ${what}`)
}
