import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Secret } from '../../src/config/secret.js'
import { createLog, type LogOptions } from '../../src/observe/logger.js'

/** A log whose lines are kept, parsed. */
function logTo(options: Partial<LogOptions> = {}) {
  const lines: Record<string, unknown>[] = []
  const destination = {
    write: (line: string) => {
      lines.push(JSON.parse(line) as Record<string, unknown>)
    },
  }
  return { ...createLog({ level: 'info', destination, ...options }), lines }
}

describe('the log', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('is JSON lines with level and time', () => {
    const { logger, lines } = logTo()
    vi.setSystemTime(0)
    logger.child({ pbx: 'a' }).info({ peer: 'b' }, 'peer joined')
    expect(lines).toEqual([
      { level: 'info', time: '1970-01-01T00:00:00.000Z', pbx: 'a', peer: 'b', msg: 'peer joined' },
    ])
  })

  it('takes a new level for children that exist already', () => {
    const { logger, setLevel, lines } = logTo()
    const child = logger.child({ pbx: 'a' })
    child.debug('one')
    setLevel('debug')
    child.debug('two')
    setLevel('error')
    child.warn('three')
    expect(lines.map(({ msg }) => msg)).toEqual(['two'])
  })

  it('shows no secret, wrapped or not', () => {
    const { logger, lines } = logTo()
    logger.info({ password: 'pw-1', xmpp: { password: 'pw-2' }, key: new Secret('pw-3') }, 'a')
    expect(JSON.stringify(lines)).not.toMatch(/pw-\d/)
    expect(lines).toHaveLength(1)
  })

  it('counts a storm of one line rather than print it, and lets other lines through', () => {
    const { logger, lines } = logTo({ storm: { most: 2, windowMs: 10_000 } })
    for (let turn = 0; turn < 50; turn++) logger.warn({ turn }, 'refused')
    logger.warn('something else')
    logger.info('refused')
    expect(lines.map(({ level, msg }) => `${String(level)} ${String(msg)}`)).toEqual([
      'warn refused',
      'warn refused',
      'warn something else',
      'info refused',
    ])
    vi.advanceTimersByTime(10_000)
    expect(lines.slice(4)).toMatchObject([
      { level: 'warn', times: 48, of: 'refused', ofLevel: 'warn' },
    ])
    logger.warn('refused')
    expect(lines).toHaveLength(6)
  })

  it('tells at the end what it has held back', () => {
    const { logger, flush, lines } = logTo({ storm: { most: 1, windowMs: 10_000 } })
    logger.error('refused')
    logger.error('refused')
    flush()
    flush()
    expect(lines).toHaveLength(2)
    expect(lines[1]).toMatchObject({ times: 1, of: 'refused' })
  })
})
