/** Whoever guesses the password, or holds connections, plays against the real server on real sockets. */
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Attempts } from '../../src/observe/attempts.js'
import { Health } from '../../src/observe/health.js'
import { type HttpOptions, HttpServer } from '../../src/observe/http.js'
import { Metrics } from '../../src/observe/metrics.js'
import { groupOf } from '../../src/observe/source.js'

async function serve(options: Partial<HttpOptions> = {}) {
  const refused: string[] = []
  const server = new HttpServer({
    listen: { host: '127.0.0.1', port: 0 },
    health: new Health(),
    metrics: new Metrics({ snapshot: () => [] }),
    readiness: () => [],
    onRefused: (reason) => void refused.push(reason),
    ...options,
  })
  await server.start()
  onTestFinished(() => server.stop())
  return { port: server.port ?? 0, refused }
}

/** Status of the answer to one request on a connection of its own; rejects where that is ended without one. */
function ask(
  port: number,
  headers: Record<string, string> = {},
  path = '/health',
): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode ?? 0)
    })
    asked.on('error', reject)
    asked.end()
  })
}

const basic = (password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`reader:${password}`).toString('base64')}`,
})

/** A connection that sends this and then waits. */
async function hold(port: number, text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined)
  // It keeps its side open until the server ends the other.
  socket.on('end', () => socket.end())
  socket.resume()
  await once(socket, 'connect')
  socket.write(text)
  return socket
}

describe('a guesser of the password', () => {
  it('has few guesses looked at, however many it makes at a time', async () => {
    const { port, refused } = await serve({ password: 'right' })
    const statuses = await Promise.all(
      Array.from({ length: 100 }, (_, index) => ask(port, basic(`guess ${index}`))),
    )
    // Four at once; a slow machine sends some after the first places are free again.
    const lookedAt = statuses.filter((status) => status === 401).length
    expect(lookedAt).toBeGreaterThanOrEqual(4)
    expect(lookedAt).toBeLessThanOrEqual(10)
    expect(new Set(statuses)).toEqual(new Set([401, 429]))
    expect(refused.filter((reason) => reason === 'attempts')).toHaveLength(100 - lookedAt)
  }, 30_000)

  it('does not learn more by a right guess that comes among too many', async () => {
    const { port } = await serve({ password: 'right' })
    const wrong = Array.from({ length: 20 }, () => ask(port, basic('wrong')))
    expect(await Promise.race(wrong)).toBe(429)
    expect(await ask(port, basic('right'))).toBe(429)
    await Promise.all(wrong)
    expect(await ask(port, basic('right'))).toBe(200)
  }, 30_000)

  it('does not keep out whoever reads through the same proxy', async () => {
    const { port } = await serve({ password: 'right' })
    const by = (address: string) => ({ 'x-forwarded-for': `192.0.2.1, ${address}` })
    const guesses = Array.from({ length: 100 }, () =>
      ask(port, { ...basic('wrong'), ...by('203.0.113.7') }),
    )
    expect(await ask(port, { ...basic('right'), ...by('203.0.113.8') })).toBe(200)
    expect(new Set(await Promise.all(guesses))).toEqual(new Set([401, 429]))
  }, 30_000)

  it('that gives none is asked for it at once, as a browser must be', async () => {
    const { port } = await serve({ password: 'right' })
    const statuses = await Promise.all(Array.from({ length: 50 }, () => ask(port)))
    expect(new Set(statuses)).toEqual(new Set([401]))
  })

  describe('waits', () => {
    afterEach(() => void vi.useRealTimers())

    it('twice as long each time, at most 5 s, and is forgotten after a minute', () => {
      vi.useFakeTimers()
      const attempts = new Attempts()
      const delayOf = (from: string): number => {
        const startMs = performance.now()
        let answeredMs = startMs
        attempts.failed(from, () => (answeredMs = performance.now()))
        vi.advanceTimersByTime(5_000)
        return answeredMs - startMs
      }
      const delays = Array.from({ length: 7 }, () => delayOf('a'))
      expect(delays).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000])
      expect(delayOf('b')).toBe(250)
      vi.advanceTimersByTime(60_000)
      expect(delayOf('a')).toBe(250)
    })

    it('also where it does not stay for the answer: its places are taken for the whole time', () => {
      vi.useFakeTimers()
      const attempts = new Attempts()
      for (let index = 0; index < 4; index += 1) attempts.failed('a', () => undefined)
      expect([attempts.mayTry('a'), attempts.mayTry('b')]).toEqual([false, true])
      vi.advanceTimersByTime(249)
      expect(attempts.mayTry('a')).toBe(false)
      vi.advanceTimersByTime(1)
      expect(attempts.mayTry('a')).toBe(true)
    })

    it('among a bounded number of others, none of whom is lost while it waits', () => {
      vi.useFakeTimers()
      const attempts = new Attempts()
      for (let index = 0; index < 1_000; index += 1) attempts.failed(`${index}`, () => undefined)
      expect(attempts.mayTry('another')).toBe(false)
      vi.advanceTimersByTime(5_000)
      expect(attempts.mayTry('another')).toBe(true)
    })
  })
})

describe('whoever holds connections', () => {
  it('keeps nobody out by half a request, and loses them in seconds', async () => {
    const { port, refused } = await serve()
    const half = 'GET /health HTTP/1.1\r\nHost: localhost\r\nX-'
    const sockets: Socket[] = []
    for (let index = 0; index < 600; index += 1) sockets.push(await hold(port, half))
    expect(await ask(port)).toBe(200)
    expect(refused.filter((reason) => reason === 'connections').length).toBeGreaterThanOrEqual(472)
    const open = sockets.filter((socket) => !socket.closed)
    const startMs = performance.now()
    await Promise.all(open.map((socket) => once(socket, 'close')))
    expect(performance.now() - startMs).toBeLessThan(15_000)
    expect(refused.filter((reason) => reason === 'timeout').length).toBeGreaterThan(0)
  }, 30_000)

  it('loses one that says nothing at all', async () => {
    const { port } = await serve()
    const socket = await hold(port, '')
    await once(socket, 'close')
  }, 15_000)

  it('is ended where as many are being answered as may', async () => {
    let begun = 0
    const api = { '/wait': () => new Promise<never>(() => void (begun += 1)) }
    const { port, refused } = await serve({ api })
    const held = 'GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n'
    for (let index = 0; index < 128; index += 1) await hold(port, held)
    await vi.waitFor(() => expect(begun).toBe(128))
    await expect(ask(port)).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(refused).toEqual(['connections'])
  })
})

describe('a source', () => {
  it.each([
    ['127.0.0.1', 'this machine'],
    ['127.9.9.9', 'this machine'],
    ['::1', 'this machine'],
    ['::ffff:127.0.0.1', 'this machine'],
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::9', '2001:db8:0:0'],
    ['fe80::1:2:3:4', 'fe80:0:0:0'],
  ])('%s counts as %s', (address, group) => {
    expect(groupOf(address)).toBe(group)
  })
})
