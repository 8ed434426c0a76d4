/** The domain's timers: what is to be done when, on the clock that the events bring. One entry a name. */
export class Agenda {
  readonly #entries = new Map<string, { readonly atMs: number; readonly run: () => void }>()
  /** Not later than the earliest entry; may be earlier after a cancellation. */
  #nextMs = Infinity

  /** Does `run` at `atMs`; an entry of that name is replaced. */
  set(name: string, atMs: number, run: () => void): void {
    this.#entries.set(name, { atMs, run })
    if (atMs < this.#nextMs) this.#nextMs = atMs
  }

  cancel(name: string): void {
    this.#entries.delete(name)
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** When to call `runDue` next, in ms of the caller's clock; `Infinity` where nothing waits. */
  get nextMs(): number {
    return this.#entries.size === 0 ? Infinity : this.#nextMs
  }

  /** Does all that is due at `nowMs`, in order of time. */
  runDue(nowMs: number): void {
    if (nowMs < this.#nextMs) return
    const due = [...this.#entries].filter(([, entry]) => entry.atMs <= nowMs)
    due.sort(([, a], [, b]) => a.atMs - b.atMs)
    for (const [name, entry] of due) {
      // An earlier one may have cancelled or replaced it.
      if (this.#entries.get(name) !== entry) continue
      this.#entries.delete(name)
      entry.run()
    }
    this.#nextMs = Infinity
    for (const entry of this.#entries.values()) {
      if (entry.atMs < this.#nextMs) this.#nextMs = entry.atMs
    }
  }
}
