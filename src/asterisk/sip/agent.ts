/** The SIP user agent: one peer, transactions and dispatch. Source: RFC 3261 section 8. */
import { randomBytes } from 'node:crypto'
import type { Clock, Timer } from './clock.js'
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
import type { StreamTransport } from './tcp-transport.js'
import {
  ClientTransactions,
  serverKey,
  ServerTransactions,
  type Outcome,
  type Way,
} from './transaction.js'
import type { Transport } from './transport.js'

export interface SipAgentPorts {
  readonly transport: Transport
  /** Where the peer may be given requests by a connection too. */
  readonly stream?: StreamTransport
  readonly clock: Clock
  /** The far end of the transport. */
  readonly peer: HostPort
  /** Where requests go, and whose user part both sides use. */
  readonly requestUri: string
  readonly user: string
  readonly agentName: string
  /** The next OPTIONS. */
  readonly ping: () => OutgoingRequest
  /** The connection is answered: is it Asterisk who has it? It is used once `admit` is called. */
  readonly onAnswered: (admit: () => void) => void
  /** The connection that was had, used or not, is over. */
  readonly onClosed: () => void
  /** Requests go by the connection from now on. */
  readonly onConnected: () => void
  /** They go as datagrams again. */
  readonly onDisconnected: (reason: string) => void
  /** Answers a request that is no retransmission; at once. */
  readonly answer: (request: SipRequest) => Answer
  /** A well-formed message came. */
  readonly onHeard: () => void
  readonly onUnreachable: (reason: string) => void
  /** A datagram was dropped or answered 400. */
  readonly onMalformed: (reason: string) => void
}

interface Connected {
  readonly local: HostPort
  /** In doubt after a loss: what went there may still be read, and must not come behind what goes by another way. */
  standing: 'unproven' | 'used' | 'in doubt'
  /** How many answers came by it. */
  answers: number
  /** Runs while it is in doubt and the peer is heard. */
  patience?: Timer
}

/** A peer that goes on reads what waits there within ms; one that another way leads to again may not for minutes. */
const patienceMs = 4_000

/**
 * Sends requests to one peer, and answers its requests. Those come as datagrams; its own go by a connection where the peer
 * takes one and answers there, for that costs an Asterisk less than half of what datagrams do (docs/performance.md).
 */
export class SipAgent {
  private readonly clients: ClientTransactions
  private readonly datagrams: Way
  private readonly connection: Way
  private readonly servers: ServerTransactions
  private readonly tag = randomBytes(6).toString('hex')
  private readonly branchPrefix = `z9hG4bK${randomBytes(6).toString('hex')}`
  private branchCount = 0
  private local: HostPort | undefined
  private connected: Connected | undefined

  constructor(private readonly ports: SipAgentPorts) {
    const { clock, transport, stream } = ports
    this.clients = new ClientTransactions(clock)
    this.datagrams = { isReliable: false, send: (message) => transport.send(message) }
    this.connection = { isReliable: true, send: (message) => stream?.send(message) }
    this.servers = new ServerTransactions(clock)
  }

  /** Opens the transport; rejects where its address cannot be bound. */
  async start(): Promise<void> {
    this.local = await this.ports.transport.open({
      onDatagram: (datagram) => this.receive(datagram),
      onUnreachable: this.ports.onUnreachable,
    })
  }

  /** Ends what is under way, then closes the transports. */
  async stop(): Promise<void> {
    this.connected?.patience?.cancel()
    this.connected = undefined
    this.ports.stream?.close()
    // Nothing that waits for these is sent any more.
    this.local = undefined
    this.clients.abandonAll('the bridge stops')
    await this.ports.transport.close()
  }

  /**
   * The peer is lost: ends all requests under way as abandoned, for that reason. It is heard again when the connection has
   * ended, or was answered: a peer that had only stopped has read by then what was sent there.
   */
  lost(reason: string): void {
    this.clients.abandonAll(reason)
    if (!this.connected) return
    if (this.connected.standing === 'unproven') {
      this.disconnect(reason)
      return
    }
    this.connected.standing = 'in doubt'
    this.prove(this.connected)
  }

  /** Tries to have a connection, or sees whether the one that is there is answered; it is used from the first answer on. */
  tendConnection(): void {
    const { connected, local, ports } = this
    if (connected) {
      this.prove(connected)
    } else if (local) {
      ports.stream?.connect(local.host, {
        onOpen: (end) => {
          this.connected = { local: end, standing: 'unproven', answers: 0 }
          this.prove(this.connected)
        },
        onMessage: (message) => this.receiveAnswer(message),
        onClosed: (reason) => this.disconnect(reason),
      })
    }
  }

  /** The own address, once there is one. */
  get address(): HostPort | undefined {
    return this.local
  }

  /** Does the peer still have to answer by the connection? An Asterisk that boots takes one, and drops what comes there. */
  get isConnectionUnproven(): boolean {
    return this.connected?.standing === 'unproven'
  }

