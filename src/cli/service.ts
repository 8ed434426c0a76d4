import { setImmediate } from 'node:timers/promises'
import { type Config, ConfigError, formatProblem } from '../config/config.js'
import { type LoadedConfig, loadConfig } from '../config/load.js'
import { planReload } from '../config/reload.js'
import type { SignalHandler, SignalName } from '../early-signals.js'
import { createLog, type Log } from '../observe/logger.js'
import { findServiceManager, type Pulse } from '../observe/service-manager.js'

/** What runs: the daemon, or a stand-in in tests. */
export interface Service {
  start(): Promise<void>
  /** Ends the streams without a word to the peers (rule 24); may be called again. */
  stop(): Promise<void>
  /** Takes a configuration that differs only in what may change at run time. */
  reload(config: Config): void | Promise<void>
  /** How it stands; asked for at each beat of the service manager's watchdog. */
  pulse(): Pulse
  /** Settles when the service ends by itself: it has left, or it failed. */
  readonly finished: Promise<void>
}

/** What tells of signals: `process`, or what has heard them before. */
export interface Signals {
  on(signal: SignalName, handler: SignalHandler): unknown
  off(signal: SignalName, handler: SignalHandler): unknown
}

export interface ServiceOptions {
  readonly file: string
  readonly environment: NodeJS.ProcessEnv
  /** Where SIGTERM, SIGINT and SIGHUP are heard. */
  readonly signals: Signals
  readonly makeService: (config: Config, log: Log) => Service
  readonly makeLog?: (config: Config) => Log
}

/**
 * Runs the service until a signal stops it or it ends by itself; throws ConfigError where the configuration is bad and
 * whatever the service failed with.
 */
export async function runService(options: ServiceOptions): Promise<void> {
  const { file, environment, signals, makeService } = options
  const loaded = loadConfig(file, environment)
  const log = options.makeLog?.(loaded.config) ?? createLog({ level: loaded.config.log.level })
  warn(log, loaded)
  const manager = findServiceManager(environment)
  const service = makeService(loaded.config, log)
  const reload = makeReload(options, loaded.config, service, log)
  let stop: (signal: string) => void = () => undefined
  const stopped = new Promise<string>((resolve) => (stop = resolve))

  const handlers = [
    ['SIGTERM', stop],
    ['SIGINT', stop],
    ['SIGHUP', reload],
  ] as const
  for (const [signal, handler] of handlers) signals.on(signal, handler)
  try {
    const ended = service.start().then(() => {
      manager.started(() => service.pulse())
      return service.finished
    })
    const signal = await Promise.race([stopped, ended])
    if (signal !== undefined) log.logger.info({ signal }, 'stopping')
  } finally {
    manager.stopping()
    try {
      await service.stop()
    } finally {
      for (const [signal, handler] of handlers) signals.off(signal, handler)
      log.flush()
    }
  }
}

/** Makes the handler of SIGHUP; reloads happen one after the other, and signals that come together are one. */
function makeReload(
  { file, environment }: ServiceOptions,
  first: Config,
  service: Service,
  log: Log,
): () => void {
  let running = first
  const reload = async (): Promise<void> => {
    try {
      const fresh = loadConfig(file, environment)
      const { config, applied, restartNeeded } = planReload(running, fresh.config)
      await service.reload(config)
      running = config
      log.setLevel(config.log.level)
      warn(log, fresh)
      log.logger.info({ applied }, 'configuration read again')
      if (restartNeeded.length > 0) {
        log.logger.warn({ settings: restartNeeded }, 'these settings changed and need a restart')
      }
    } catch (error) {
      const problems = error instanceof ConfigError ? error.problems.map(formatProblem) : undefined
      const reason = error instanceof Error ? error.message : String(error)
      log.logger.error(
        { file, ...(problems === undefined ? { reason } : { problems }) },
        'failed to read the configuration again: the old one stays',
      )
    }
  }
  let last = Promise.resolve()
  let isComing = false
  return () => {
    if (isComing) return
    isComing = true
    last = last.then(async () => {
      await setImmediate()
      isComing = false
      await reload()
    })
  }
}

function warn(log: Log, { warnings }: LoadedConfig): void {
  for (const warning of warnings) {
    log.logger.warn({ setting: warning.path, advice: formatProblem(warning) }, 'configuration')
  }
}
