import { inspect } from 'node:util'

const shown = '[secret]'

/** A password that never prints: JSON, `inspect`, string concatenation and log lines all show `[secret]`. */
export class Secret {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The password itself, for the one place that sends or hashes it. */
  reveal(): string {
    return this.#text
  }

  equals(other: Secret): boolean {
    return this.#text === other.#text
  }

  toString(): string {
    return shown
  }

  toJSON(): string {
    return shown
  }

  [inspect.custom](): string {
    return shown
  }
}
