/** What every SASL mechanism here has. Texts are those of the mechanism, in UTF-8, before base64. Source: RFC 4422, RFC 6120 §6. */
export interface Mechanism {
  /** As the server offers it: `SCRAM-SHA-256-PLUS`. */
  readonly name: string
  /** What goes out with `<auth/>`. */
  initial(): string
  /** The answer to the challenge; throws `StreamFailure` where that is unsound. */
  respond(challenge: string): Promise<string>
  /** Judges what came with `<success/>`, or in a challenge before it; throws where the server did not prove itself. */
  verify(text: string): void
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** SASLprep's effect on ordinary text (RFC 4013): compatibility forms are folded. */
export function prepare(text: string): string {
  return text.normalize('NFKC')
}
