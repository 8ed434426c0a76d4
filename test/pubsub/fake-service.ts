/** A pubsub service of a few lines: answers what it was told to, and remembers what it was asked. */
import { parse } from 'ltx'
import type { Element } from '@xmpp/xml'
import type { IqSender, PubsubService } from '../../src/pubsub/service.js'
import { Disconnected, StanzaError } from '../../src/xmpp/errors.js'

export interface Asked {
  readonly to: string
  readonly type: 'get' | 'set'
  /** The payload as it goes over the wire. */
  readonly text: string
}

/** Gives the payload of the result as text, or throws. */
export type Answer = (asked: Asked) => string

export class FakeService implements IqSender {
  readonly asked: Asked[] = []
  /** How long each answer would have been waited for, ms. */
  readonly timeoutsMs: number[] = []
  answer: Answer = () => ''
  /** It takes requests and answers none. */
  isMute = false
  /** It takes so long for each, ms. */
  delayMs = 0

  async request(
    to: string,
    type: 'get' | 'set',
    payload: Element,
    timeoutMs: number,
  ): Promise<Element> {
    const asked = { to, type, text: payload.toString() }
    this.asked.push(asked)
    this.timeoutsMs.push(timeoutMs)
    if (this.isMute) return new Promise(() => undefined)
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs))
    return parse(`<iq type='result' from='${to}'>${this.answer(asked)}</iq>`)
  }

  get texts(): string[] {
    return this.asked.map(({ text }) => text)
  }

  get pubsub(): PubsubService {
    return { iq: this, service: 'pubsub.example.org', timeoutMs: 1000 }
  }
}

export function refuse(condition: string, type = 'cancel'): never {
  throw new StanzaError(condition, type)
}

export function disconnect(): never {
  throw new Disconnected('test')
}

/** `<pubsub/>` of an answer. */
export function pubsubText(inner: string, fragment = ''): string {
  return `<pubsub xmlns='http://jabber.org/protocol/pubsub${fragment}'>${inner}</pubsub>`
}
