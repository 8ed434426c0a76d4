/** `docs/security.md` says which test plays each attack: those tests are there, and each attack test is named. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const page = readFileSync(join(import.meta.dirname, '../docs/security.md'), 'utf8')
const named = [...page.matchAll(/`([\w/-]+\.test\.ts)`/g)].map(([, name = '']) => name)

describe('docs/security.md', () => {
  it('names tests that there are', () => {
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter((name) => !existsSync(join(import.meta.dirname, name)))).toEqual([])
  })

  it('names every attack that is played', () => {
    const attacks = readdirSync(join(import.meta.dirname, 'e2e/attacks'))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `e2e/attacks/${name}`)
    expect(attacks.filter((name) => !named.includes(name))).toEqual([])
  })
})
