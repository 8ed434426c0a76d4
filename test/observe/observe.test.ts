import { describe, expect, it } from 'vitest'
import { Health } from '../../src/observe/health.js'
import { Metrics } from '../../src/observe/metrics.js'
import { Observer } from '../../src/observe/observer.js'

/** An observer whose log lines and end are kept. */
function observe() {
  const lines: unknown[][] = []
  const line =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void => {
      lines.push([level, message, fields])
    }
  const health = new Health()
  const metrics = new Metrics({ snapshot: () => [], help: { refused_items: 'Items refused' } })
  const left: (readonly string[])[] = []
  const observer = new Observer({
    logger: { info: line('info'), warn: line('warn'), error: line('error') },
    health,
    metrics,
    left: (failures) => left.push(failures),
  })
  return { observer, health, metrics, lines, left }
}

describe('the observer', () => {
  it('logs what the domain says, with its fields', () => {
    const { observer, lines } = observe()
    observer.perform({
      to: 'observe',
      do: 'log',
      level: 'info',
      message: 'peer joined',
      fields: { peer: 'b' },
    })
    observer.perform({ to: 'observe', do: 'log', level: 'error', message: 'no' })
    expect(lines).toEqual([
      ['info', 'peer joined', { peer: 'b' }],
      ['error', 'no', {}],
    ])
  })

  it('raises, replaces and clears health problems by key, and logs each change once', () => {
    const { observer, health, lines } = observe()
    const raise = (key: string, severity: 'warning' | 'error', text?: string) =>
      observer.perform({
        to: 'observe',
        do: 'health',
        key,
        severity,
        ...(text !== undefined && { text }),
      })
    raise('mailbox', 'warning', 'two owners')
    raise('asterisk', 'error', 'no answer')
    raise('asterisk', 'error', 'no answer')
    expect(health.status).toBe('error')
    expect(health.problems().map(({ key }) => key)).toEqual(['asterisk', 'mailbox'])
    raise('asterisk', 'error')
    raise('asterisk', 'error')
    expect(health.status).toBe('warning')
    raise('mailbox', 'warning')
    expect(health.status).toBe('ok')
    expect(lines.map(([level, message]) => `${String(level)} ${String(message)}`)).toEqual([
      'warn problem',
      'error problem',
      'info problem ended',
      'info problem ended',
    ])
  })

  it('keeps the time since when a problem stands while its text changes', () => {
    const times = [new Date(1000), new Date(2000)]
    const health = new Health(() => times.shift() ?? new Date(3000))
    health.raise('a', 'warning', 'one')
    health.raise('a', 'error', 'two')
    expect(health.problems()).toEqual([
      { key: 'a', severity: 'error', text: 'two', since: new Date(1000) },
    ])
  })

  it('counts under the name it is given, with and without labels', async () => {
    const { observer, metrics } = observe()
    const count = (counter: string, labels?: Record<string, string>, by?: number) =>
      observer.perform({
        to: 'observe',
        do: 'count',
        counter,
        ...(labels !== undefined && { labels }),
        ...(by !== undefined && { by }),
      })
    count('refused_items', { kind: 'feed', reason: 'bad-eid' })
    count('refused_items', { kind: 'feed', reason: 'bad-eid' }, 2)
    count('refused_items', { kind: 'feed', reason: 'late', unknown: 'x' })
    count('batches')
    const { text, contentType } = await metrics.expose()
    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(text).toContain('# HELP hintbridge_refused_items_total Items refused\n')
    expect(text).toContain('hintbridge_refused_items_total{kind="feed",reason="bad-eid"} 3\n')
    expect(text).toContain('hintbridge_refused_items_total{kind="feed",reason="late"} 1\n')
    expect(text).toContain('hintbridge_batches_total 1\n')
    expect(text).toContain('process_resident_memory_bytes')
  })

  it('tells when the bridge has left, and what it could not do', () => {
    const { observer, left } = observe()
    observer.perform({ to: 'observe', do: 'left', failures: ['no stream'] })
    expect(left).toEqual([['no stream']])
  })
})

describe('gauges', () => {
  it('are asked for at each scrape, and go when they are no longer named', async () => {
    let peers = ['b', 'c']
    const metrics = new Metrics({
      snapshot: () =>
        peers.map((peer) => ({
          name: 'peer_entries',
          help: 'Entries held',
          value: 5,
          labels: { peer },
        })),
    })
    expect((await metrics.expose()).text).toContain('hintbridge_peer_entries{peer="c"} 5\n')
    peers = ['b']
    const { text } = await metrics.expose()
    expect(text).toContain('hintbridge_peer_entries{peer="b"} 5\n')
    expect(text).not.toContain('peer="c"')
  })
})
