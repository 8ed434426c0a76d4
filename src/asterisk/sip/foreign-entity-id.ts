/** Asterisk publishes under another EID than the bridge's: told to the administrator, and taken where it was only learnt. */
import type { EntityId } from '../../bridge/state.js'
import type { Clock, Timer } from './clock.js'

/** Raises the health error under that key, or clears it where no text is given. */
export type Health = (key: string, text?: string) => void

export interface ForeignEntityIdPorts {
  readonly clock: Clock
  readonly own: () => EntityId | undefined
  /** A configured EID is never given up. */
  readonly isConfigured: boolean
  readonly health: Health
  /** Asterisk's EID was learnt, and has been this one since. */
  readonly onMoved: (to: EntityId) => void
}

/** Only another EID and nothing under the own one for this long: Asterisk has moved. */
export const settleMs = 5_000
/** The own EID again, and no other for this long: the trouble is over. */
export const quietMs = 60_000

/** Judges a change of Asterisk's EID, which it takes up at a restart, from the bodies that come. */
export class ForeignEntityId {
  private candidate: EntityId | undefined
  private timer: Timer | undefined

  constructor(private readonly ports: ForeignEntityIdPorts) {}

  /** An authenticated body came under an EID that is not the own. */
  heardForeign(eid: EntityId): void {
    const { ports } = this
    if (this.candidate === eid) return
    ports.health('foreign-eid', this.describe(eid))
    // With two that alternate (somebody else publishes through the same port) neither is believed.
    this.timer?.cancel()
    this.candidate = eid
    if (ports.isConfigured) return
    this.timer = ports.clock.after(settleMs, () => ports.onMoved(eid))
  }

  /** An authenticated body came under the own EID. */
  heardOwn(): void {
    if (this.candidate === undefined) return
    this.candidate = undefined
    this.timer?.cancel()
    this.timer = this.ports.clock.after(quietMs, () => this.ports.health('foreign-eid'))
  }

  stop(): void {
    this.timer?.cancel()
  }

  private describe(eid: EntityId): string {
    const own = this.ports.own() ?? 'none'
    const said = `Asterisk publishes under the EID ${eid}, and the bridge runs under ${own}`
    return this.ports.isConfigured
      ? `${said}: correct asterisk.eid, or entityid in asterisk.conf, and restart what was corrected`
      : `${said}, which it learnt: it starts again under the new one if that stays for ${settleMs / 1_000} s; ` +
          'if both come in turn, set asterisk.eid'
  }
}