  private prove(connected: Connected): void {
    const answersBefore = connected.answers
    this.send(this.ports.ping(), this.connection, ({ type }) => {
      if (this.connected !== connected) return
      if (type === 'response' && connected.standing === 'in doubt') {
        this.use(connected)
      } else if (type === 'response' && connected.standing === 'unproven') {
        this.ports.onAnswered(() => {
          if (this.connected === connected && connected.standing === 'unproven') this.use(connected)
        })
      } else if (type === 'timeout') {
        if (connected.standing === 'in doubt') this.prove(connected)
        else if (connected.answers === answersBefore) this.disconnect('no answer came within 32 s')
      }
    })
  }

  private use(connected: Connected): void {
    connected.patience?.cancel()
    delete connected.patience
    connected.standing = 'used'
    this.ports.onConnected()
  }

  private disconnect(reason: string): void {
    const { connected } = this
    this.connected = undefined
    connected?.patience?.cancel()
    this.ports.stream?.close()
    this.ports.onClosed()
    if (connected && connected.standing !== 'unproven') this.ports.onDisconnected(reason)
    // What is sent in their place goes as a datagram.
    this.clients.disconnected(this.connection, `the TCP connection to Asterisk is over: ${reason}`)
  }

  /** Sends a request; `onEnd` is called once. */
  request(request: OutgoingRequest, onEnd: (outcome: Outcome) => void): void {
    const isConnected = this.connected?.standing === 'used'
    this.send(request, isConnected ? this.connection : this.datagrams, onEnd)
  }

  /** Sends a request as a datagram, whatever connection there is; `onEnd` is called once. */
  requestByDatagram(request: OutgoingRequest, onEnd: (outcome: Outcome) => void): void {
    this.send(request, this.datagrams, onEnd)
  }

  /** Sends a request by the connection only; `onEnd` is called once. */
  requestByConnection(request: OutgoingRequest, onEnd: (outcome: Outcome) => void): void {
    if (this.connected) this.send(request, this.connection, onEnd)
    else onEnd({ type: 'abandoned', reason: 'there is no connection' })
  }

  /** Sends an OPTIONS as a datagram, for a refusal shows at once; `onEnd` is called once, unless the returned function is. */
  ping(onEnd: (outcome: Outcome) => void): () => void {
    return this.send(this.ports.ping(), this.datagrams, onEnd)
  }

  private send(request: OutgoingRequest, way: Way, onEnd: (outcome: Outcome) => void): () => void {
    const { local } = this
    if (!local) {
      onEnd({ type: 'abandoned', reason: 'the SIP agent is not started' })
      return () => undefined
    }
    const branch = `${this.branchPrefix}${(++this.branchCount).toString(36)}`
    const message = this.serialise(request, local, branch, way)
    this.clients.begin({ branch, method: request.method, message }, way, onEnd)
    return () => this.clients.cancel(branch)
  }

  private serialise(request: OutgoingRequest, local: HostPort, branch: string, way: Way): Buffer {
    const { requestUri, user, agentName } = this.ports
    const here = `${bracketed(local.host)}:${local.port}`
    const sentBy = way.isReliable && this.connected ? this.connected.local : local
    const protocol = way.isReliable ? 'TCP' : 'UDP'
    const fields: HeaderField[] = [
      [
        'Via',
        `SIP/2.0/${protocol} ${bracketed(sentBy.host)}:${sentBy.port};rport;branch=${branch}`,
      ],
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
    const { connected } = this
    if (connected?.standing === 'in doubt') {
      // It sends again what it does not see answered.
      connected.patience ??= this.ports.clock.after(patienceMs, () =>
        this.disconnect('Asterisk is heard, but not there'),
      )
      return
    }
    // Keep-alives of RFC 5626 are empty lines.
    if (datagram.length <= 4 && datagram.toString('latin1').trim() === '') return
    const message = this.parse(datagram, (request) => this.respond(request, { status: 400 }))
    if (!message) return
    this.ports.onHeard()
    if (message.type === 'response') this.clients.receive(message)
    else this.take(message)
  }

  /**
   * By the connection come answers only: Asterisk's own requests go to the address in its configuration. They are no sign
   * of life, for without those requests nothing is known of it.
   */
  private receiveAnswer(octets: Buffer): void {
    const message = this.parse(octets)
    if (message?.type !== 'response') return
    if (this.connected) this.connected.answers += 1
    this.clients.receive(message)
  }

  private parse(octets: Buffer, refuse?: (request: SipRequest) => void): SipMessage | undefined {
    try {
      return parseMessage(octets)
    } catch (error) {
      if (!(error instanceof SipParseError)) throw error
      if (error.request) refuse?.(error.request)
      this.ports.onMalformed(error.message)
      return undefined
    }
  }

  private take(request: SipRequest): void {
    // ACK belongs to an INVITE that was refused, and is never answered (RFC 3261 section 17.1.1.3).
    if (request.method === 'ACK') return
    const key = serverKey(request)
    const answered = this.servers.answerTo(key)
    if (answered) this.ports.transport.send(answered)
    else this.respond(request, this.ports.answer(request), key)
  }

  private respond(request: SipRequest, answer: Answer, key = serverKey(request)): void {
    const { local, ports, tag } = this
    if (!local) return
    const datagram = serialiseResponse(request, answer, { toTag: tag, source: ports.peer })
    this.servers.remember(key, datagram)
    ports.transport.send(datagram)
    answer.onSent?.()
  }
}
