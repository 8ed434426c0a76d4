/** The status page as it is served, and who may read it. */
import { request } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Health } from '../../src/observe/health.js'
import { type HttpOptions, HttpServer } from '../../src/observe/http.js'
import { Metrics } from '../../src/observe/metrics.js'

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
  /** `fetch` lets nobody choose the Host. */
  const get = (path: string, headers: Readonly<Record<string, string>> = {}) =>
    new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>(
      (resolve, reject) => {
        const asked = request(
          { host: '127.0.0.1', port: server.port, path, headers, agent: false },
          (response) => {
            let text = ''
            response.setEncoding('utf8')
            response.on('data', (part: string) => (text += part))
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
            )
          },
        )
        asked.on('error', reject)
        asked.end()
      },
    )
  return { get, refused }
}

const basic = (credentials: string) => ({
  authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
})

const paths = ['/', '/page.css', '/metrics', '/health', '/ready', '/api/overview', '/nothing']

describe('the status page', () => {
  it('is served with its style, and nothing else of its folder', async () => {
    const { get } = await serve()
    expect(await get('/')).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/html; charset=utf-8' },
      text: expect.stringMatching(/^<!doctype html>/) as string,
    })
    expect((await get('/page.css')).headers['content-type']).toBe('text/css; charset=utf-8')
    expect((await get('/icon.svg')).headers['content-type']).toBe('image/svg+xml')
    for (const path of ['/tsconfig.json', '/main.ts', '/../http.js', '/index.html']) {
      expect((await get(path)).status, path).toBe(404)
    }
  })

  it('holds no inline script or style and loads nothing from elsewhere', async () => {
    const { get } = await serve()
    const { text } = await get('/')
    expect(text).not.toMatch(/<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc="main\.js")/)
    const sources = [...text.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, source]) => source)
    expect(new Set(sources)).toEqual(new Set(['icon.svg', 'page.css', 'main.js']))
  })

  it('forbids all that is not its own, and every answer its own reading by others', async () => {
    const { get } = await serve()
    for (const path of paths) {
      const { headers } = await get(path)
      const policy = String(headers['content-security-policy']).split('; ')
      expect(policy, path).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          "frame-ancestors 'none'",
          "require-trusted-types-for 'script'",
        ]),
      )
      expect(headers, path).toMatchObject({
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
      })
    }
  })

  it('without a password is for who asks for this machine: a foreign name that points here is refused', async () => {
    const { get, refused } = await serve()
    for (const host of ['localhost', '127.0.0.1:9595', '[::1]:9595', 'LOCALHOST:80']) {
      expect((await get('/', { host })).status, host).toBe(200)
    }
    expect(refused).toEqual([])
    const foreign = [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '192.0.2.1',
    ]
    for (const host of foreign) {
      for (const path of paths) expect((await get(path, { host })).status, host).toBe(403)
    }
    expect(new Set(refused)).toEqual(new Set(['host']))
  })

  it('with a password asks for it at every path, and takes any user name and host', async () => {
    const { get, refused } = await serve({ password: 'pässword: 1' })
    for (const path of paths) {
      const { status, headers, text } = await get(path)
      expect([path, status]).toEqual([path, 401])
      expect(headers['www-authenticate']).toBe('Basic realm="hintbridge", charset="UTF-8"')
      expect(text).not.toContain('pässword')
    }
    expect(refused).toEqual(paths.map(() => 'password'))
    for (const credentials of ['', 'admin', 'admin:', 'admin:pässword: 2', 'pässword: 1']) {
      expect((await get('/', basic(credentials))).status, credentials).toBe(401)
    }
    for (const authorization of ['Basic', 'Basic !', 'Bearer cMOkc3N3b3JkOiAx', '']) {
      expect((await get('/', { authorization })).status, authorization).toBe(401)
    }
    const proven = { ...basic('admin:pässword: 1'), host: 'pbx.example.org' }
    expect((await get('/', proven)).status).toBe(200)
    expect((await get('/metrics', basic(':pässword: 1'))).status).toBe(200)
  })
})
