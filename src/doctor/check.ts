import { ConsoleUnusable } from '../asterisk/console.js'
import { XmppError } from '../xmpp/errors.js'
import type { DoctorContext } from './context.js'
import { type Finding, Findings, Unchecked } from './finding.js'

/** One thing that `doctor` looks at. It changes nothing that a member of the cluster can see. */
export interface Check {
  /** One word or two, with a hyphen. */
  readonly name: string
  run(context: DoctorContext): Promise<Finding[]>
}

/** Makes the checks one after the other and passes the findings of each on as they come. */
export async function examine(
  checks: readonly Check[],
  context: DoctorContext,
  onFindings: (findings: readonly Finding[]) => void = () => undefined,
): Promise<Finding[]> {
  const all: Finding[] = []
  for (const check of checks) {
    const found = await check.run(context).catch((error: unknown) => [unchecked(check, error)])
    all.push(...found)
    onFindings(found)
  }
  return all
}

function unchecked({ name }: Check, error: unknown): Finding {
  const findings = new Findings(name)
  if (error instanceof Unchecked) return findings.note(withReason(error.message), error.remedy)
  if (error instanceof ConsoleUnusable) return findings.note(withReason(error.reason), error.remedy)
  if (error instanceof XmppError) return findings.note(withReason(error.message))
  // A fault of the doctor: the other checks are made all the same.
  return findings.warning(withReason(error instanceof Error ? error.message : String(error)))
}

function withReason(reason: string): string {
  return `could not be checked: ${reason}`
}
