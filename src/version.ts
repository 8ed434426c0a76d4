import { readFileSync } from 'node:fs'
import { z } from 'zod'

const packageFile = new URL('../package.json', import.meta.url)

/** The version of this installation, from its package.json. */
export function readVersion(): string {
  const described: unknown = JSON.parse(readFileSync(packageFile, 'utf8'))
  return z.object({ version: z.string() }).parse(described).version
}
