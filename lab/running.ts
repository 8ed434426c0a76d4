/** Child processes of the lab: started directly, logged to a file, stopped by PID, and never left behind. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, watch } from 'node:fs'
import { connect } from 'node:net'
import { basename, dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface RunOptions {
  /** For error messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd: string
  /** Takes stdout and stderr; appended to. */
  readonly logFile: string
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One child process. */
export class Running {
  readonly pid: number
  readonly exited: Promise<Exit>
  /** Length of the log before this process wrote to it. */
  readonly logStart: number
  #exit: Exit | undefined

  constructor(
    readonly options: RunOptions,
    private readonly child: ChildProcess,
    logStart: number,
  ) {
    this.logStart = logStart
    if (child.pid === undefined) throw new Error(`failed to start ${options.name}`)
    this.pid = child.pid
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
  }

  get isRunning(): boolean {
    return this.#exit === undefined
  }

  /** Sends a signal to this process only. */
  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** SIGTERM, and SIGKILL after `graceMs`; does nothing when it has already ended. */
  async stop(graceMs = 5_000): Promise<Exit> {
    this.child.kill('SIGTERM')
    const timer = setTimeout(() => this.child.kill('SIGKILL'), graceMs)
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(): Promise<Exit> {
    this.child.kill('SIGKILL')
    return this.exited
  }

  /** Waits until the process accepts TCP connections on a loopback port; throws when it ends or time runs out. */
  async answersTcp(port: number, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await isAnswering(port))) {
      if (!this.isRunning) throw this.failure('ended')
      if (performance.now() > deadline) throw this.failure(`does not answer on port ${port}`)
      await delay(25) // a port that opens has no event to wait for
    }
  }

  /** Waits until what this process logs, or the log from `start` on, matches; throws when the process ends or time runs out. */
  async logs(pattern: RegExp, timeoutMs = 30_000, start = this.logStart): Promise<RegExpExecArray> {
    const ended = new AbortController()
    void this.exited.then(() => ended.abort(this.failure('ended')))
    return awaitFile(
      this.options.logFile,
      (text) => pattern.exec(text.slice(start)) ?? undefined,
      timeoutMs,
      ended.signal,
    )
  }

  private failure(what: string): Error {
    const log = readText(this.options.logFile).trimEnd().split('\n').slice(-15).join('\n')
    return new Error(`${this.options.name} ${what}; ${this.options.logFile} ends with:\n${log}`)
  }
}

/**
 * Starts a program. The kernel kills it when this process ends, also when that is by SIGKILL (`PR_SET_PDEATHSIG`,
 * prctl(2)); it leads its own session, so that ^C in a terminal reaches only this process, which then stops it in order.
 * The programs that `command` execs keep the PID; those that it forks are its own to end.
 */
export function run(options: RunOptions): Running {
  const logStart = readText(options.logFile).length
  const log = openSync(options.logFile, 'a')
  try {
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', options.command, ...options.args],
      {
        cwd: options.cwd,
        env: { ...process.env, ...options.env },
        detached: true,
        stdio: ['ignore', log, log],
      },
    )
    child.on('error', () => undefined) // no PID: the constructor says so
    return new Running(options, child, logStart)
  } finally {
    closeSync(log)
  }
}

function isAnswering(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      settle(true)
    })
    socket.once('error', () => settle(false))
  })
}

/** Waits until `read` finds something in a file, looking again whenever the file changes; it need not exist yet. */
export function awaitFile<T>(
  path: string,
  read: (text: string) => T | undefined,
  timeoutMs: number,
  ended?: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const found = read(readText(path))
      if (found === undefined) return
      close()
      resolve(found)
    }
    const fail = (cause: unknown): void => {
      close()
      reject(cause instanceof Error ? cause : new Error(String(cause)))
    }
    const watcher = watch(dirname(path), (_event, name) => {
      if (name === null || name === basename(path)) look()
    })
    const onEnded = (): void => {
      look()
      fail(ended?.reason)
    }
    const timer = setTimeout(() => {
      fail(
        new Error(
          `nothing found in ${path} within ${timeoutMs} ms:\n${readText(path).slice(-3000)}`,
        ),
      )
    }, timeoutMs)
    const close = (): void => {
      clearTimeout(timer)
      watcher.close()
      ended?.removeEventListener('abort', onEnded)
    }
    ended?.addEventListener('abort', onEnded)
    look()
    if (ended?.aborted === true) onEnded()
  })
}

/** The text of a file, empty while it does not exist. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
