import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { ForgetAnswer } from './api.js'
import { askControl } from './control-client.js'
import { requestTimeouts } from './connections.js'
import { close } from './http.js'
import { respondFrom, type Routes } from './respond.js'

export interface ControlOptions {
  /** Where the socket is made. */
  readonly path: string
  /** Goes for good; resolves when all is withdrawn. */
  readonly leave: () => Promise<void>
  /** Drops what is kept of a member; throws `BadRequest` where it may not be. */
  readonly forget?: (member: string) => Promise<ForgetAnswer>
  /** What `GET /status` answers, as JSON. */
  readonly status: () => unknown
  /** What else is read here: the inspection API. */
  readonly api?: Routes
}

/** How long `stop` waits for answers that are being given: `leave` answers and then ends the process. */
const answerGraceMs = 500

/**
 * HTTP on a Unix socket that only this user may open: `POST /leave` answers when it is done, `POST /forget` and what is read
 * (`GET /status`, the inspection API) at once.
 */
export class ControlServer {
  readonly #options: ControlOptions
  #server: Server | undefined

  constructor(options: ControlOptions) {
    this.#options = options
  }

  /** Listens; a socket file that a crash left behind is replaced, one that answers is another bridge's: an Error. */
  async start(): Promise<void> {
    const { path, leave, forget, status, api } = this.#options
    if ((await askControl(path, 'GET', '/status')) !== undefined) {
      throw new Error(`failed to listen on ${path}: another bridge answers there; stop that one`)
    }
    rmSync(path, { force: true })
    const server = createServer(
      requestTimeouts,
      respondFrom({
        GET: { ...api, '/status': () => ({ status: 200, body: status() }) },
        POST: {
          '/leave': async () => {
            await leave()
            return { status: 200, body: { left: true } }
          },
          ...(forget && {
            '/forget': async (query: URLSearchParams) => ({
              status: 200,
              body: await forget(query.get('member') ?? ''),
            }),
          }),
        },
      }),
    )
    const mask = process.umask(0o177) // the socket must not be open to others even for a moment
    try {
      await new Promise<void>((resolve, reject) => {
        server.once('error', (cause) =>
          reject(new Error(`failed to listen on ${path}: ${cause.message}`, { cause })),
        )
        server.listen(path, resolve)
        process.umask(mask)
      })
    } finally {
      process.umask(mask)
    }
    chmodSync(path, 0o600)
    this.#server = server
  }

  /** Closes the socket once answers that are being given have been; may be called again. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    await close(server, answerGraceMs)
  }
}
