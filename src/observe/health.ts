export type Severity = 'warning' | 'error'

/** Something the administrator should know, for as long as it lasts. */
export interface HealthProblem {
  readonly key: string
  readonly severity: Severity
  readonly text: string
  /** When it was first raised under this key. */
  readonly since: Date
}

/** The problems that stand, by key. */
export class Health {
  readonly #problems = new Map<string, HealthProblem>()
  readonly #now: () => Date

  constructor(now: () => Date = () => new Date()) {
    this.#now = now
  }

  /** Raises a problem, or replaces what stands under its key; says whether that is news. */
  raise(key: string, severity: Severity, text: string): boolean {
    const standing = this.#problems.get(key)
    this.#problems.set(key, { key, severity, text, since: standing?.since ?? this.#now() })
    return standing?.severity !== severity || standing.text !== text
  }

  /** Clears a problem; gives what stood there. */
  clear(key: string): HealthProblem | undefined {
    const standing = this.#problems.get(key)
    this.#problems.delete(key)
    return standing
  }

  /** Errors first, then the oldest. */
  problems(): HealthProblem[] {
    return [...this.#problems.values()].sort(
      (a, b) =>
        Number(b.severity === 'error') - Number(a.severity === 'error') ||
        a.since.getTime() - b.since.getTime(),
    )
  }

  get status(): 'ok' | Severity {
    return this.problems()[0]?.severity ?? 'ok'
  }
}
