/**
 * Divides what a server sends into the header of the stream, its first-level elements (RFC 6120 §4.9, §8) and its end, and
 * bounds each before a tree is built of it. However it comes in chunks, each octet is looked at once: a server can neither
 * fill the memory nor hold the event loop.
 */
import { StreamFailure } from './errors.js'
import { Scanner } from './scanner.js'

/** What one first-level element may have. */
export interface ElementBounds {
  readonly octets: number
  readonly elements: number
}

/** All octets before the login is over; a real server sends 2 to 4 kB. */
export const mostOctetsBeforeLogin = 64 * 1024

/** First-level elements before that; a real server sends up to 8. */
export const mostElementsBeforeLogin = 32

/** Of one of them; the features of a real server have about 30 elements. */
const boundsBeforeLogin: ElementBounds = { octets: mostOctetsBeforeLogin, elements: 1_000 }

/** Of a stanza that nobody asked for; batches and pages have up to 48 kB and 520 elements. */
export const stanzaBounds: ElementBounds = { octets: 1024 * 1024, elements: 20_000 }

/**
 * Of the answer to a request. COMPAT Prosody: it gives all items of a node at once; the 10,000 of a window are 2 to 4 MB and
 * 40,000 elements.
 */
export const answerBounds: ElementBounds = { octets: 8 * 1024 * 1024, elements: 100_000 }

/**
 * What has more is passed over and not kept: any account that may publish can make an answer or a notification large, and
 * must not end the streams of those who get it. Only a server sends one that is larger than this, and that ends the stream.
 */
export const mostOctetsPassedOver = 64 * 1024 * 1024

/** Elements within each other, the stream among them; a notification has 7. */
export const mostDepth = 32

/** Of one element. */
export const mostAttributes = 64

/** So much tells how an element begins: its start tag, as a rule. */
const headOctets = 1024

/** A larger buffer is given back once its element is whole. */
const keptCapacity = 64 * 1024

export interface FramingOptions {
  /** The XML text of one of them, whole. */
  readonly take: (text: string) => void
  /** The bounds of an element, by how it begins; asked once it has outgrown `stanzaBounds`. */
  readonly boundsOf: (head: string) => ElementBounds
  /** One was passed over: how it began, and what it has too much of. */
  readonly passedOver: (head: string, excess: string) => void
}

export class Framing {
  private scanner = new Scanner()
  private isLoggedIn = false
  private octetsBeforeLogin = 0
  private elementsBeforeLogin = 0
  // Of the element under way:
  private bounds = boundsBeforeLogin
  private octets = 0
  private held = Buffer.alloc(0)
  private heldOctets = 0
  /** It is passed over: how it began, and why. */
  private excess: { readonly head: string; readonly what: string } | undefined

  constructor(private readonly options: FramingOptions) {}

  /** The stream begins anew (RFC 6120 §4.3.3); what was counted before the login stays. */
  restart(): void {
    this.scanner = new Scanner()
    this.begin()
  }

  /** The login is over: from now on the bounds are those of stanzas. */
  loggedIn(): void {
    this.isLoggedIn = true
    this.bounds = stanzaBounds
  }

  /** Takes what came, and gives on each element that is whole. Throws `StreamFailure`. */
  read(chunk: Buffer): void {
    if (!this.isLoggedIn) this.countBeforeLogin(chunk.length)
    let at = 0
    while (!this.scanner.isOver) {
      // Between elements only white space may stand (RFC 6120 §11.7); it is not kept.
      if (this.octets === 0) at = skipWhiteSpace(chunk, at)
      if (at >= chunk.length) return
      const from = at
      at = this.scanner.scan(chunk, from)
      this.octets += at - from
      if (this.exceeds()) this.outgrown(chunk.subarray(from, at))
      if (this.scanner.isWhole) this.complete(chunk, from, at)
      else if (this.excess === undefined) this.hold(chunk, from, at)
    }
  }

