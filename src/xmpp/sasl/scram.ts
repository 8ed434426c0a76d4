/** SCRAM, with channel binding and without. Sources: RFC 5802, RFC 7677, draft-melnikov-scram-sha-512. */
import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { StreamFailure } from '../errors.js'
import type { ChannelBinding } from './channel-binding.js'
import { prepare, type Credentials, type Mechanism } from './mechanism.js'

/** The hashes, the strongest first, with the octets of their output. */
export const scramHashes = {
  'SCRAM-SHA-512': { hash: 'sha512', octets: 64 },
  'SCRAM-SHA-256': { hash: 'sha256', octets: 32 },
  'SCRAM-SHA-1': { hash: 'sha1', octets: 20 },
} as const

export type ScramName = keyof typeof scramHashes

/** Fewer would let an eavesdropper guess cheaply (RFC 7677 §4); more would keep a thread busy for seconds. */
const leastIterations = 4096
const mostIterations = 1_000_000

/**
 * `p`: bound to the TLS channel. `y`: could be bound, but the server offers nothing of the kind; one that does then knows that
 * somebody took it out of its offer. `n`: cannot be bound (RFC 5802 §6).
 */
export type Gs2Flag = 'p' | 'y' | 'n'

/** RFC 5802 §7, `server-first-message`: in this order, each once, and `m=` is refused. Unknown extensions may follow. */
const serverFirst =
  /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,9})(?:,[A-Za-z]=[^,]*)*$/

/** The same, `server-final-message`: the signature, or the error. */
const serverFinal = /^v=([A-Za-z0-9+/]+={0,2})(?:,[A-Za-z]=[^,]*)*$/

export class Scram implements Mechanism {
  readonly name: string
  private readonly firstBare: string
  private readonly gs2Header: string
  private serverSignature: Buffer | undefined
  private isVerified = false

  constructor(
    private readonly scramName: ScramName,
    private readonly credentials: Credentials,
    private readonly binding: ChannelBinding | 'y' | 'n',
    private readonly nonce = randomBytes(24).toString('base64'),
  ) {
    const isBound = typeof binding === 'object'
    this.name = isBound ? `${scramName}-PLUS` : scramName
    this.gs2Header = `${isBound ? `p=${binding.type}` : binding},,`
    const user = prepare(credentials.username).replaceAll('=', '=3D').replaceAll(',', '=2C')
    this.firstBare = `n=${user},r=${nonce}`
  }

  initial(): string {
    return `${this.gs2Header}${this.firstBare}`
  }

  async respond(challenge: string): Promise<string> {
    if (this.serverSignature !== undefined) {
      // RFC 6120 §6.3.10: the signature may come in a challenge of its own, whose answer is empty.
      this.verify(challenge)
      return ''
    }
    const [, nonce = '', salt = '', iterations = ''] = serverFirst.exec(challenge) ?? []
    const isOurs = nonce.startsWith(this.nonce) && nonce.length > this.nonce.length
    if (!isOurs || Number(iterations) < leastIterations || Number(iterations) > mostIterations) {
      throw new StreamFailure('server-signature', `the server's ${this.name} challenge is unsound`)
    }
    const withoutProof = `c=${this.channelBindingInput().toString('base64')},r=${nonce}`
    const message = `${this.firstBare},${challenge},${withoutProof}`
    const salted = await this.salt(Buffer.from(salt, 'base64'), Number(iterations))
    const clientKey = this.hmac(salted, 'Client Key')
    const storedKey = createHash(this.hash).update(clientKey).digest()
    const signature = this.hmac(storedKey, message)
    const proof = clientKey.map((octet, index) => octet ^ (signature[index] ?? 0))
    this.serverSignature = this.hmac(this.hmac(salted, 'Server Key'), message)
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`
  }

  verify(text: string): void {
    if (this.isVerified) return
    const given = Buffer.from(serverFinal.exec(text)?.[1] ?? '', 'base64')
    const expected = this.serverSignature
    if (expected?.length !== given.length || !timingSafeEqual(expected, given)) {
      throw new StreamFailure('server-signature', `the server's ${this.name} signature is wrong`)
    }
    this.isVerified = true
  }

  /** RFC 5802 §7, `cbind-input`. */
  private channelBindingInput(): Buffer {
    const header = Buffer.from(this.gs2Header)
    return typeof this.binding === 'object' ? Buffer.concat([header, this.binding.data]) : header
  }

  /** In a thread: as many iterations as may be take a second. */
  private salt(salt: Buffer, iterations: number): Promise<Buffer> {
    const { hash, octets } = scramHashes[this.scramName]
    return promisify(pbkdf2)(prepare(this.credentials.password), salt, iterations, octets, hash)
  }

  private get hash(): string {
    return scramHashes[this.scramName].hash
  }

  private hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.hash, key).update(text).digest()
  }
}
