/** Strict reading of untrusted XML: every codec goes through these, and whatever is not as expected throws `DecodeError`. */
import type { Element } from '@xmpp/xml'
import {
  isCount,
  isName,
  parseDeviceState,
  parseEntityId,
  type DeviceState,
  type EntityId,
} from '../bridge/state.js'

/** The namespace of hintbridge's own payloads. */
export const namespace = 'urn:hintbridge:1'

/** The namespace of res_xmpp's payloads. Source: Asterisk `res/res_xmpp.c`. */
export const asteriskNamespace = 'http://asterisk.org'

/** What was wrong with a payload; also the `reason` label of the counter `refused_items`. */
export type DecodeReason =
  | 'missing'
  | 'element'
  | 'eid'
  | 'state'
  | 'count'
  | 'name'
  | 'sequence'
  | 'epoch'
  | 'phase'
  | 'flag'
  | 'jid'
  | 'text'
  | 'children'
  | 'depth'

/** A payload that is not what its node or IQ demands; `kind` names the codec. Never temporary. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly isTemporary = false

  constructor(
    readonly kind: string,
    readonly reason: DecodeReason,
    message: string,
  ) {
    super(`failed to decode ${kind}: ${message}`)
  }
}

/** Shows a peer's text in a message, bounded. */
function shown(text: string | undefined): string {
  return text === undefined ? 'nothing' : JSON.stringify(text.slice(0, 40))
}

/** Reads the elements of one payload on behalf of the codec `kind`. */
export class StrictReader {
  constructor(readonly kind: string) {}

  refuse(reason: DecodeReason, message: string): never {
    throw new DecodeError(this.kind, reason, message)
  }

  /** Checks name and namespace of the payload's root, and that the whole tree is no deeper and larger than it may be. */
  root(
    payload: Element | undefined,
    name: string,
    ns: string,
    bounds: { maxDepth: number; maxElements: number },
  ): Element {
    if (payload === undefined) this.refuse('missing', `no <${name}/>`)
    this.bound(payload, bounds)
    if (!payload.is(name, ns)) {
      this.refuse(
        'element',
        `<${payload.name.slice(0, 40)}/> where <${name} xmlns='${ns}'/> belongs`,
      )
    }
    return payload
  }

  /** Level by level rather than recursively: a hostile tree is as deep as a stanza is long. */
  private bound(payload: Element, bounds: { maxDepth: number; maxElements: number }): void {
    let level: Element[] = [payload]
    let elements = 1
    for (let depth = 1; level.length > 0; depth += 1) {
      if (depth > bounds.maxDepth) this.refuse('depth', `deeper than ${bounds.maxDepth} levels`)
      const next: Element[] = []
      for (const element of level) {
        for (const child of element.children) {
          if (typeof child !== 'string') next.push(child)
        }
      }
      elements += next.length
      if (elements > bounds.maxElements) {
        this.refuse('children', `more than ${bounds.maxElements} elements`)
      }
      level = next
    }
  }

  /** The child elements of that namespace; others are left out, text other than white space is refused. */
  children(element: Element, ns: string): Element[] {
    const found: Element[] = []
    for (const child of element.children) {
      if (typeof child !== 'string') {
        if (child.getNS() === ns) found.push(child)
      } else if (child.trim() !== '') {
        this.refuse('text', `text in <${element.getName()}/>`)
      }
    }
    return found
  }

  /** The text of an element that holds nothing else, at most `maxLength` characters. */
  text(element: Element, maxLength: number): string {
    let text = ''
    for (const child of element.children) {
      if (typeof child !== 'string') this.refuse('element', `an element in <${element.getName()}/>`)
      text += child
      if (text.length > maxLength) {
        this.refuse('text', `more than ${maxLength} characters in <${element.getName()}/>`)
      }
    }
    return text
  }

  /** An entity ID in its one spelling, and the expected one where that is known. */
  eid(element: Element, expected?: EntityId): EntityId {
    const text = element.attrs['eid']
    const eid = text === undefined || text.length > 17 ? undefined : parseEntityId(text)
    if (eid === undefined) this.refuse('eid', `${shown(text)} is no entity ID`)
    if (expected !== undefined && eid !== expected)
      this.refuse('eid', `${eid} in a node of ${expected}`)
    return eid
  }

  /** 32 lower-case hex digits (rule 12). */
  epoch(element: Element): string {
    const text = element.attrs['epoch']
    if (text === undefined || !/^[0-9a-f]{32}$/.test(text)) {
      this.refuse('epoch', `${shown(text)} is no epoch`)
    }
    return text
  }

  /** A safe integer from `least` on, in its shortest spelling. */
  sequence(element: Element, least: 0 | 1): number {
    const text = element.attrs['seq']
    const value = text !== undefined && /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : -1
    if (!Number.isSafeInteger(value) || value < least) {
      this.refuse('sequence', `${shown(text)} is no sequence number`)
    }
    return value
  }

  /**
   * The name of a device or mailbox, copied: the parser cuts it from what it read of the stream, and V8 would keep all of
   * that for as long as the name is held.
   */
  name(text: string | undefined): string {
    if (text === undefined || !isName(text)) this.refuse('name', `${shown(text)} is no name`)
    return Buffer.from(text).toString()
  }

  /** The state that is an element's text. */
  deviceState(element: Element): DeviceState {
    const text = this.text(element, 16)
    const state = parseDeviceState(text)
    if (state === undefined) this.refuse('state', `${JSON.stringify(text)} is no device state`)
    return state
  }

  /** A message count as Asterisk's `int` holds it, decimal. */
  count(text: string | undefined): number {
    const value = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : -1
    if (!isCount(value)) this.refuse('count', `${shown(text)} is no message count`)
    return value
  }

  /**
   * A time as XEP-0082 writes it in UTC, ms since 1970. It decides nothing, so one that cannot be read is no reason to refuse
   * what it stands in: it is left out.
   */
  time(text: string | undefined): number | undefined {
    if (text === undefined || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(text)) {
      return undefined
    }
    const atMs = Date.parse(text)
    return Number.isNaN(atMs) ? undefined : atMs
  }

  /** `0`, `1`, `true` or `false` as XML Schema has it, or the value for a missing attribute. */
  flag(text: string | undefined, missing: boolean): boolean {
    switch (text) {
      case undefined:
        return missing
      case '1':
      case 'true':
        return true
      case '0':
      case 'false':
        return false
      default:
        return this.refuse('flag', `${shown(text)} is neither true nor false`)
    }
  }
}