  private countBeforeLogin(octets: number): void {
    this.octetsBeforeLogin += octets
    if (this.octetsBeforeLogin > mostOctetsBeforeLogin) {
      throw tooBigBeforeLogin(`more than ${mostOctetsBeforeLogin} octets`)
    }
  }

  private begin(): void {
    this.scanner.begin()
    this.octets = 0
    this.bounds = this.isLoggedIn ? stanzaBounds : boundsBeforeLogin
    this.heldOctets = 0
    if (this.held.length > keptCapacity) this.held = Buffer.alloc(0)
    this.excess = undefined
  }

  private complete(chunk: Buffer, from: number, to: number): void {
    const { excess } = this
    const isOver = this.scanner.isOver
    if (!this.isLoggedIn) {
      this.elementsBeforeLogin += 1
      if (this.elementsBeforeLogin > mostElementsBeforeLogin) {
        throw tooBigBeforeLogin(`more than ${mostElementsBeforeLogin} elements`)
      }
    }
    const text = excess === undefined ? this.textTo(chunk, from, to) : ''
    if (!isOver) this.begin()
    if (excess === undefined) this.options.take(text)
    else this.options.passedOver(excess.head, excess.what)
  }

  private textTo(chunk: Buffer, from: number, to: number): string {
    if (this.heldOctets === 0) return chunk.toString('utf8', from, to)
    this.hold(chunk, from, to)
    return this.held.toString('utf8', 0, this.heldOctets)
  }

  /** Keeps a part of the element, in one buffer: as many chunks as octets would take far more room. */
  private hold(chunk: Buffer, from: number, to: number): void {
    const needed = this.heldOctets + to - from
    if (needed > this.held.length) {
      const larger = Buffer.alloc(Math.max(needed, 2 * this.held.length))
      this.held.copy(larger, 0, 0, this.heldOctets)
      this.held = larger
    }
    chunk.copy(this.held, this.heldOctets, from, to)
    this.heldOctets = needed
  }

  private exceeds(): boolean {
    const { octets, bounds, scanner } = this
    return (
      octets > bounds.octets ||
      scanner.elements > bounds.elements ||
      scanner.deepest > mostDepth ||
      scanner.mostAttributes > mostAttributes
    )
  }

  /** What the element has too much of. */
  private describeExcess(): string {
    const { octets, bounds, scanner } = this
    if (octets > bounds.octets) return `more than ${bounds.octets} octets`
    if (scanner.elements > bounds.elements) return `more than ${bounds.elements} elements`
    return scanner.deepest > mostDepth
      ? `more than ${mostDepth} elements within each other`
      : `more than ${mostAttributes} attributes`
  }

  private outgrown(part: Buffer): void {
    if (!this.isLoggedIn) throw tooBigBeforeLogin(this.describeExcess())
    if (this.excess === undefined) {
      const held = this.held.subarray(0, Math.min(this.heldOctets, headOctets))
      const begun = Buffer.concat([held, part.subarray(0, headOctets)])
      const head = begun.toString('utf8', 0, Math.min(begun.length, headOctets))
      this.bounds = this.options.boundsOf(head)
      if (!this.exceeds()) return
      this.excess = { head, what: this.describeExcess() }
      this.held = Buffer.alloc(0)
      this.heldOctets = 0
    }
    if (this.octets > mostOctetsPassedOver) {
      throw new StreamFailure(
        'stanza-too-big',
        `the server sent an element of more than ${mostOctetsPassedOver} octets`,
      )
    }
  }
}

function tooBigBeforeLogin(what: string): StreamFailure {
  return new StreamFailure('negotiation-too-big', `the server sent ${what} before the login`)
}

const whiteSpace: ReadonlySet<number | undefined> = new Set([0x09, 0x0a, 0x0d, 0x20])

function skipWhiteSpace(chunk: Buffer, from: number): number {
  let at = from
  while (at < chunk.length && whiteSpace.has(chunk[at])) at += 1
  if (at < chunk.length && chunk[at] !== 0x3c) {
    throw new StreamFailure('not-well-formed', 'the server sent text between elements')
  }
  return at
}
