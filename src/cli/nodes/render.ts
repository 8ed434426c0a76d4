import type { ItemView, NodeSummary, NodeView } from './read.js'

/** The list of nodes, a line each. */
export function renderNodes(nodes: readonly NodeSummary[]): string {
  const rows = nodes.map(({ node, items, failure, member }) => [
    node,
    items === undefined ? '-' : String(items),
    [member?.name, failure].filter(Boolean).join(': '),
  ])
  return columns([['NODE', 'ITEMS', 'MEMBER'], ...rows])
}

/** One node in three parts. */
export function renderNode({ node, service, ...parts }: NodeView): string {
  const { configuration, affiliations, items } = parts
  return [
    `${node} at ${service}`,
    section('configuration', configuration, (fields) =>
      Object.entries(fields)
        .filter(([name]) => name.startsWith('pubsub#'))
        .map(([name, value]) => [name.slice('pubsub#'.length), value]),
    ),
    section('affiliations', affiliations, (all) =>
      all.map(({ jid, affiliation }) => [jid, affiliation]),
    ),
    section('items', items, (all) => all.map(itemRow)),
  ].join('\n\n')
}

function itemRow({ id, text, publisher = '' }: ItemView): string[] {
  return [id, text, publisher]
}

function section<Part extends object>(
  title: string,
  part: Part | { readonly failure: string },
  rowsOf: (part: Part) => string[][],
): string {
  if (isFailure(part)) return `${title}: ${part.failure}`
  const rows = rowsOf(part)
  return rows.length === 0 ? `${title}: none` : `${title}\n${columns(rows, '  ')}`
}

function isFailure(part: object): part is { readonly failure: string } {
  return 'failure' in part && Object.keys(part).length === 1
}

/** Columns as wide as their longest cell but the last; what comes from the network cannot steer the terminal. */
function columns(rows: readonly (readonly string[])[], indent = ''): string {
  const clean = rows.map((row) => row.map((cell) => cell.replace(/\p{Cc}+/gu, ' ')))
  const widths = clean.reduce<number[]>(
    (most, row) => row.map((cell, index) => Math.max(most[index] ?? 0, cell.length)),
    [],
  )
  const lines = clean.map((row) =>
    row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  '),
  )
  return lines.map((line) => `${indent}${line}`.trimEnd()).join('\n')
}
