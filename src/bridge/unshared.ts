/** What the own PBX says of devices that are not shared: for whoever asks, and for nothing else. */
import type { DeviceEntry } from './state.js'

/** So many are kept, the last told last: `Local/` devices may have a name for each number that is called. */
const most = 10_000

export class Unshared {
  readonly #entries = new Map<string, DeviceEntry>()

  note(entry: DeviceEntry): void {
    this.#entries.delete(entry.id)
    this.#entries.set(entry.id, entry)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > most && oldest !== undefined) this.#entries.delete(oldest)
  }

  /** It is shared now. */
  remove(id: string): void {
    this.#entries.delete(id)
  }

  get(id: string): DeviceEntry | undefined {
    return this.#entries.get(id)
  }

  /** The PBX (re)started, and says anew what it has. */
  clear(): void {
    this.#entries.clear()
  }
}
