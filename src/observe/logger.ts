import { type DestinationStream, type Level, levels, type Logger, pino } from 'pino'
import { StormGate } from './storm.js'

export interface LogOptions {
  readonly level: Level
  /** Standard output by default, written synchronously: the last line before a crash counts most. */
  readonly destination?: DestinationStream
  /** How many of one line in how long are printed. */
  readonly storm?: { readonly most: number; readonly windowMs: number }
}

/** The root logger and what a running process may change of it. */
export interface Log {
  readonly logger: Logger
  /** Sets the level of this logger and all its children, those that exist too. */
  readonly setLevel: (level: Level) => void
  /** Tells what a storm has held back so far. */
  readonly flush: () => void
}

/** Fields that hold a secret, wherever a caller may have put them. */
const secretFields = ['password', 'secret', 'authorization', 'response']

/**
 * Sets up pino: JSON lines, secrets redacted, a storm of the same line counted rather than printed. Lines are the same if
 * level and message are; what varies belongs into fields.
 */
export function createLog({ level, destination, storm }: LogOptions): Log {
  let least = levels.values[level] ?? levels.values['info'] ?? 0
  const gate = new StormGate({
    most: storm?.most ?? 20,
    windowMs: storm?.windowMs ?? 10_000,
    repeated: (line, times) => {
      const [name, ...message] = line.split(' ')
      logger.warn({ times, of: message.join(' '), ofLevel: name }, repeatedMessage)
    },
  })
  const logger = pino(
    {
      // pino copies the level into each child when it is made; so all pass here and the hook decides.
      level: 'trace',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[secret]',
      },
      hooks: {
        logMethod(inputs, method, number) {
          if (number < least) return
          const message = messageOf(inputs)
          const isCounted = message !== repeatedMessage
          if (isCounted && !gate.admits(`${levels.labels[number] ?? ''} ${message}`)) return
          method.apply(this, inputs)
        },
      },
    },
    destination ?? standardOutput(),
  )
  return {
    logger,
    setLevel: (next) => {
      least = levels.values[next] ?? least
    },
    flush: () => gate.flush(),
  }
}

/** What a full disk, or a reader that has gone, does not take is kept to this and then dropped: the log must not end the bridge. */
const mostUnwritten = 1_048_576

function standardOutput(): DestinationStream {
  const output = pino.destination({ fd: 1, sync: true, maxLength: mostUnwritten })
  output.on('error', () => undefined)
  return output
}

const repeatedMessage = 'a line was repeated and not printed each time'

function messageOf(inputs: readonly unknown[]): string {
  const [first, second] = inputs
  if (typeof first === 'string') return first
  if (typeof second === 'string') return second
  return first instanceof Error ? first.message : ''
}
