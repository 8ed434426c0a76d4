/** Tables and lines for a terminal: 80 columns, colour only where there is one. */
import { styleText } from 'node:util'

export interface TerminalStyle {
  /** Columns. */
  readonly width: number
  readonly hasColour: boolean
}

/** Plain text of 80 columns, in colour on a terminal that did not say no (https://no-color.org). */
export function terminalStyle(
  stream: { readonly isTTY?: boolean } = process.stdout,
  environment: NodeJS.ProcessEnv = process.env,
): TerminalStyle {
  return { width: 80, hasColour: stream.isTTY === true && !environment['NO_COLOR'] }
}

export type Tone = 'good' | 'busy' | 'warning' | 'bad' | 'faint' | 'plain'

const colours = {
  good: 'green',
  busy: 'magenta',
  warning: 'yellow',
  bad: 'red',
  faint: 'gray',
} as const

/** A cell, or a text, with its tone. */
export interface Cell {
  readonly text: string
  readonly tone: Tone
}

export interface Column {
  readonly title: string
  readonly isNumber?: boolean
  /** Longer cells give way, down to so many characters, where the table would be too wide. */
  readonly least?: number
  /** Its cells go on in further lines instead of being cut; of the last column only. */
  readonly isWrapped?: boolean
}

export interface Row {
  readonly cells: readonly (string | Cell)[]
  /** Lines below it, indented. */
  readonly details?: readonly (string | Cell)[]
}

const gap = 2
const detailIndent = 2

/** A table with a head line; no line is longer than the style's width. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly Row[],
  style: TerminalStyle,
): string {
  const cleaned = rows.map(({ cells, details = [] }) => ({
    cells: cells.map(toCell),
    details: details.map(toCell),
  }))
  const widths = fit(columns, cleaned, style.width)
  const head = columns.map(({ title }): Cell => ({ text: title, tone: 'faint' }))
  return [
    ...renderRow(head, columns, widths, style),
    ...cleaned.flatMap(({ cells, details }) => [
      ...renderRow(cells, columns, widths, style),
      ...details.flatMap(({ text, tone }) =>
        wrap(text, style.width - detailIndent).map((line) =>
          paint(`${' '.repeat(detailIndent)}${line}`, tone, style),
        ),
      ),
    ]),
  ].join('\n')
}

/** A text, wrapped, with its remedy behind an arrow. */
export function renderAdvice(
  text: string,
  remedy: string | undefined,
  tone: Tone,
  style: TerminalStyle,
): string {
  const lines = wrap(clean(text), style.width).map((line) => paint(line, tone, style))
  const advice = remedy === undefined ? [] : wrap(clean(remedy), style.width - 4)
  return [...lines, ...advice.map((line, index) => `  ${index === 0 ? '→' : ' '} ${line}`)].join(
    '\n',
  )
}

/** Gives a text its colour, where there is one. */
export function paint(text: string, tone: Tone, { hasColour }: TerminalStyle): string {
  return hasColour && tone !== 'plain'
    ? styleText(colours[tone], text, { validateStream: false })
    : text
}

/** Without what would steer the terminal: names come from the network. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}

/** Lines of at most that many characters; a word that is longer is broken. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const whole of text.split(' ')) {
    let word = whole
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    while (word.length > width) {
      lines.push(word.slice(0, width))
      word = word.slice(width)
    }
    line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

function toCell(cell: string | Cell): Cell {
  return typeof cell === 'string'
    ? { text: clean(cell), tone: 'plain' }
    : { ...cell, text: clean(cell.text) }
}

/** The width of each column; the widest that may give way does, until all fit. */
function fit(
  columns: readonly Column[],
  rows: readonly { readonly cells: readonly Cell[] }[],
  width: number,
): number[] {
  const widths = columns.map(({ title }, index) =>
    rows.reduce((most, { cells }) => Math.max(most, cells[index]?.text.length ?? 0), title.length),
  )
  const room = width - gap * (columns.length - 1)
  for (let excess = sum(widths) - room; excess > 0; excess -= 1) {
    const giving = columns
      .map(({ least = Infinity }, index) => ({ index, spare: (widths[index] ?? 0) - least }))
      .filter(({ spare }) => spare > 0)
      .sort((one, other) => (widths[other.index] ?? 0) - (widths[one.index] ?? 0))[0]
    if (!giving) break
    widths[giving.index] = (widths[giving.index] ?? 0) - 1
  }
  return widths
}

function renderRow(
  cells: readonly Cell[],
  columns: readonly Column[],
  widths: readonly number[],
  style: TerminalStyle,
): string[] {
  const parts = columns.map(({ isWrapped }, index) => {
    const text = cells[index]?.text ?? ''
    const width = widths[index] ?? 0
    return isWrapped ? wrap(text, Math.max(width, 1)) : [cut(text, width)]
  })
  const height = Math.max(...parts.map((lines) => lines.length))
  return Array.from({ length: height }, (_, number) =>
    columns
      .map(({ isNumber }, index) => {
        const text = parts[index]?.[number] ?? ''
        const width = widths[index] ?? 0
        const isLast = index === columns.length - 1
        const blank = ' '.repeat(Math.max(width - text.length, 0))
        const shown = paint(text, text === '' ? 'plain' : (cells[index]?.tone ?? 'plain'), style)
        return isNumber ? `${blank}${shown}` : isLast ? shown : `${shown}${blank}`
      })
      .join(' '.repeat(gap))
      .trimEnd(),
  )
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(width - 1, 0))}…`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
