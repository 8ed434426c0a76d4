import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { runService, type Service } from '../../src/cli/service.js'
import { type Config, ConfigError } from '../../src/config/config.js'
import { createLog } from '../../src/observe/logger.js'
import type { Pulse } from '../../src/observe/service-manager.js'
import { put, scratchFolder } from '../config/scratch.js'

const text = readFileSync(new URL('../../docs/hintbridge.example.yaml', import.meta.url), 'utf8')
const environment = {
  HINTBRIDGE_XMPP_PASSWORD: 'a',
  HINTBRIDGE_SIP_PASSWORD: 'b',
  HINTBRIDGE_SIP_ASTERISK_PASSWORD: 'c',
}

/** A service that notes what is asked of it and ends when told to. */
class Recorded extends EventEmitter implements Service {
  readonly steps: string[] = []
  readonly reloads: Config[] = []
  finish: () => void = () => undefined
  fail: (error: Error) => void = () => undefined
  readonly finished = new Promise<void>((resolve, reject) => {
    this.finish = resolve
    this.fail = reject
  })

  start(): Promise<void> {
    this.steps.push('start')
    return Promise.resolve()
  }

  stop(): Promise<void> {
    this.steps.push('stop')
    return Promise.resolve()
  }

  reload(config: Config): void {
    this.reloads.push(config)
  }

  pulse(): Pulse {
    return { isMoving: true, status: 'in sync' }
  }
}

function run(service: Service = new Recorded(), first = text) {
  const file = put(scratchFolder(), 'hintbridge.yaml', first)
  const signals = new EventEmitter()
  const lines: Record<string, unknown>[] = []
  const logged = new EventEmitter()
  const destination = {
    write: (line: string) => {
      lines.push(JSON.parse(line) as Record<string, unknown>)
      logged.emit('line')
    },
  }
  const ended = runService({
    file,
    environment,
    signals,
    makeService: () => service,
    makeLog: (config) => createLog({ level: config.log.level, destination }),
  })
  const hup = async (changed: string): Promise<void> => {
    put(file.replace(/\/[^/]*$/, ''), 'hintbridge.yaml', changed)
    const said = once(logged, 'line')
    signals.emit('SIGHUP', 'SIGHUP')
    await said
  }
  return { ended, signals, lines, hup }
}

describe('the service', () => {
  it.each(['SIGTERM', 'SIGINT'])(
    'stops cleanly on %s and listens to signals no more',
    async (signal) => {
      const service = new Recorded()
      const { ended, signals } = run(service)
      signals.emit(signal, signal)
      await ended
      expect(service.steps).toEqual(['start', 'stop'])
      expect(signals.eventNames()).toEqual([])
    },
  )

  it('can be stopped while it still starts', async () => {
    const service = new Recorded()
    service.start = () => new Promise(() => undefined)
    const { ended, signals } = run(service)
    signals.emit('SIGTERM', 'SIGTERM')
    await ended
    expect(service.steps).toEqual(['stop'])
  })

  it('ends cleanly when it has left by itself', async () => {
    const service = new Recorded()
    const { ended } = run(service)
    service.finish()
    await ended
    expect(service.steps).toEqual(['start', 'stop'])
  })

  it('stops what stands and rethrows when it cannot start, or fails later', async () => {
    const broken = new Recorded()
    broken.start = () => Promise.reject(new Error('port taken'))
    await expect(run(broken).ended).rejects.toThrow('port taken')
    expect(broken.steps).toEqual(['stop'])
    const failing = new Recorded()
    const { ended } = run(failing)
    failing.fail(new Error('a fault'))
    await expect(ended).rejects.toThrow('a fault')
    expect(failing.steps).toEqual(['start', 'stop'])
  })

  it('does not begin with a bad configuration', async () => {
    const makeService = vi.fn<() => Service>()
    const file = put(scratchFolder(), 'bad.yaml', 'trust: []\n')
    const signals = new EventEmitter()
    await expect(runService({ file, environment, signals, makeService })).rejects.toThrow(
      ConfigError,
    )
    expect(makeService).not.toHaveBeenCalled()
  })
})

describe('SIGHUP', () => {
  it('applies what can be applied, and names it and what needs a restart', async () => {
    const service = new Recorded()
    const { hup, lines, ended, signals } = run(service)
    await hup(text.replace('pbx-*@', 'pbx*@').replace('cluster: asterisk', 'cluster: other'))
    await vi.waitUntil(() => lines.length >= 2)
    expect(service.reloads.map(({ trust, cluster }) => [trust, cluster])).toEqual([
      [['pbx*@example.org'], 'asterisk'],
    ])
    expect(lines).toMatchObject([
      { level: 'info', msg: 'configuration read again', applied: ['trust'] },
      { level: 'warn', settings: ['cluster'], msg: 'these settings changed and need a restart' },
    ])
    signals.emit('SIGTERM', 'SIGTERM')
    await ended
  })

  it('keeps the old configuration where the new one is bad, and lists every problem', async () => {
    const service = new Recorded()
    const { hup, lines, ended, signals } = run(service)
    await hup('trust: []\n')
    expect(service.reloads).toEqual([])
    expect(lines).toMatchObject([
      { level: 'error', msg: 'failed to read the configuration again: the old one stays' },
    ])
    expect(lines[0]?.['problems']).toEqual(
      [
        expect.stringMatching(/^trust \(line 1\): must name at least one/),
        expect.stringMatching(/^xmpp: is required/),
      ].reverse(),
    )
    signals.emit('SIGTERM', 'SIGTERM')
    await ended
  })

  it('a second time names only what changed since the first', async () => {
    const { hup, lines, ended, signals } = run()
    const once = text.replace('pbx-*@', 'pbx*@')
    await hup(once)
    await hup(once.replace('grace: 5s', 'grace: 6s'))
    expect(lines.map(({ applied }) => applied)).toEqual([['trust'], ['liveness.grace']])
    signals.emit('SIGTERM', 'SIGTERM')
    await ended
  })

  it('sets the log level', async () => {
    const quiet = text.replace('level: info', 'level: warn')
    const { hup, lines, ended, signals } = run(new Recorded(), quiet)
    await hup(text)
    expect(lines).toMatchObject([{ level: 'info', applied: ['log.level'] }])
    signals.emit('SIGTERM', 'SIGTERM')
    await ended
  })
})
