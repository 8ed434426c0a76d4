/** `docs/log.md` names every line that the source can log. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/log.md'), 'utf8')

const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n')

/** The domain's `log(context, level, text, …)`, and pino's `logger.level(fields, text)`. */
const calls = [
  /\blog\(\s*(?:this\.)?#?context,\s*'(?:info|warn|error)',\s*(['"])(.*?)\1/g,
  /\b(?:logger|log)\.(?:info|warn|error)\(\s*(?:\{[^;]*?\}|[a-z]+),\s*(['"])(.*?)\1/g,
]

it('docs/log.md names every line of the log', () => {
  const texts = calls.flatMap((call) => [...source.matchAll(call)].map(([, , text = '']) => text))
  expect(texts.length).toBeGreaterThan(35)
  expect(texts.filter((text) => !page.includes(`\`${text}\``))).toEqual([])
})
