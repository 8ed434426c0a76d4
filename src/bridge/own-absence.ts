/**
 * How long this member was out of touch: where the server was away for `stale_after` the peers' device states are withdrawn here
 * (rule 23). The stream is away for some seconds more, for so long it takes to find a server that is back. A stream that comes and goes within seconds gives no chance to follow anybody, so it is no end of that:
 * only a peer that is in sync again is, or a stream that lasts.
 */
import type { Context, LivenessSettings } from './context.js'
import type { Peer } from './peer.js'

const steadyTimer = 'own-steady'
/** A server that is back is found so soon, ms: the XMPP edge tries one that it cannot reach at least that often. */
const findMs = 5_000

/** So long without the stream, ms, the server has been away for `stale_after`. */
export function absentAfterMs({ staleAfterMs, graceMs }: LivenessSettings): number {
  return staleAfterMs + findMs + graceMs
}

export class OwnAbsence {
  readonly #since = new Set<string>()
  /** Out of touch for `stale_after` when the stream was just back: it is stale if the stream ends again before a sync. */
  readonly #due = new Set<string>()
  #isStreamUp = true

  constructor(
    private readonly context: Context,
    private readonly onStale: (peer: Peer) => void,
  ) {}

  begin(peers: Iterable<Peer>): void {
    const { agenda, nowMs, settings } = this.context
    agenda.cancel(steadyTimer)
    this.#isStreamUp = false
    for (const peer of peers) {
      if (this.#due.delete(peer.jid)) this.onStale(peer)
      if (this.#since.has(peer.jid)) continue
      this.#since.add(peer.jid)
      agenda.set(timer(peer.jid), nowMs + absentAfterMs(settings.liveness), () => {
        if (this.#isStreamUp) this.#due.add(peer.jid)
        else this.onStale(peer)
      })
    }
  }

  /** The stream is back. */
  pause(): void {
    const { agenda, nowMs, settings } = this.context
    this.#isStreamUp = true
    agenda.set(steadyTimer, nowMs + settings.liveness.heartbeatMs, () => {
      for (const jid of this.#since) this.endFor(jid)
    })
  }

  /** That peer is in sync again, or gone. */
  endFor(jid: string): void {
    this.#since.delete(jid)
    this.#due.delete(jid)
    this.context.agenda.cancel(timer(jid))
  }
}

function timer(jid: string): string {
  return `own-stale:${jid}`
}
