import { styleText } from 'node:util'
import { type Finding, type Severity, severities, worst } from './finding.js'

export interface ReportOptions {
  /** Columns. */
  readonly width: number
  readonly hasColour: boolean
}

const colours = { ok: 'green', note: 'cyan', warning: 'yellow', broken: 'red' } as const

/** Of the words of severity, and the space after them. */
const indent = 9

/** One finding as lines: severity, check and text, then the remedy behind an arrow. */
export function renderFinding(finding: Finding, { width, hasColour }: ReportOptions): string {
  const { check, severity, text, remedy } = finding
  const word = severity.padEnd(indent)
  const lines = wrap(`${check}: ${text}`, width - indent)
  const advice = remedy === undefined ? [] : wrap(remedy, width - indent - 2)
  return [
    ...lines.map((line, index) => {
      if (index > 0) return `${' '.repeat(indent)}${line}`
      return `${hasColour ? paint(colours[severity], word) : word}${line}`
    }),
    ...advice.map((line, index) => `${' '.repeat(indent)}${index === 0 ? '→ ' : '  '}${line}`),
  ].join('\n')
}

/** The last line: `1 broken, 2 warnings, 20 ok`. */
export function renderSummary(findings: readonly Finding[], { hasColour }: ReportOptions): string {
  const count = (severity: Severity): number =>
    findings.filter((finding) => finding.severity === severity).length
  const plural = { ok: 'ok', note: 'notes', warning: 'warnings', broken: 'broken' } as const
  const parts = [...severities].reverse().flatMap((severity) => {
    const number = count(severity)
    if (number === 0) return []
    return [`${number} ${number === 1 ? severity : plural[severity]}`]
  })
  const line = parts.join(', ')
  return hasColour ? paint(colours[worst(findings)], line) : line
}

/** The caller has decided on colour: what stands in the environment of this process is not asked again. */
function paint(colour: (typeof colours)[Severity], text: string): string {
  return styleText(colour, text, { validateStream: false })
}

/** Lines of at most that many characters; what is longer without a space stands alone. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
