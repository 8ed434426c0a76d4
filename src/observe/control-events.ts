import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'
import type { ErrorAnswer } from './api.js'
import { socketError } from './control-client.js'

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** Longer than any event of the bridge: what has no end is not gathered for ever. */
const maxEventLength = 16 * 2 ** 20

/**
 * Follows server-sent events on a control socket until the bridge ends them or the signal is aborted; `false` where no bridge
 * runs. Rejects where one does but does not serve them.
 */
export function followControl(
  socketPath: string,
  path: string,
  onEvent: (event: ServerSentEvent) => void,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false, signal }, (response) => {
      const parser = new EventParser(onEvent)
      response.setEncoding('utf8')
      if (response.statusCode !== 200) {
        void failureOf(response, path).then(reject)
        return
      }
      response.on('data', (text: string) => parser.take(text))
      response.on('close', () => resolve(true))
      // An end without a word is an end.
      response.on('error', () => resolve(true))
    })
    asked.on('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) resolve(true)
      else if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(false)
      else reject(socketError(socketPath, error))
    })
    asked.end()
  })
}

/** The bridge's own reason, where its answer gives one. */
async function failureOf(response: IncomingMessage, path: string): Promise<Error> {
  const status = response.statusCode ?? 0
  try {
    const { error } = (await json(response)) as Partial<ErrorAnswer>
    if (typeof error === 'string') return new Error(`the bridge answers ${status}: ${error}`)
  } catch {
    // A body without a reason is what the status alone says.
  }
  return new Error(`the bridge answers ${status} to ${path}`)
}

/** Takes the stream apart. Source: WHATWG HTML, "Interpreting an event stream"; the bridge sends one data line an event. */
class EventParser {
  #rest = ''

  constructor(private readonly onEvent: (event: ServerSentEvent) => void) {}

  take(text: string): void {
    this.#rest += text
    const frames = this.#rest.split('\n\n')
    this.#rest = frames.pop() ?? ''
    if (this.#rest.length > maxEventLength) throw new Error('an event without an end')
    for (const frame of frames) {
      const lines = frame.split('\n')
      const field = (name: string): string | undefined =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const [event, data] = [field('event'), field('data')]
      if (event !== undefined && data !== undefined) this.onEvent({ event, data })
    }
  }
}
