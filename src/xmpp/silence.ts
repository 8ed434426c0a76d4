/** Finds half-open connections: asks when nothing came for half the limit, gives up when nothing came for all of it. */
export interface SilenceOptions {
  readonly limitMs: number
  /** Sends something that will be answered (XEP-0199). */
  ping(): void
  onSilence(): void
}

/** A timer that comes later than this shows that the process stood still, ms. */
const stallMs = 1_000

export class SilenceDetector {
  private lastReceived = 0
  private timer: NodeJS.Timeout | undefined
  /** When the timer should run. */
  private dueMs = 0
  /** Has the end been put off since something came last? */
  private isPutOff = false

  constructor(private readonly options: SilenceOptions) {}

  start(): void {
    this.received()
    this.schedule(this.options.limitMs / 2)
  }

  stop(): void {
    clearTimeout(this.timer)
  }

  /** Something came, whatever it is. Called for every chunk, so it only notes the time. */
  received(): void {
    this.lastReceived = performance.now()
    this.isPutOff = false
  }

  private schedule(delayMs: number): void {
    this.dueMs = performance.now() + delayMs
    this.timer = setTimeout(() => this.check(), Math.max(1, Math.ceil(delayMs)))
  }

  private check(): void {
    const { limitMs } = this.options
    const silentMs = performance.now() - this.lastReceived
    if (silentMs >= limitMs && this.mayPutOff()) {
      this.isPutOff = true
      this.options.ping()
      this.schedule(limitMs / 2)
      return
    }
    if (silentMs >= limitMs) {
      this.options.onSilence()
      return
    }
    if (silentMs < limitMs / 2) {
      this.schedule(limitMs / 2 - silentMs)
      return
    }
    this.options.ping()
    this.schedule(limitMs - silentMs)
  }

  /** After a stall timers run before the sockets are read, and nothing may have been asked: it is asked and heard first. */
  private mayPutOff(): boolean {
    return !this.isPutOff && performance.now() - this.dueMs > stallMs
  }
}
