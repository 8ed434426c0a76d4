import type { Element } from '@xmpp/xml'
import {
  conditionOfCode,
  isHopeful,
  stanzaFate,
  streamRow,
  type StreamReaction,
} from './conditions.js'

/** Whatever the XMPP edge throws; `condition` is the word to branch on, the message is for humans. */
export abstract class XmppError extends Error {
  abstract readonly condition: string
  abstract readonly isTemporary: boolean
}

/** A stanza of type `error`. Source: RFC 6120 §8.3. */
export class StanzaError extends XmppError {
  override readonly name = 'StanzaError'
  readonly isTemporary: boolean

  constructor(
    readonly condition: string,
    readonly type: string,
    readonly text = '',
    /** The application-specific condition, such as `precondition-not-met` (XEP-0060). */
    readonly application?: string,
  ) {
    super([condition, application, text].filter((part) => part).join(': '))
    // RFC 6120 §8.3.2: `wait` means "retry after waiting", whatever the condition.
    this.isTemporary = type === 'wait' || stanzaFate(condition) === 'retry'
  }

  /** Reads the `<error/>` of a stanza; what lacks one is an `undefined-condition`. */
  static fromStanza(stanza: Element): StanzaError {
    const error = stanza.getChild('error')
    const children = error?.getChildElements() ?? []
    const isStanzaCondition = (child: Element): boolean =>
      child.getNS() === 'urn:ietf:params:xml:ns:xmpp-stanzas'
    const condition = children.find((child) => isStanzaCondition(child) && !child.is('text'))
    const text = children.find((child) => isStanzaCondition(child) && child.is('text'))
    const application = children.find((child) => !isStanzaCondition(child))
    return new StanzaError(
      condition?.getName() ?? 'undefined-condition',
      error?.attrs['type'] ?? 'cancel',
      text?.getText().slice(0, 200),
      application?.getName(),
    )
  }
}

/** No answer came in time; whether the request was performed is not known. */
export class RequestTimeout extends XmppError {
  override readonly name = 'RequestTimeout'
  readonly condition = 'timeout'
  readonly isTemporary = true

  constructor(to: string, timeoutMs: number) {
    super(`no answer from ${to} within ${timeoutMs} ms`)
  }
}

/** The answer came and is larger than any should be; the request was performed. */
export class AnswerTooBig extends XmppError {
  override readonly name = 'AnswerTooBig'
  readonly condition = 'answer-too-big'
  readonly isTemporary = true

  constructor(from: string, excess: string) {
    super(`the answer of ${from} has ${excess}`)
  }
}

/** There is no stream, or it ended before the answer came. */
export class Disconnected extends XmppError {
  override readonly name = 'Disconnected'
  readonly condition = 'disconnected'
  readonly isTemporary = true

  constructor(reason: string) {
    super(`not connected: ${reason}`)
  }
}

/** Why a stream could not be opened, or ended. */
export class StreamFailure extends XmppError {
  override readonly name = 'StreamFailure'
  readonly reaction: StreamReaction
  readonly remedy: string
  readonly isTemporary: boolean

  constructor(
    readonly condition: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
    const row = streamRow(condition)
    this.reaction = row.reaction
    this.remedy = row.remedy
    this.isTemporary = isHopeful(row.reaction)
  }
}

/** Brings what the @xmpp modules, TLS and sockets throw to one `StreamFailure`. */
export function toStreamFailure(error: unknown): StreamFailure {
  if (error instanceof StreamFailure) return error
  if (!(error instanceof Error)) return new StreamFailure('undefined-condition', String(error))
  const { condition, code } = error as { condition?: unknown; code?: unknown }
  if (typeof code === 'string') {
    return new StreamFailure(conditionOfCode(code), messageOf(error), { cause: error })
  }
  // The parser's, of tags that do not match.
  if (error.name === 'XMLError') {
    return new StreamFailure('not-well-formed', error.message, { cause: error })
  }
  if (typeof condition === 'string') {
    return new StreamFailure(condition, error.message, { cause: error })
  }
  return new StreamFailure('undefined-condition', error.message || error.name, { cause: error })
}

/** That of Node's attempts at several addresses of one name is empty: each has its own. */
function messageOf(error: Error): string {
  if (!(error instanceof AggregateError)) return error.message
  return error.errors
    .map((each) => (each instanceof Error ? each.message : String(each)))
    .join(', ')
}
