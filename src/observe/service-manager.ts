/** What systemd is told: started, alive, how it stands, stopping. Source: sd_notify(3), systemd.service(5). */
import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

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
  load: (environment: NodeJS.ProcessEnv) => Notify = startHelper,
): ServiceManager {
  if (!environment['NOTIFY_SOCKET']) return new ServiceManager(() => undefined, undefined)
  const { WATCHDOG_USEC: watchdogUs, WATCHDOG_PID: watchedPid = `${process.pid}` } = environment
  const isWatched = Number(watchdogUs) > 0 && Number(watchedPid) === process.pid
  const beatMs = isWatched ? Number(watchdogUs) / 2_000 : longestBeatMs
  return new ServiceManager(load(environment), Math.min(beatMs, longestBeatMs))
}

/**
 * Each line is an assignment, an empty one sends those before it. `systemd-notify` waits until systemd has read it, so that
 * its sender is still there to be looked up. The helper outlives SIGTERM, which systemd sends to all of the service, to tell
 * that it stops; it ends with its input.
 */
const helper = `
trap '' TERM INT HUP
set --
while IFS= read -r line; do
  if [ -n "$line" ]; then set -- "$@" "$line"; else systemd-notify "$@"; set --; fi
done`

/**
 * Node.js has no datagram sockets of Unix, and a native addon for one datagram would be more code than all the rest. A small
 * shell that runs `systemd-notify` spares this process, which is large and busy, a fork at each beat. The unit needs
 * `NotifyAccess=all`. Where the helper dies no beat comes any more, and the watchdog bites.
 */
function startHelper({ NOTIFY_SOCKET, PATH }: NodeJS.ProcessEnv): Notify {
  if (!hasProgram('systemd-notify', PATH)) {
    throw new Error(
      'failed to find systemd-notify in PATH: install it (it is part of systemd), or set Type=exec and WatchdogSec=0 in a ' +
        'drop-in of the unit',
    )
  }
  // Nothing else of the environment: a password may be in it.
  const child = spawn('/bin/sh', ['-c', helper], {
    env: { NOTIFY_SOCKET, PATH },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ignore = (): void => undefined
  child.on('error', ignore)
  child.stdin.on('error', ignore)
  child.unref()
  return (state) => void child.stdin.write(`${state}\n\n`)
}

function hasProgram(name: string, path = ''): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

function statement({ isMoving, status }: Pulse): string {
  return `STATUS=${status.replaceAll('\n', ' ')}${isMoving ? '\nWATCHDOG=1' : ''}`
}
