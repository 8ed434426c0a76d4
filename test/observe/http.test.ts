import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { askControl } from '../../src/observe/control-client.js'
import { ControlServer } from '../../src/observe/control.js'
import { Health } from '../../src/observe/health.js'
import { type HttpOptions, HttpServer } from '../../src/observe/http.js'
import { Metrics } from '../../src/observe/metrics.js'
import { scratchFolder } from '../config/scratch.js'

async function serve(reasons: string[] = [], options: Partial<HttpOptions> = {}) {
  const health = new Health(() => new Date(0))
  const metrics = new Metrics({ snapshot: () => [] })
  const listen = { host: '127.0.0.1', port: 0 }
  const server = new HttpServer({ listen, health, metrics, readiness: () => reasons, ...options })
  await server.start()
  onTestFinished(() => server.stop())
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port ?? 0}${path}`, { method })
    return { status: response.status, text: await response.text() }
  }
  return { server, health, metrics, get }
}

describe('over HTTP', () => {
  it('/health is live, with the problems that stand', async () => {
    const { get, health } = await serve()
    expect(await get('/health')).toEqual({ status: 200, text: '{"status":"ok","problems":[]}\n' })
    health.raise('fence', 'error', 'the fence is overdue')
    const { status, text } = await get('/health?x')
    expect(status).toBe(200)
    expect(JSON.parse(text)).toEqual({
      status: 'error',
      problems: [
        {
          key: 'fence',
          severity: 'error',
          text: 'the fence is overdue',
          since: '1970-01-01T00:00:00.000Z',
        },
      ],
    })
  })

  it('/ready is 503 with reasons until there are none', async () => {
    const reasons = ['the fence is not back']
    const { get } = await serve(reasons)
    expect(await get('/ready')).toEqual({
      status: 503,
      text: '{"ready":false,"reasons":["the fence is not back"]}\n',
    })
    reasons.pop()
    expect((await get('/ready')).status).toBe(200)
  })

  it('/metrics exposes the counters', async () => {
    const { get, metrics } = await serve()
    metrics.count('batches')
    expect((await get('/metrics')).text).toContain('hintbridge_batches_total 1')
  })

  it('other paths and methods are refused', async () => {
    const { get } = await serve()
    expect((await get('/nothing')).status).toBe(404)
    expect((await get('/constructor')).status).toBe(404)
    expect((await get('/health', 'POST')).status).toBe(405)
    expect(await get('/health', 'HEAD')).toEqual({ status: 200, text: '' })
  })

  it('an address that is taken is a clear error', async () => {
    const { server, health, metrics } = await serve()
    const port = server.port ?? 0
    const listen = { host: '127.0.0.1', port }
    const second = new HttpServer({ listen, health, metrics, readiness: () => [] })
    await expect(second.start()).rejects.toThrow(
      `failed to listen on 127.0.0.1 port ${port} for HTTP: EADDRINUSE; set http.listen to a free address`,
    )
    await second.stop()
  })

  it('stop may be called again', async () => {
    const { server } = await serve()
    await server.stop()
    await server.stop()
    expect(server.port).toBeUndefined()
  })
})

describe('the control socket', () => {
  async function control(path: string, leave: () => Promise<void> = () => Promise.resolve()) {
    const server = new ControlServer({ path, leave, status: () => ({ phase: 'ready' }) })
    onTestFinished(() => server.stop())
    await server.start()
    return server
  }

  it('answers status, and is open to its own user only', async () => {
    const path = join(scratchFolder(), 'hintbridge.sock')
    await control(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(await askControl(path, 'GET', '/status')).toEqual({
      status: 200,
      body: { phase: 'ready' },
    })
  })

  it('answers leave when it is done, also while the server stops', async () => {
    const path = join(scratchFolder(), 'hintbridge.sock')
    const steps: string[] = []
    let finish: () => void = () => undefined
    let begun: () => void = () => undefined
    const hasBegun = new Promise<void>((resolve) => (begun = resolve))
    const server = await control(path, async () => {
      begun()
      await new Promise<void>((resolve) => (finish = resolve))
      steps.push('left')
    })
    const answer = askControl(path, 'POST', '/leave').then((given) => {
      steps.push('answered')
      return given
    })
    await hasBegun
    expect(steps).toEqual([])
    finish()
    await Promise.all([server.stop(), answer])
    expect(steps).toEqual(['left', 'answered'])
    expect(await answer).toEqual({ status: 200, body: { left: true } })
  })

  it('answers 500 with the reason where leaving fails', async () => {
    const path = join(scratchFolder(), 'hintbridge.sock')
    await control(path, () => Promise.reject(new Error('the stream is down')))
    expect(await askControl(path, 'POST', '/leave')).toEqual({
      status: 500,
      body: { error: 'the stream is down' },
    })
  })

  it('replaces what a crash left behind, but not a socket that answers', async () => {
    const path = join(scratchFolder(), 'hintbridge.sock')
    writeFileSync(path, '')
    await control(path)
    await expect(control(path)).rejects.toThrow(/another bridge answers there/)
    expect((await askControl(path, 'GET', '/status'))?.status).toBe(200)
  })

  it('is nobody where no bridge runs', async () => {
    const path = join(scratchFolder(), 'hintbridge.sock')
    expect(await askControl(path, 'GET', '/status')).toBeUndefined()
    const server = await control(path)
    await server.stop()
    expect(await askControl(path, 'GET', '/status')).toBeUndefined()
  })

  it('that does not answer in time is an error', async () => {
    const path = join(scratchFolder(), 'hintbridge.sock')
    await control(path, () => new Promise(() => undefined))
    await expect(askControl(path, 'POST', '/leave', 50)).rejects.toThrow(/no answer in 50 ms/)
  })
})
