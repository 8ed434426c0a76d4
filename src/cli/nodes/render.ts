import { type Column, renderAdvice, renderTable, type TerminalStyle } from '../table.js'
import { type Claim, describeClaim } from './claims.js'
import type { ItemView, NodeSummary, NodeView } from './read.js'

/** The list of nodes, a line each. */
export function renderNodes(nodes: readonly NodeSummary[], style: TerminalStyle): string {
  return renderTable(
    [
      { title: 'NODE', least: 20 },
      { title: 'ITEMS', isNumber: true },
      { title: 'MEMBER', least: 12, isWrapped: true },
    ],
    nodes.map(({ node, items, failure, member }) => ({
      cells: [
        node,
        items === undefined ? '-' : String(items),
        [member?.name, failure].filter(Boolean).join(': '),
      ],
    })),
    style,
  )
}

/** One node in three parts, after who else says that it is its own. */
export function renderNode({ node, service, ...parts }: NodeView, style: TerminalStyle): string {
  const { configuration, affiliations, items, otherClaims = [] } = parts
  const fields = (form: Readonly<Record<string, string>>): string[][] =>
    Object.entries(form)
      .filter(([name]) => name.startsWith('pubsub#'))
      .map(([name, value]) => [name.slice('pubsub#'.length), value])
  return [
    `${node} at ${service}`,
    ...otherClaims.map((claim) => renderClaim(claim, style)),
    section(
      'configuration',
      isFailure(configuration) ? configuration : fields(configuration),
      [{ title: 'SETTING' }, { title: 'VALUE', least: 20 }],
      style,
    ),
    section(
      'affiliations',
      isFailure(affiliations)
        ? affiliations
        : affiliations.map(({ jid, affiliation }) => [jid, affiliation]),
      [{ title: 'JID', least: 20 }, { title: 'AFFILIATION' }],
      style,
    ),
    section(
      'items',
      isFailure(items) ? items : items.map(itemRow),
      [
        { title: 'ITEM', least: 20 },
        { title: 'SAYS', least: 16 },
        { title: 'PUBLISHER', least: 16 },
      ],
      style,
    ),
  ].join('\n\n')
}

function renderClaim(claim: Claim, style: TerminalStyle): string {
  return renderAdvice(describeClaim(claim), 'hintbridge doctor says what to do', 'warning', style)
}

function itemRow({ id, text, publisher = '' }: ItemView): string[] {
  return [id, text, publisher]
}

function section(
  title: string,
  rows: readonly (readonly string[])[] | { readonly failure: string },
  columns: readonly Column[],
  style: TerminalStyle,
): string {
  if (isFailure(rows)) return `${title}: ${rows.failure}`
  if (rows.length === 0) return `${title}: none`
  return `${title}:\n${renderTable(
    columns,
    rows.map((cells) => ({ cells })),
    style,
  )}`
}

function isFailure(part: object): part is { readonly failure: string } {
  return 'failure' in part && Object.keys(part).length === 1
}
