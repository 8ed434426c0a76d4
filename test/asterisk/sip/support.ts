/** Fake time, a fake wire and connection, and a peer that speaks SIP by hand. */
import type { Clock, Timer } from '../../../src/asterisk/sip/clock.js'
import {
  parseMessage,
  type HostPort,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from '../../../src/asterisk/sip/message.js'
import type {
  PortOwner,
  StreamHandlers,
  StreamTransport,
} from '../../../src/asterisk/sip/tcp-transport.js'
import type { Transport, TransportHandlers } from '../../../src/asterisk/sip/transport.js'

/** Time that passes only when told to. */
export class FakeClock implements Clock {
  private nowMs = 1_000
  private readonly timers = new Set<{ atMs: number; action: () => void }>()

  now(): number {
    return this.nowMs
  }

  after(delayMs: number, action: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, action }
    this.timers.add(timer)
    return { cancel: () => void this.timers.delete(timer) }
  }

  get pending(): number {
    return this.timers.size
  }

  /** Lets time pass, firing what is due in order. */
  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs
    for (;;) {
      const [next] = [...this.timers].sort((a, b) => a.atMs - b.atMs)
      if (!next || next.atMs > untilMs) break
      this.timers.delete(next)
      this.nowMs = next.atMs
      next.action()
    }
    this.nowMs = untilMs
  }
}

/** What the bridge sends by one way, and how Asterisk answers there. */
abstract class FakeWay {
  readonly sent: SipMessage[] = []
  /** Takes what a test is not to see of what is sent. */
  intercept: (message: SipMessage) => boolean = () => false

  protected note(message: SipMessage): void {
    if (!this.intercept(message)) this.sent.push(message)
  }

  /** Something comes from Asterisk by this way. */
  abstract deliver(message: string | Buffer): void

  /** Takes what was sent since, and empties the record. */
  take(): SipMessage[] {
    return this.sent.splice(0)
  }

  takeRequests(method: string): SipRequest[] {
    return this.take().filter(
      (message) => message.type === 'request' && message.method === method,
    ) as SipRequest[]
  }

  takeResponse(): SipResponse {
    const response = this.take().find((message) => message.type === 'response')
    if (response?.type !== 'response') throw new Error('no response was sent')
    return response
  }

  /** The last PUBLISH sent, which there must be. */
  takePublish(): SipRequest {
    return this.takeLast('PUBLISH')
  }

  /** The last OPTIONS sent, which there must be. */
  takePing(): SipRequest {
    return this.takeLast('OPTIONS')
  }

  answer(request: SipRequest, status: number, ...fields: string[]): void {
    this.deliver(responseTo(request, status, ...fields))
  }

  private takeLast(method: string): SipRequest {
    const request = this.takeRequests(method).at(-1)
    if (!request) throw new Error(`no ${method} was sent`)
    return request
  }
}

/** The wire, seen from Asterisk's end. */
export class FakeTransport extends FakeWay implements Transport {
  readonly datagrams: Buffer[] = []
  isOpen = false
  private handlers: TransportHandlers | undefined

  open(handlers: TransportHandlers): Promise<HostPort> {
    this.handlers = handlers
    this.isOpen = true
    return Promise.resolve({ host: '127.0.0.1', port: 5070 })
  }

  send(datagram: Buffer): void {
    this.datagrams.push(datagram)
    this.note(parseMessage(datagram))
  }

  close(): Promise<void> {
    this.isOpen = false
    return Promise.resolve()
  }

  deliver(message: string | Buffer): void {
    this.handlers?.onDatagram(Buffer.from(message))
  }

  refuse(): void {
    this.handlers?.onUnreachable('ECONNREFUSED')
  }

  override take(): SipMessage[] {
    this.datagrams.length = 0
    return super.take()
  }
}

