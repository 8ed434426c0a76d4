import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a route answers. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  /** JSON unless another is named; then `body` is text. */
  readonly contentType?: string
}

/** An answer that goes on: it takes the response over. */
export interface Stream {
  readonly stream: (response: ServerResponse) => void
}

type Routed = Answer | Stream

/** Path → what makes the answer, for one method; a `BadRequest` that it throws is answered 400. */
export type Routes = Readonly<Record<string, (query: URLSearchParams) => Routed | Promise<Routed>>>

/** The query cannot be understood; the message says why. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest'
}

/** Serves `METHOD /path` of a table: 404 for other paths, 405 for other methods, 500 with the cause where a route throws. */
export function respondFrom(
  routes: Readonly<Record<string, Routes>>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    request.resume()
    void answer(routes, request).then((routed) => {
      if ('stream' in routed) {
        if (request.method === 'HEAD') response.end()
        else routed.stream(response)
        return
      }
      const { status, body, contentType } = routed
      const text = contentType === undefined ? `${JSON.stringify(body)}\n` : String(body)
      response.writeHead(status, {
        'content-type': contentType ?? 'application/json',
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      })
      response.end(request.method === 'HEAD' ? undefined : text)
    })
  }
}

async function answer(
  routes: Readonly<Record<string, Routes>>,
  { url = '/', method = 'GET' }: IncomingMessage,
): Promise<Routed> {
  const [path = url, ...query] = url.split('?')
  const asked = method === 'HEAD' ? 'GET' : method
  const route = Object.hasOwn(routes, asked) ? pick(routes[asked] ?? {}, path) : undefined
  if (route === undefined) {
    const isKnown = Object.values(routes).some((table) => pick(table, path) !== undefined)
    return isKnown
      ? { status: 405, body: { error: `${method} is not served at ${path}` } }
      : { status: 404, body: { error: `nothing is at ${path}` } }
  }
  try {
    return await route(new URLSearchParams(query.join('?')))
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    return { status: error instanceof BadRequest ? 400 : 500, body: { error: text } }
  }
}

function pick(routes: Routes, path: string): Routes[string] | undefined {
  return Object.hasOwn(routes, path) ? routes[path] : undefined
}
