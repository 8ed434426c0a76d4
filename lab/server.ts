/** Start and stop of a server that keeps its configuration, ports and stores from one run to the next. */
import { run, type RunOptions, type Running } from './running.js'

export interface ServerLife {
  readonly running: Running
  start(): Promise<void>
  stop(): Promise<void>
  kill(): Promise<void>
  restart(): Promise<void>
}

/** Each `start` runs the program and waits for `ready`; when that fails the program is killed and the error thrown. */
export class Server implements ServerLife {
  #running: Running | undefined

  constructor(
    private readonly options: RunOptions,
    private readonly ready: (running: Running) => Promise<void>,
  ) {}

  /** The present process, as of the last start. */
  get running(): Running {
    if (this.#running === undefined) throw new Error(`${this.options.name} was never started`)
    return this.#running
  }

  async start(): Promise<void> {
    if (this.#running?.isRunning === true) throw new Error(`${this.options.name} already runs`)
    const running = run(this.options)
    this.#running = running
    try {
      await this.ready(running)
    } catch (error) {
      await running.kill()
      throw error
    }
  }

  async stop(): Promise<void> {
    await this.#running?.stop()
  }

  async kill(): Promise<void> {
    await this.#running?.kill()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }
}
