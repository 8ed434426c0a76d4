/** What a check found, and how bad it is. */

export const severities = ['ok', 'note', 'warning', 'broken'] as const

/** `note`: worth knowing, or it could not be checked. `warning`: works, and will hurt. `broken`: states get lost. */
export type Severity = (typeof severities)[number]

export interface Finding {
  /** Name of the check, such as `rate`. */
  readonly check: string
  readonly severity: Severity
  readonly text: string
  /** What the administrator can do. */
  readonly remedy?: string
}

/** Makes the findings of one check. */
export class Findings {
  constructor(private readonly check: string) {}

  ok(text: string): Finding {
    return { check: this.check, severity: 'ok', text }
  }

  note(text: string, remedy?: string): Finding {
    return this.#make('note', text, remedy)
  }

  warning(text: string, remedy?: string): Finding {
    return this.#make('warning', text, remedy)
  }

  broken(text: string, remedy?: string): Finding {
    return this.#make('broken', text, remedy)
  }

  #make(severity: Severity, text: string, remedy: string | undefined): Finding {
    return { check: this.check, severity, text, ...(remedy !== undefined && { remedy }) }
  }
}

/** A check cannot be made, for a reason that is no fault of what it checks, or that another check tells. */
export class Unchecked extends Error {
  override readonly name = 'Unchecked'

  constructor(
    reason: string,
    readonly remedy?: string,
  ) {
    super(reason)
  }
}

/** The worst severity among findings; `ok` where there are none. */
export function worst(findings: readonly Finding[]): Severity {
  const ranks = findings.map(({ severity }) => severities.indexOf(severity))
  return severities[Math.max(0, ...ranks)] ?? 'ok'
}
