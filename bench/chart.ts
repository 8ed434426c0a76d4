/** Bars of what users feel: how late a lamp is, and how many changes get through. An SVG without scripts and fonts. */
import type { Result } from './scenario.js'
import { medianOf } from './targets.js'

interface Panel {
  readonly title: string
  readonly scenario: string
  readonly metric: string
}

const panels: readonly Panel[] = [
  {
    title: 'one change at rest, median, ms (less is better)',
    scenario: 'rest',
    metric: 'median ms',
  },
  { title: '300 changes a second, p99, ms (less is better)', scenario: 'steady', metric: 'p99 ms' },
  {
    title: '3,000 devices at once, changes a second (more is better)',
    scenario: 'burst',
    metric: 'changes/s',
  },
]

const width = 720
const labelWidth = 170
const barHeight = 20
const gap = 6

/** Draws the medians of every panel that was measured. */
export function renderChart(results: readonly Result[]): string {
  let y = 10
  const parts: string[] = []
  for (const panel of panels) {
    const subjects = results.filter(({ scenario }) => scenario === panel.scenario)
    if (subjects.length === 0) continue
    const values = subjects.map(({ subject }) => ({
      subject,
      value: medianOf(results, panel.scenario, subject, panel.metric),
    }))
    parts.push(text(10, y + 14, panel.title, 'title'))
    y += 26
    const most = Math.max(...values.map(({ value }) => value))
    for (const { subject, value } of values) {
      parts.push(bar(y, subject, value, most))
      y += barHeight + gap
    }
    y += 16
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" role="img" aria-label="hintbridge beside its peers">
<style>
  text { font: 13px sans-serif; fill: #24292f } .title { font-weight: bold }
  rect { fill: #8c959f } .own { fill: #0969da }
</style>
<rect width="${width}" height="${y}" style="fill: #ffffff"/>
${parts.join('\n')}
</svg>
`
}

function bar(y: number, subject: string, value: number, most: number): string {
  const length = Math.max(1, (value / most) * (width - labelWidth - 90))
  const style = subject.startsWith('hintbridge') ? ' class="own"' : ''
  const shown = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2)
  return [
    text(10, y + 15, subject),
    `<rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}"${style}/>`,
    text(labelWidth + length + 6, y + 15, shown),
  ].join('\n')
}

function text(x: number, y: number, content: string, style = ''): string {
  const named = style === '' ? '' : ` class="${style}"`
  return `<text x="${x.toFixed(1)}" y="${y}"${named}>${content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`
}
