import { StreamFailure } from '../errors.js'
import { prepare, type Credentials, type Mechanism } from './mechanism.js'

/** PLAIN (RFC 4616): the password itself goes to whoever the TLS certificate lets pass for the server. */
export class Plain implements Mechanism {
  readonly name = 'PLAIN'

  constructor(private readonly credentials: Credentials) {}

  initial(): string {
    const { username, password } = this.credentials
    return `\0${prepare(username)}\0${prepare(password)}`
  }

  respond(): Promise<string> {
    throw new StreamFailure('server-signature', 'the server challenged PLAIN')
  }

  verify(): void {
    // PLAIN proves nothing about the server.
  }
}
