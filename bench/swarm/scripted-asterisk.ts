/** An Asterisk that is none: it has devices, dumps them when asked, takes what it is given, and answers at once. */
import type { AsteriskCommand } from '../../src/bridge/commands.js'
import type { AsteriskEvent } from '../../src/bridge/events.js'
import type { DeviceState, EntityId, StateEntry } from '../../src/bridge/state.js'

export class ScriptedAsterisk {
  readonly #states = new Map<string, StateEntry>()
  #onInjected: (eid: EntityId, entry: StateEntry) => void = () => undefined

  constructor(
    names: readonly string[],
    private readonly post: (event: AsteriskEvent) => void,
  ) {
    for (const id of names) this.#states.set(id, device(id, 'NOT_INUSE'))
  }

  /** Is told of all that is injected from now on. */
  watch(onInjected: (eid: EntityId, entry: StateEntry) => void): void {
    this.#onInjected = onInjected
  }

  start(): void {
    this.post({ type: 'AsteriskFound' })
  }

  change(id: string, state: DeviceState): void {
    const entry = device(id, state)
    this.#states.set(id, entry)
    this.post({ type: 'StateReported', entry })
  }

  /** Answers come in a later turn, as from a socket. */
  perform(command: AsteriskCommand): void {
    switch (command.do) {
      case 'refresh':
        setImmediate(() => {
          if (command.kind === 'device_state') {
            for (const entry of this.#states.values()) this.post({ type: 'StateReported', entry })
          }
          this.post({ ...command, type: 'RefreshAnswered' })
        })
        return
      case 'fence':
        setImmediate(() => this.post({ ...command, type: 'FenceReturned' }))
        return
      case 'inject':
        setImmediate(() => {
          this.#onInjected(command.eid, command.entry)
          this.post({ type: 'InjectionAnswered', lane: command.lane })
        })
    }
  }
}

function device(id: string, state: DeviceState): StateEntry {
  return { kind: 'device_state', id, state, cachable: true }
}
