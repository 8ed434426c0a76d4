/** `docs/operations.md` names what the source can say: every health problem, every metric. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/operations.md'), 'utf8')

const source = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', name), 'utf8'))
  .join('\n')

/** What the first group matches anywhere in the source, each once. */
const found = (pattern: RegExp): string[] =>
  [...new Set([...source.matchAll(pattern)].map(([, name = '']) => name))].sort()

/** Keys with a part that varies stand as their beginning: `member:`. */
const healthKeys = [
  ...found(/health\(\s*(?:this\.)?#?context,\s*['`]([a-z-]+:?)/g),
  ...found(/\bhealth\(\s*'([a-z-]+)'/g),
  ...found(/\bconst \w+Key = '([a-z-]+)'/g),
  ...found(/return `((?:eid|fence|member-size|names):)\$\{/g),
  ...found(/#tell\(\s*'([a-z-]+)'/g),
]

describe('docs/operations.md', () => {
  it('names every health problem', () => {
    expect(healthKeys.length).toBeGreaterThan(12)
    expect(healthKeys.filter((key) => !page.includes(`\`${key}`))).toEqual([])
  })

  it('names every counter', () => {
    const counters = found(/\bcount\(\s*(?:this\.#?context,\s*)?'([a-z]+_[a-z_]+)'/g)
    expect(counters.length).toBeGreaterThan(4)
    expect(counters.filter((name) => !page.includes(`_${name}_total`))).toEqual([])
  })

  it('names every gauge', () => {
    const gauges = found(/\bname: '([a-z_]+)',\s*help:/g)
    expect(gauges.length).toBeGreaterThan(10)
    expect(gauges.filter((name) => !page.includes(`_${name}`))).toEqual([])
  })
})
