import type { Consent, GivenOptions, QuestionKey } from './answers.js'

/** What was agreed to: by an option whatever the answer, by a yes the one answer that was objected to. */
export class Agreements {
  readonly #given: GivenOptions
  readonly #answers = new Set<string>()

  constructor(given: GivenOptions) {
    this.#given = given
  }

  add(consent: Consent, key: QuestionKey, answer: string): void {
    this.#answers.add(nameOf(consent, key, answer))
  }

  has(consent: Consent, key: QuestionKey, answer: string): boolean {
    return this.#given[consent] === true || this.#answers.has(nameOf(consent, key, answer))
  }
}

function nameOf(consent: Consent, key: QuestionKey, answer: string): string {
  return `${consent} ${key} ${answer}`
}
