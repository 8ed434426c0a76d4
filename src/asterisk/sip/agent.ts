/** The SIP user agent: one peer, one transport, transactions and dispatch. Source: RFC 3261 section 8. */
import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.js'
import {
  bracketed,
  parseMessage,
  serialiseRequest,
  serialiseResponse,
  SipParseError,
  type Answer,
  type HeaderField,
  type HostPort,
  type SipMessage,
  type SipRequest,
} from './message.js'
import type { OutgoingRequest } from './publication.js'
import { ClientTransactions, ServerTransactions, type Outcome } from './transaction.js'
import type { Transport } from './transport.js'

export interface SipAgentPorts {
  readonly transport: Transport
  readonly clock: Clock
  /** The far end of the transport. */
  readonly peer: HostPort
  /** Where requests go, and whose user part both sides use. */
  readonly requestUri: string
  readonly user: string
  readonly agentName: string
  /** Answers a request that is no retransmission; at once. */
  readonly answer: (request: SipRequest) => Answer
  /** A well-formed message came. */
  readonly onHeard: () => void
  readonly onUnreachable: (reason: string) => void
  /** A datagram was dropped or answered 400. */
  readonly onMalformed: (reason: string) => void
}

/** Sends requests to one peer and answers its requests, over one transport. */
export class SipAgent {
  private readonly clients: ClientTransactions
  private readonly servers: ServerTransactions
  private readonly tag = randomBytes(6).toString('hex')
  private readonly branchPrefix = `z9hG4bK${randomBytes(6).toString('hex')}`
  private branchCount = 0
  private local: HostPort | undefined

  constructor(private readonly ports: SipAgentPorts) {
    const { clock, transport } = ports
    this.clients = new ClientTransactions({ clock, send: (datagram) => transport.send(datagram) })
    this.servers = new ServerTransactions(clock)
  }

  /** Opens the transport; rejects where its address cannot be bound. */
  async start(): Promise<void> {
    this.local = await this.ports.transport.open({
      onDatagram: (datagram) => this.receive(datagram),
      onUnreachable: this.ports.onUnreachable,
    })
  }

  /** Ends what is under way, then closes the transport. */
  async stop(): Promise<void> {
    this.abandonAll('the bridge stops')
    this.local = undefined
    await this.ports.transport.close()
  }

  /** Ends all requests under way as abandoned, for that reason. */
  abandonAll(reason: string): void {
    this.clients.abandonAll(reason)
  }

  /** Sends a request; `onEnd` is called once, unless the returned function cancels first. */
  request(request: OutgoingRequest, onEnd: (outcome: Outcome) => void): () => void {
    const { local } = this
    if (!local) {
      onEnd({ type: 'abandoned', reason: 'the SIP agent is not started' })
      return () => undefined
    }
    const branch = `${this.branchPrefix}${(++this.branchCount).toString(36)}`
    const datagram = this.serialise(request, local, branch)
    this.clients.begin(branch, request.method, datagram, onEnd)
    return () => this.clients.cancel(branch)
  }

  private serialise(request: OutgoingRequest, local: HostPort, branch: string): Buffer {
    const { requestUri, user, agentName } = this.ports
    const here = `${bracketed(local.host)}:${local.port}`
    const fields: HeaderField[] = [
      ['Via', `SIP/2.0/UDP ${here};rport;branch=${branch}`],
      ['Max-Forwards', '70'],
      ['From', `<sip:${user}@${here}>;tag=${request.fromTag}`],
      ['To', `<${requestUri}>`],
      ['Call-ID', request.callId],
      ['CSeq', `${request.sequence} ${request.method}`],
      ['User-Agent', agentName],
      ...request.fields,
    ]
    return serialiseRequest(request.method, requestUri, fields, request.body)
  }

  private receive(datagram: Buffer): void {
    // Keep-alives of RFC 5626 are empty lines.
    if (datagram.length <= 4 && datagram.toString('latin1').trim() === '') return
    let message: SipMessage
    try {
      message = parseMessage(datagram)
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error
      if (error.request) this.respond(error.request, { status: 400 })
      this.ports.onMalformed(error.message)
      return
    }
    this.ports.onHeard()
    if (message.type === 'response') this.clients.receive(message)
    else this.take(message)
  }

  private take(request: SipRequest): void {
    // ACK belongs to an INVITE that was refused, and is never answered (RFC 3261 section 17.1.1.3).
    if (request.method === 'ACK') return
    const answered = this.servers.answerTo(request)
    if (answered) this.ports.transport.send(answered)
    else this.respond(request, this.ports.answer(request))
  }

  private respond(request: SipRequest, answer: Answer): void {
    const { local, ports, tag } = this
    if (!local) return
    const datagram = serialiseResponse(request, answer, { toTag: tag, source: ports.peer })
    this.servers.remember(request, datagram)
    ports.transport.send(datagram)
    answer.onSent?.()
  }
}