/** The connection beside it, seen from Asterisk's end: nobody takes it until told to. */
export class FakeStream extends FakeWay implements StreamTransport {
  /** From which address each connection was asked for. */
  readonly askedFrom: string[] = []
  state: 'closed' | 'connecting' | 'open' = 'closed'
  owner: PortOwner = 'same'
  private handlers: StreamHandlers | undefined

  connect(from: string, handlers: StreamHandlers): void {
    if (this.state !== 'closed') return
    this.askedFrom.push(from)
    this.handlers = handlers
    this.state = 'connecting'
  }

  send(message: Buffer): void {
    if (this.state !== 'open') throw new Error('sent by a connection that is not open')
    this.note(parseMessage(message))
  }

  identify(tell: (owner: PortOwner) => void): void {
    tell(this.owner)
  }

  close(): void {
    this.state = 'closed'
    this.handlers = undefined
  }

  /** Asterisk takes the connection that was asked for. */
  accept(): void {
    if (this.state !== 'connecting') throw new Error('no connection was asked for')
    this.state = 'open'
    this.handlers?.onOpen({ host: '127.0.0.1', port: 40_000 })
  }

  deliver(message: string | Buffer): void {
    this.handlers?.onMessage(Buffer.from(message))
  }

  /** Asterisk ends the connection, or refuses it. */
  end(reason: string): void {
    const { handlers } = this
    this.close()
    handlers?.onClosed(reason)
  }
}

/** The response to a request of ours, as Asterisk would write it. */
export function responseTo(request: SipRequest, status: number, ...fields: string[]): string {
  const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(
    (name) => `${name}: ${request.headers.get(name.toLowerCase()) ?? ''}`,
  )
  return [`SIP/2.0 ${status} Reason`, ...copied, ...fields, 'Content-Length: 0', '', ''].join(
    '\r\n',
  )
}

export function parseResponse(text: string): SipResponse {
  const message = parseMessage(Buffer.from(text))
  if (message.type !== 'response') throw new Error('not a response')
  return message
}

export function parseRequest(text: string | Buffer): SipRequest {
  const message = parseMessage(Buffer.from(text))
  if (message.type !== 'request') throw new Error('not a request')
  return message
}

let branches = 0

export interface PublishOptions {
  readonly uri?: string
  readonly event?: string
  readonly method?: string
  readonly callId?: string
  readonly sequence?: number
  readonly expires?: string
  readonly fields?: readonly string[]
  readonly contentType?: string
  readonly body?: string
}

/** A PUBLISH as Asterisk 22 writes it. */
export function publishOf(options: PublishOptions = {}): string {
  const {
    uri = 'sip:hintbridge@127.0.0.1:5070',
    method = 'PUBLISH',
    event = 'asterisk-devicestate',
    callId = 'e4c344cb-5b52-4c1f-8584-a06fa860aa9e',
    sequence = 35_807,
    expires = '3600',
    fields = [],
    contentType = 'application/json',
    body = '',
  } = options
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bKPj${++branches}`,
    'From: <sip:hintbridge@127.0.0.1>;tag=c0047354',
    'To: <sip:hintbridge@127.0.0.1>',
    `Call-ID: ${callId}`,
    `CSeq: ${sequence} ${method}`,
    `Event: ${event}`,
    `Expires: ${expires}`,
    'Max-Forwards: 70',
    ...fields,
    ...(body === '' ? [] : [`Content-Type: ${contentType}`]),
    `Content-Length:   ${Buffer.byteLength(body)}`,
    '',
    body,
  ].join('\r\n')
}

export const ownEid = '02:00:00:00:00:0a'
export const peerEid = '02:00:00:00:00:0b'

export function deviceBody(device: string, state = 'INUSE', rest: object = {}): string {
  return JSON.stringify({ type: 'devicestate', device, state, cachable: 1, eid: ownEid, ...rest })
}

export function mailboxBody(uniqueid: string, counts: object = { old: 0, new: 1 }): string {
  return JSON.stringify({ type: 'mailboxstate', uniqueid, ...counts, eid: ownEid })
}
