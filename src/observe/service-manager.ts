/** What systemd is told: started, alive, how it stands, stopping. Source: sd_notify(3), systemd.service(5). */
import { createRequire } from 'node:module'

/** Sends newline-separated assignments such as `READY=1`. */
export type Notify = (state: string) => void

/** What the service says of itself at each beat. */
export interface Pulse {
  /** Its queue was empty after all that is due was done: without that the watchdog is left to bite. */
  readonly isMoving: boolean
  /** One line for `systemctl status`. */
  readonly status: string
}

/** The longest time between two beats, ms: so old is what `systemctl status` shows at most. */
const longestBeatMs = 10_000

export class ServiceManager {
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly notify: Notify,
    /** Time between two beats, ms; undefined where nobody listens. */
    private readonly beatMs: number | undefined,
  ) {}

  /** Says that the service has started, and from then on with every beat that it moves. */
  started(takePulse: () => Pulse): void {
    if (this.beatMs === undefined || this.#timer !== undefined) return
    this.notify(`READY=1\n${statement(takePulse())}`)
    this.#timer = setInterval(() => this.notify(statement(takePulse())), this.beatMs)
  }

  /** Says that the service stops; no beat comes after it. May be called again. */
  stopping(): void {
    clearInterval(this.#timer)
    if (this.beatMs !== undefined) this.notify('STOPPING=1\nSTATUS=stopping')
  }
}

/**
 * The service manager that `NOTIFY_SOCKET` names, or one that hears nothing where there is none. Beats come at half the
 * time of its watchdog (sd_watchdog_enabled(3)). Throws an Error with the remedy where it cannot be told: systemd would
 * end a service that it takes for never started.
 */
export function findServiceManager(
  environment: NodeJS.ProcessEnv,
  load: () => Notify = loadLibsystemd,
): ServiceManager {
  if (!environment['NOTIFY_SOCKET']) return new ServiceManager(() => undefined, undefined)
  const { WATCHDOG_USEC: watchdogUs, WATCHDOG_PID: watchedPid = `${process.pid}` } = environment
  const isWatched = Number(watchdogUs) > 0 && Number(watchedPid) === process.pid
  const beatMs = isWatched ? Number(watchdogUs) / 2_000 : longestBeatMs
  return new ServiceManager(load(), Math.min(beatMs, longestBeatMs))
}

/**
 * `sd_notify` of systemd's own library: Node.js has no datagram sockets of Unix, and a `systemd-notify` for each beat would
 * be a fork of the whole process.
 */
function loadLibsystemd(): Notify {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const sdNotify = koffi.load('libsystemd.so.0').func('sd_notify', 'int', ['int', 'str'])
    return (state) => void sdNotify(0, state)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.split('\n')[0] : String(cause)
    throw new Error(
      `failed to find systemd's sd_notify: ${reason}; install libsystemd.so.0 and the optional npm package koffi, ` +
        'or set Type=exec and WatchdogSec=0 in a drop-in of the unit',
      { cause },
    )
  }
}

function statement({ isMoving, status }: Pulse): string {
  return `STATUS=${status.replaceAll('\n', ' ')}${isMoving ? '\nWATCHDOG=1' : ''}`
}
