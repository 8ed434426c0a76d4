import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a route answers. */
export interface Answer {
  readonly status: number
  readonly body: unknown
  /** JSON unless another is named; then `body` is text. */
  readonly contentType?: string
}

/** Path → what makes the answer, for one method. */
export type Routes = Readonly<Record<string, () => Answer | Promise<Answer>>>

/** Serves `METHOD /path` of a table: 404 for other paths, 405 for other methods, 500 with the cause where a route throws. */
export function respondFrom(
  routes: Readonly<Record<string, Routes>>,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    request.resume()
    void answer(routes, request).then(({ status, body, contentType }) => {
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
): Promise<Answer> {
  const path = url.split('?', 1)[0] ?? url
  const asked = method === 'HEAD' ? 'GET' : method
  const route = Object.hasOwn(routes, asked) ? pick(routes[asked] ?? {}, path) : undefined
  if (route === undefined) {
    const isKnown = Object.values(routes).some((table) => pick(table, path) !== undefined)
    return isKnown
      ? { status: 405, body: { error: `${method} is not served at ${path}` } }
      : { status: 404, body: { error: `nothing is at ${path}` } }
  }
  try {
    return await route()
  } catch (error) {
    return { status: 500, body: { error: error instanceof Error ? error.message : String(error) } }
  }
}

function pick(routes: Routes, path: string): Routes[string] | undefined {
  return Object.hasOwn(routes, path) ? routes[path] : undefined
}
