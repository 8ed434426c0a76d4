import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import type { Answer } from './respond.js'

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The folder of the status page, as the build lays it beside this file. */
export const pageFolder = join(import.meta.dirname, 'page')

/** Path → answer for each file of the status page, read once; `index.html` is at `/`. */
export function pageRoutes(folder = pageFolder): Record<string, () => Answer> {
  const routes: Record<string, () => Answer> = {}
  for (const name of readdirSync(folder)) {
    const contentType = contentTypes[extname(name)]
    if (contentType === undefined) continue
    const body = readFileSync(join(folder, name), 'utf8')
    routes[name === 'index.html' ? '/' : `/${name}`] = () => ({ status: 200, body, contentType })
  }
  return routes
}
