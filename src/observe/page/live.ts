/** Changes as they pass: server-sent events, connected again when they end, and only while somebody looks. */
import type { ChangeEvent, OverviewAnswer } from '../api.js'

export interface LiveListeners {
  /** The stream stands, for the first time or again: all that is shown has to be read anew. */
  readonly connected: () => void
  /** It ended, or never stood; it is tried again. */
  readonly disconnected: () => void
  readonly changed: (change: ChangeEvent) => void
  readonly overview: (overview: OverviewAnswer) => void
}

const firstRetryMs = 1_000
const longestRetryMs = 15_000
/** A stream over a network that went away says nothing: the bridge is asked whether it is still there. */
const probeMs = 15_000
const probeLimitMs = 10_000

export class Live {
  readonly #listeners: LiveListeners
  #source: EventSource | undefined
  #retryMs = firstRetryMs
  #retry: ReturnType<typeof setTimeout> | undefined
  #probe: ReturnType<typeof setInterval> | undefined

  constructor(listeners: LiveListeners) {
    this.#listeners = listeners
  }

  /** Connects; a page that is hidden holds no connection, for a browser has only six to one server. */
  start(): void {
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.#close()
      else this.#connect()
    })
    if (!document.hidden) this.#connect()
  }

  #connect(): void {
    this.#close()
    const source = new EventSource('api/events')
    this.#source = source
    source.addEventListener('open', () => {
      this.#retryMs = firstRetryMs
      this.#probe = setInterval(() => void this.#ask(), probeMs)
      this.#listeners.connected()
    })
    source.addEventListener('error', () => this.#lose())
    source.addEventListener('lost', () => this.#listeners.connected())
    source.addEventListener('change', ({ data }: MessageEvent<string>) =>
      this.#listeners.changed(JSON.parse(data) as ChangeEvent),
    )
    source.addEventListener('overview', ({ data }: MessageEvent<string>) =>
      this.#listeners.overview(JSON.parse(data) as OverviewAnswer),
    )
  }

  async #ask(): Promise<void> {
    const source = this.#source
    try {
      const response = await fetch('ready', { signal: AbortSignal.timeout(probeLimitMs) })
      await response.arrayBuffer()
    } catch {
      if (source !== undefined && source === this.#source) this.#lose()
    }
  }

  #lose(): void {
    this.#close()
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs)
    this.#retryMs = Math.min(2 * this.#retryMs, longestRetryMs)
    this.#listeners.disconnected()
  }

  #close(): void {
    clearTimeout(this.#retry)
    clearInterval(this.#probe)
    this.#source?.close()
    this.#source = undefined
  }
}
