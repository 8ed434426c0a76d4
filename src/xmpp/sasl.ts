/**
 * SASL mechanisms for `@xmpp/sasl`: SCRAM-SHA-256, SCRAM-SHA-1 and PLAIN, in UTF-8 and with the server's signature
 * checked, which the stock ones do not. Sources: RFC 4616, RFC 5802, RFC 7677.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Mechanism } from '@xmpp/sasl'
import { StreamFailure } from './errors.js'

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** A mechanism that can also judge what came with `<success/>`. */
export interface VerifyingMechanism extends Mechanism {
  /** Throws where the server did not prove that it knows the password. `text` is binary. */
  verify(text: string): void
}

/** Fewer would let an eavesdropper guess cheaply (RFC 7677 §4); more would let a server stall the bridge. */
const leastIterations = 4096
const mostIterations = 1_000_000

/** `@xmpp/sasl` takes text with one character an octet (its base64 is `btoa`). */
function toBinary(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** SASLprep's effect on ordinary text (RFC 4013): compatibility forms are folded. */
function prepare(text: string): string {
  return text.normalize('NFKC')
}

class Plain implements VerifyingMechanism {
  readonly name = 'PLAIN'
  readonly clientFirst = true

  constructor(private readonly credentials: Credentials) {}

  response(): string {
    const { username, password } = this.credentials
    return toBinary(`\0${prepare(username)}\0${prepare(password)}`)
  }

  challenge(): void {
    throw new StreamFailure('server-signature', 'the server challenged PLAIN')
  }

  verify(): void {
    // PLAIN proves nothing about the server.
  }
}

function attributesOf(text: string): Map<string, string> {
  return new Map(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]))
}

export class Scram implements VerifyingMechanism {
  readonly name: string
  readonly clientFirst = true
  private readonly firstBare: string
  private serverFirst: string | undefined
  private serverSignature: Buffer | undefined
  private isVerified = false

  constructor(
    private readonly hash: 'sha1' | 'sha256',
    private readonly credentials: Credentials,
    private readonly nonce = randomBytes(24).toString('base64'),
  ) {
    this.name = hash === 'sha1' ? 'SCRAM-SHA-1' : 'SCRAM-SHA-256'
    const user = prepare(credentials.username).replaceAll('=', '=3D').replaceAll(',', '=2C')
    this.firstBare = `n=${user},r=${nonce}`
  }

  challenge(text: string): void {
    const decoded = Buffer.from(text, 'latin1').toString('utf8')
    if (this.serverFirst === undefined) this.serverFirst = decoded
    else this.verify(text)
  }

  response(): string {
    if (this.serverFirst === undefined) return toBinary(`n,,${this.firstBare}`)
    return this.serverSignature === undefined ? this.finalMessage(this.serverFirst) : ''
  }

  private finalMessage(serverFirst: string): string {
    const attributes = attributesOf(serverFirst)
    const nonce = attributes.get('r') ?? ''
    const salt = Buffer.from(attributes.get('s') ?? '', 'base64')
    const iterations = Number(attributes.get('i'))
    const isSound =
      nonce.startsWith(this.nonce) && nonce.length > this.nonce.length && salt.length > 0
    if (!isSound || !(iterations >= leastIterations && iterations <= mostIterations)) {
      throw new StreamFailure('server-signature', `the server's ${this.name} challenge is unsound`)
    }
    const withoutProof = `c=biws,r=${nonce}`
    const message = `${this.firstBare},${serverFirst},${withoutProof}`
    const size = this.hash === 'sha1' ? 20 : 32
    const password = prepare(this.credentials.password)
    const salted = pbkdf2Sync(password, salt, iterations, size, this.hash)
    const clientKey = this.hmac(salted, 'Client Key')
    const storedKey = createHash(this.hash).update(clientKey).digest()
    const signature = this.hmac(storedKey, message)
    const proof = clientKey.map((octet, index) => octet ^ (signature[index] ?? 0))
    this.serverSignature = this.hmac(this.hmac(salted, 'Server Key'), message)
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`
  }

  verify(text: string): void {
    // RFC 6120 §6.3.10: the signature comes with the success, or in a challenge of its own before.
    if (this.isVerified) return
    const given = Buffer.from(attributesOf(text).get('v') ?? '', 'base64')
    const expected = this.serverSignature
    if (expected?.length !== given.length || !timingSafeEqual(expected, given)) {
      throw new StreamFailure('server-signature', `the server's ${this.name} signature is wrong`)
    }
    this.isVerified = true
  }

  private hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.hash, key).update(text).digest()
  }
}

/** The mechanisms, strongest first. PLAIN is among them: whether the stream is safe enough is judged before. */
export function createMechanisms(credentials: Credentials): readonly VerifyingMechanism[] {
  return [new Scram('sha256', credentials), new Scram('sha1', credentials), new Plain(credentials)]
}
