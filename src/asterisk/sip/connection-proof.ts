/** Is it Asterisk that has taken the connection? Any user of the machine may listen on a TCP port that Asterisk does not. */
import { randomInt } from 'node:crypto'
import type { Failure } from '../../bridge/events.js'
import type { EntityId } from '../../bridge/state.js'
import { encodeState, eventPackages, proofEntry } from './body.js'
import type { Clock } from './clock.js'
import type { Health } from './foreign-entity-id.js'
import { Publication, type PublicationPorts } from './publication.js'
import type { PortOwner, StreamTransport } from './tcp-transport.js'

export interface ConnectionProofPorts extends Omit<PublicationPorts, 'isPatient'> {
  readonly clock: Clock
  readonly stream: Pick<StreamTransport, 'identify'> | undefined
  /** Under which a mailbox is sent there. */
  readonly eid: () => EntityId | undefined
  readonly health: Health
}

/** Asked again after this, as an Asterisk that boots drops what comes; then after twice the time … */
const firstWaitMs = 2_000
/** … up to this. */
const longestWaitMs = 32_000
/** Of so many questions the answer is still taken. */
const mostNonces = 8

/**
 * What is sent by the connection has to come back with Asterisk's credentials by its own way. A program that passes on what it
 * gets would pass too, so the kernel is asked as well whether the port has the user who has Asterisk's UDP port.
 */
export class ConnectionProof {
  private readonly nonces = new Set<number>()
  private publication: Publication | undefined
  private admit: () => void = () => undefined
  private waitMs = firstWaitMs
  private nextAtMs = 0

  constructor(private readonly ports: ConnectionProofPorts) {}

  /** The connection is answered; `admit` is called when it is Asterisk's. */
  examine(admit: () => void): void {
    const { clock, stream } = this.ports
    if (clock.now() < this.nextAtMs) return
    this.nextAtMs = clock.now() + this.waitMs
    this.waitMs = Math.min(2 * this.waitMs, longestWaitMs)
    this.admit = admit
    stream?.identify((owner) => this.identified(owner))
  }

  /** That came back. */
  returned(nonce: number): void {
    if (!this.nonces.has(nonce)) return
    this.ports.health('asterisk-tcp')
    const { admit } = this
    this.nonces.clear()
    this.waitMs = firstWaitMs
    this.publication?.remove(ignore)
    this.publication = undefined
    admit()
  }

  /** The connection is over: the next may be another's. */
  reset(): void {
    this.nonces.clear()
    this.publication?.reset(over)
    this.publication = undefined
    this.admit = () => undefined
    this.waitMs = firstWaitMs
    this.nextAtMs = 0
  }

  private identified(owner: PortOwner): void {
    const { health, eid } = this.ports
    const complaint = complaints[owner]
    const ownEid = eid()
    if (complaint !== undefined) {
      health('asterisk-tcp', `${complaint}: states go by UDP; ${remedy}`)
    } else if (ownEid !== undefined) {
      this.ask(ownEid)
    }
  }

  private ask(eid: EntityId): void {
    const nonce = randomInt(2 ** 30)
    const [oldest] = this.nonces
    if (this.nonces.size === mostNonces && oldest !== undefined) this.nonces.delete(oldest)
    this.nonces.add(nonce)
    // A connection sends nothing again that a booting Asterisk has dropped, so nothing is to wait behind it.
    this.publication?.remove(ignore)
    this.publication = new Publication(eventPackages.message_waiting, this.ports)
    this.publication.publish(encodeState(eid, proofEntry('message_waiting', nonce)), ignore)
  }
}

const ignore = (): void => undefined

const over: Failure = {
  condition: 'disconnected',
  reason: 'the connection is over',
  isTemporary: true,
}

const complaints: Readonly<Partial<Record<PortOwner, string>>> = {
  another: "the TCP port of Asterisk belongs to another user's program",
  unknown: 'the system does not tell whose the TCP port of Asterisk is',
}

const remedy =
  'give Asterisk a TCP transport there (and see with ss -ltnp who has the port), or set asterisk.sip.transport to udp'
