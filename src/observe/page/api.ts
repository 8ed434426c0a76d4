/** Asks the bridge. Addresses are relative, so that the page can stand below any path of a proxy. */
import type { ExplainAnswer, OverviewAnswer, RefusedAnswer, StatesAnswer } from '../api.js'
import type { Kind } from '../../bridge/state.js'
import type { Order } from './view.js'

export interface StatesQuery {
  readonly kind: Kind
  readonly match: string
  readonly order: Order
  readonly offset: number
  readonly limit: number
}

export const ask = {
  overview: () => get<OverviewAnswer>('api/overview'),
  refused: () => get<RefusedAnswer>('api/refused'),
  states: ({ kind, match, order, offset, limit }: StatesQuery, signal: AbortSignal) =>
    get<StatesAnswer>(
      'api/states',
      {
        kind,
        order,
        offset: String(offset),
        limit: String(limit),
        ...(match !== '' && { match }),
      },
      signal,
    ),
  explain: (kind: Kind, id: string, signal: AbortSignal) =>
    get<ExplainAnswer>('api/explain', { kind, id }, signal),
}

/** The bridge and its page are of one version, so that the answer has the shape that `src/observe/api.ts` names. */
async function get<Answer>(
  path: string,
  query: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Answer> {
  const text = new URLSearchParams(query).toString()
  const response = await fetch(text === '' ? path : `${path}?${text}`, signal ? { signal } : {})
  if (!response.ok) throw new Error(`the bridge answered ${response.status}`)
  return (await response.json()) as Answer
}
