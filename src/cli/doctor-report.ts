import { type Finding, type Severity, severities, worst } from '../doctor/finding.js'
import { clean, paint, type TerminalStyle, type Tone, wrap } from './table.js'

const tones: Readonly<Record<Severity, Tone>> = {
  ok: 'good',
  note: 'faint',
  warning: 'warning',
  broken: 'bad',
}

/** Of the words of severity, and the space after them. */
const indent = 9

/** One finding as lines: severity, check and text, then the remedy behind an arrow. */
export function renderFinding(finding: Finding, style: TerminalStyle): string {
  const { check, severity, text, remedy } = finding
  const word = paint(severity, tones[severity], style) + ' '.repeat(indent - severity.length)
  const margin = ' '.repeat(indent)
  const lines = wrap(clean(`${check}: ${text}`), style.width - indent)
  const advice = remedy === undefined ? [] : wrap(clean(remedy), style.width - indent - 2)
  return [
    ...lines.map((line, index) => `${index === 0 ? word : margin}${line}`),
    ...advice.map((line, index) => `${margin}${index === 0 ? '→' : ' '} ${line}`),
  ].join('\n')
}

const plurals = { ok: 'ok', note: 'notes', warning: 'warnings', broken: 'broken' } as const

/** The last line: `1 broken, 2 warnings, 20 ok`. */
export function renderSummary(findings: readonly Finding[], style: TerminalStyle): string {
  const parts = [...severities].reverse().flatMap((severity) => {
    const number = findings.filter((finding) => finding.severity === severity).length
    if (number === 0) return []
    return [`${number} ${number === 1 ? severity : plurals[severity]}`]
  })
  return paint(parts.join(', '), tones[worst(findings)], style)
}
