import type { Refused } from '../bridge/commands.js'
import { DecodeError, type DecodeReason } from '../nodes/strict.js'
import type { Log } from '../xmpp/connection.js'

/** Adds one to a counter. */
export type Count = (counter: string, labels?: Readonly<Record<string, string>>) => void

/** Told of each thing that is refused, for whoever looks at the last of them. */
export type OnRefused = (refused: Refused) => void

/** So many different peers are remembered as complained of; a flood of names cannot grow it. */
const mostComplaints = 1000

/** Counts what peers sent and was dropped, and logs it once per kind and peer. */
export class Refusals {
  private readonly told = new Set<string>()

  constructor(
    private readonly log: Log,
    private readonly count: Count,
    private readonly onRefused: OnRefused = () => undefined,
  ) {}

  /** Runs a decoder; `undefined` where what it read was refused. `peer` is who is to blame, as far as is known. */
  decode<Value>(peer: string, read: () => Value): Value | undefined {
    try {
      return read()
    } catch (error) {
      if (!this.note(peer, error)) throw error
      return undefined
    }
  }

  /** Counts and logs a `DecodeError`, for who has to pass it on; `false` for any other error. */
  note(peer: string, error: unknown): boolean {
    if (!(error instanceof DecodeError)) return false
    this.refuse(error.kind, error.reason, peer, error.message)
    return true
  }

  refuse(
    kind: string,
    reason: DecodeReason | 'service' | 'publisher' | 'size',
    peer: string,
    message: string,
  ): void {
    this.count('refused_items', { kind, reason })
    this.onRefused({ what: kind, from: peer, reason: message })
    const complaint = `${kind} ${peer}`
    if (this.told.has(complaint) || this.told.size >= mostComplaints) return
    this.told.add(complaint)
    this.log.warn({ peer, kind, reason, detail: message }, 'refused what a peer sent')
  }
}
