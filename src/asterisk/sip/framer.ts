/** SIP messages out of a stream, where only Content-Length says how long one is. Source: RFC 3261 section 18.3. */
import { maxMessageOctets, SipParseError } from './message.js'

const emptyLine = '\r\n\r\n'
const contentLength = /\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*\r\n/i

/** Cuts a stream into messages, each as {@link parseMessage} takes it. */
export class Framer {
  private rest: Buffer = Buffer.alloc(0)

  /**
   * Gives the messages that are whole with this chunk; their octets are the chunk's.
   * @throws {SipParseError} where a message tells no length, or more than 64 KiB: the stream is of no use any more.
   */
  take(chunk: Buffer): Buffer[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const messages: Buffer[] = []
    for (;;) {
      const end = this.end()
      if (end === undefined || end > this.rest.length) break
      messages.push(this.rest.subarray(0, end))
      this.rest = this.rest.subarray(end)
    }
    return messages
  }

  /** Where the first message ends; missing while its head is not whole. */
  private end(): number | undefined {
    // Blank lines are keep-alives (RFC 5626 section 3.5.1).
    while (this.rest.length >= 2 && this.rest.indexOf('\r\n') === 0)
      this.rest = this.rest.subarray(2)
    const headEnd = this.rest.indexOf(emptyLine)
    let end: number | undefined
    if (headEnd !== -1) {
      const bodyStart = headEnd + emptyLine.length
      const length = contentLength.exec(this.rest.toString('latin1', 0, bodyStart))?.[1]
      if (length === undefined) throw new SipParseError('no content-length header on a stream')
      end = bodyStart + Number(length)
    }
    if ((end ?? this.rest.length) > maxMessageOctets) {
      throw new SipParseError('message of more than 64 KiB')
    }
    return end
  }
}
