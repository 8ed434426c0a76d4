import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { findServiceManager, type Pulse } from '../../src/observe/service-manager.js'

const inSync = (): Pulse => ({ isMoving: true, status: 'in sync' })

function find(environment: NodeJS.ProcessEnv) {
  const sent: string[] = []
  const manager = findServiceManager({ NOTIFY_SOCKET: '/run/notify', ...environment }, () => {
    return (state) => sent.push(state)
  })
  return { manager, sent }
}

describe('the service manager', () => {
  beforeEach(() => vi.useFakeTimers())
  afterEach(() => vi.useRealTimers())

  it('is told nothing where NOTIFY_SOCKET names none, and no helper is started', () => {
    const load = vi.fn()
    const manager = findServiceManager({ WATCHDOG_USEC: '30000000' }, load)
    manager.started(inSync)
    manager.stopping()
    expect(load).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('hears the start, a sign of life at least at half the time of its watchdog, and the stop', () => {
    const { manager, sent } = find({ WATCHDOG_USEC: '8000000', WATCHDOG_PID: `${process.pid}` })
    manager.started(inSync)
    vi.advanceTimersByTime(8_000)
    manager.stopping()
    vi.advanceTimersByTime(60_000)
    expect(sent).toEqual([
      'READY=1\nSTATUS=in sync\nWATCHDOG=1',
      'STATUS=in sync\nWATCHDOG=1',
      'STATUS=in sync\nWATCHDOG=1',
      'STOPPING=1\nSTATUS=stopping',
    ])
  })

  it('hears no sign of life while the queue stands, but what is wrong', () => {
    const { manager, sent } = find({ WATCHDOG_USEC: '8000000' })
    let pulse = inSync()
    manager.started(() => pulse)
    pulse = { isMoving: false, status: 'not in sync: Asterisk\ndoes not answer' }
    vi.advanceTimersByTime(4_000)
    expect(sent.slice(1)).toEqual(['STATUS=not in sync: Asterisk does not answer'])
    manager.stopping()
  })

  it.each([
    ['without a watchdog', {}],
    ['where the watchdog is another process’s', { WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' }],
    ['where the watchdog is patient', { WATCHDOG_USEC: '600000000' }],
  ])('hears the status every 10 s %s', (_where, environment) => {
    const { manager, sent } = find(environment)
    manager.started(inSync)
    vi.advanceTimersByTime(20_000)
    expect(sent).toHaveLength(3)
    manager.stopping()
  })

  it('that cannot be told is an error with the remedy before anything starts', () => {
    expect(() =>
      findServiceManager({ NOTIFY_SOCKET: '/run/notify', PATH: '/nowhere:/dev' }),
    ).toThrow(
      'failed to find systemd-notify in PATH: install it (it is part of systemd), or set Type=exec and WatchdogSec=0',
    )
  })
})
