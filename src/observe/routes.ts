/** The routes of the inspection API, the same on the control socket and over HTTP; `api.ts` describes them. */
import { isName, kinds, type Kind } from '../bridge/state.js'
import type { Door, Events } from './events.js'
import type { Inspector } from './inspector.js'
import { matcher } from './pattern.js'
import { type Answer, BadRequest, type Routes } from './respond.js'

const maxLimit = 1_000
const defaultLimit = 200
const maxPatternLength = 255

/** Makes the routes for `GET` at that door. */
export function apiRoutes(inspector: Inspector, events: Events, door: Door): Routes {
  return {
    '/api/overview': () => ok(inspector.overview()),
    '/api/states': async (query) =>
      ok(
        await inspector.states({
          kind: kindOf(query),
          matches: matcher(patternOf(query)),
          offset: numberOf(query, 'offset', 0, Number.MAX_SAFE_INTEGER),
          limit: numberOf(query, 'limit', defaultLimit, maxLimit),
          order: orderOf(query),
        }),
      ),
    '/api/explain': async (query) => {
      const id = query.get('id') ?? ''
      if (!isName(id)) throw new BadRequest('id: name a device or a mailbox')
      const explanation = await inspector.explain(kindOf(query), id)
      if (explanation) return ok(explanation)
      return { status: 503, body: { error: 'the EID of Asterisk is not known yet: see /health' } }
    },
    '/api/refused': () => ok(inspector.refused()),
    '/api/events': (query) => events.listen(patternOf(query), door),
  }
}

function ok(body: unknown): Answer {
  return { status: 200, body }
}

function kindOf(query: URLSearchParams): Kind {
  const text = query.get('kind') ?? 'device_state'
  const kind = kinds.find((known) => known === text)
  if (kind === undefined) throw new BadRequest(`kind: is one of ${kinds.join(', ')}`)
  return kind
}

function orderOf(query: URLSearchParams): 'busy' | 'name' {
  const text = query.get('order') ?? 'name'
  if (text === 'busy' || text === 'name') return text
  throw new BadRequest('order: is busy or name')
}

function patternOf(query: URLSearchParams): string {
  const pattern = query.get('match') ?? ''
  if (pattern.length <= maxPatternLength) return pattern
  throw new BadRequest(`match: has at most ${maxPatternLength} characters`)
}

function numberOf(query: URLSearchParams, name: string, missing: number, most: number): number {
  const text = query.get(name)
  if (text === null) return missing
  const value = /^\d{1,15}$/.test(text) ? Number(text) : -1
  if (value < 0 || value > most) throw new BadRequest(`${name}: is a number from 0 to ${most}`)
  return value
}
