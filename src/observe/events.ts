/** Server-sent events of what passes, for whoever listens. Source: WHATWG HTML, section "Server-sent events". */
import type { ServerResponse } from 'node:http'
import type { Change } from '../bridge/commands.js'
import { wordOf } from '../bridge/inspection-views.js'
import type { ApiEvents, ChangeEvent, OverviewAnswer } from './api.js'
import { matcher } from './pattern.js'
import type { Answer, Stream } from './respond.js'

export interface EventsParts {
  readonly overview: () => OverviewAnswer
  /** What the own Asterisk comes to of a device or mailbox. */
  readonly sum: (kind: Change['kind'], id: string) => string
  /** The first listener came, or the last went: changes are told only meanwhile. */
  readonly onWatched: (isWatched: boolean) => void
}

/** What may wait for a listener that reads slowly, octets; what does not fit is left out, and it is told how much. */
const maxWaitingOctets = 256 * 1024
/** So many may listen at each door: whoever crowds HTTP must not keep the operator out of the control socket. */
const mostListeners = 50
/** The overview is looked at this often, ms … */
const overviewMs = 1_000
/** … and where nothing was sent for so many looks, a comment tells that the connection lives. */
const quietLooks = 15
/** A listener to whom nothing of what waits could be sent for so long, s, does not read. */
const mostStuckSeconds = 30

/** Where a listener comes from. */
export type Door = 'control' | 'http'

interface Listener {
  readonly response: ServerResponse
  readonly door: Door
  readonly matches: (id: string) => boolean
  lost: number
  overview: string
  quiet: number
  /** Seconds since the connection last took a write, while one waits. */
  stuck: number
}

export class Events {
  readonly #parts: EventsParts
  readonly #listeners = new Set<Listener>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: EventsParts) {
    this.#parts = parts
  }

  /** A change passes; called only while somebody listens. */
  changed(change: Change): void {
    let event: ChangeEvent | undefined
    for (const listener of this.#listeners) {
      if (!listener.matches(change.id)) continue
      event ??= this.#eventOf(change)
      send(listener, 'change', event)
    }
  }

  /**
   * The answer to one listener at that door, of the changes whose id matches; the overview comes at once, and whenever it
   * differs. 503 where as many listen there as may.
   */
  listen(pattern: string, door: Door): Stream | Answer {
    const present = [...this.#listeners].filter((listener) => listener.door === door)
    if (present.length >= mostListeners) {
      return { status: 503, body: { error: `${mostListeners} listen already` } }
    }
    return { stream: (response) => this.#add(response, door, matcher(pattern)) }
  }

  /** Ends all; may be called again. */
  stop(): void {
    for (const { response } of this.#listeners) response.end()
  }

  #add(response: ServerResponse, door: Door, matches: Listener['matches']): void {
    const listener: Listener = {
      ...{ response, door, matches, lost: 0 },
      ...{ overview: '', quiet: 0, stuck: 0 },
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    response.on('close', () => this.#remove(listener))
    response.on('error', () => this.#remove(listener))
    this.#listeners.add(listener)
    if (this.#listeners.size === 1) this.#parts.onWatched(true)
    this.#timer ??= setInterval(() => this.#tick(), overviewMs).unref()
    this.#look()
  }

  #remove(listener: Listener): void {
    if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#parts.onWatched(false)
  }

  #tick(): void {
    for (const listener of this.#listeners) {
      // Not `end`: that would wait for what does not go out.
      if (isStuck(listener)) listener.response.destroy()
    }
    this.#look()
  }

  /** Tells those who do not know it what the overview is now. */
  #look(): void {
    const overview = this.#parts.overview()
    const text = JSON.stringify({ ...overview, at: '' })
    for (const listener of this.#listeners) {
      listener.quiet += 1
      if (listener.overview !== text) {
        if (send(listener, 'overview', overview)) listener.overview = text
      } else if (listener.quiet >= quietLooks) {
        listener.quiet = 0
        write(listener, ': still here\n\n')
      }
    }
  }

  #eventOf({ eid, jid, name, isOwn, kind, id, before, after, delayMs }: Change): ChangeEvent {
    return {
      at: new Date().toISOString(),
      kind,
      id,
      eid,
      jid,
      name,
      isOwn,
      ...(before && { before: wordOf(before) }),
      ...(after && { after: wordOf(after) }),
      sum: this.#parts.sum(kind, id),
      ...(delayMs !== undefined && { delayMs }),
    }
  }
}

/** Sends an event, unless too much waits already; says whether it did. */
function send<Name extends keyof ApiEvents>(
  listener: Listener,
  name: Name,
  event: ApiEvents[Name],
): boolean {
  const { response } = listener
  if (response.writableLength > maxWaitingOctets) {
    listener.lost += 1
    return false
  }
  listener.quiet = 0
  if (listener.lost > 0) {
    write(listener, frame('lost', { events: listener.lost }))
    listener.lost = 0
  }
  write(listener, frame(name, event))
  return true
}

function write(listener: Listener, text: string): void {
  listener.response.write(text, () => (listener.stuck = 0))
}

/** Has the connection taken nothing of what waits for too long? Called once a second. */
function isStuck(listener: Listener): boolean {
  listener.stuck = listener.response.writableLength > 0 ? listener.stuck + 1 : 0
  return listener.stuck > mostStuckSeconds
}

function frame(name: string, event: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(event)}\n\n`
}
