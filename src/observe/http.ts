import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limitConnections, requestTimeouts } from './connections.js'
import type { Health } from './health.js'
import type { Metrics } from './metrics.js'
import { guard, type GuardOptions } from './guard.js'
import { pageRoutes } from './page-files.js'
import { type Answer, respondFrom, type Routes } from './respond.js'

/** Why the bridge is not ready; none where it is. */
export type Readiness = () => readonly string[]

export interface HttpOptions extends GuardOptions {
  readonly listen: { readonly host: string; readonly port: number }
  readonly health: Health
  readonly metrics: Metrics
  readonly readiness: Readiness
  /** What else is read here: the inspection API that the status page asks. */
  readonly api?: Routes
}

/**
 * The status page at `/`, `/metrics` for Prometheus, `/health` and `/ready`, to be read and no more. `/health` is 200 as long as
 * the process lives, with the standing problems in its body: what they name (a server that is down, say) is not mended by
 * restarting the bridge. `/ready` is 503 with reasons until the bridge serves.
 */
export class HttpServer {
  readonly #options: HttpOptions
  #server: Server | undefined

  constructor(options: HttpOptions) {
    this.#options = options
  }

  /** Listens; rejects with an Error that names the address where it is taken. */
  async start(): Promise<void> {
    const { host, port } = this.#options.listen
    const listener = guard(this.#options, respondFrom({ GET: this.#routes() }))
    const server = createServer(requestTimeouts, listener)
    limitConnections(server, (reason) => this.#options.onRefused?.(reason))
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        const problem = `failed to listen on ${host} port ${port} for HTTP: ${cause.code ?? cause.message}; set http.listen to a free address`
        reject(new Error(problem, { cause }))
      })
      server.listen(port, host, resolve)
    })
  }

  /** The port that is listened on: of use where 0 was asked for. */
  get port(): number | undefined {
    const address = this.#server?.address() as AddressInfo | null | undefined
    return address?.port
  }

  /** Ends all connections; may be called again. */
  async stop(): Promise<void> {
    await close(this.#server)
    this.#server = undefined
  }

  #routes(): Routes {
    const { health, metrics, readiness, api } = this.#options
    return {
      ...pageRoutes(),
      ...api,
      '/metrics': async (): Promise<Answer> => {
        const { contentType, text } = await metrics.expose()
        return { status: 200, body: text, contentType }
      },
      '/health': (): Answer => ({
        status: 200,
        body: { status: health.status, problems: health.problems() },
      }),
      '/ready': (): Answer => {
        const reasons = readiness()
        const isReady = reasons.length === 0
        return { status: isReady ? 200 : 503, body: { ready: isReady, reasons } }
      },
    }
  }
}

/** Closes a server; answers that are being given have `graceMs` to end. */
export async function close(server: Server | undefined, graceMs = 0): Promise<void> {
  if (server?.listening !== true) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
