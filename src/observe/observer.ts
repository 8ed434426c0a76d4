import type { Change, ObserveCommand } from '../bridge/commands.js'
import type { Health } from './health.js'
import type { Metrics } from './metrics.js'
import type { RefusalLog } from './refusal-log.js'

/** What of pino's logger is needed here. */
export type LineLogger = Readonly<
  Record<
    'info' | 'warn' | 'error',
    (fields: Readonly<Record<string, unknown>>, message: string) => void
  >
>

export interface ObserverParts {
  readonly logger: LineLogger
  readonly health: Health
  readonly metrics: Metrics
  readonly refusals?: RefusalLog
  /** Told of each change while somebody watches. */
  readonly changed?: (change: Change) => void
  /** Called when `leave` has done all it can, with what it could not. */
  readonly left: (failures: readonly string[]) => void
}

/** Performs what the domain wants watched: log lines, counters, health. */
export class Observer {
  readonly #parts: ObserverParts

  constructor(parts: ObserverParts) {
    this.#parts = parts
  }

  perform(command: ObserveCommand): void {
    const { logger, metrics, left } = this.#parts
    switch (command.do) {
      case 'health':
        this.#setHealth(command.key, command.severity, command.text)
        break
      case 'log':
        logger[command.level](command.fields ?? {}, command.message)
        break
      case 'count':
        metrics.count(command.counter, command.labels, command.by)
        break
      case 'measure':
        metrics.measure(command.histogram, command.value, command.labels)
        break
      case 'refused':
        this.#parts.refusals?.note(command)
        break
      case 'changed':
        this.#parts.changed?.(command.change)
        break
      case 'left':
        left(command.failures)
        break
    }
  }

  /** Health that changes is logged as well, so that the log alone tells the story. */
  #setHealth(key: string, severity: 'warning' | 'error', text: string | undefined): void {
    const { logger, health } = this.#parts
    if (text === undefined) {
      const ended = health.clear(key)
      if (ended !== undefined) logger.info({ problem: key, text: ended.text }, 'problem ended')
    } else if (health.raise(key, severity, text)) {
      logger[severity === 'error' ? 'error' : 'warn']({ problem: key, text }, 'problem')
    }
  }
}
