import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { scratchFolder } from './config/scratch.js'

it('lab/prepare refuses a node_modules that is a link before npm ci empties what it points to', () => {
  const folder = scratchFolder()
  mkdirSync(join(folder, 'lab'))
  mkdirSync(join(folder, 'shared'))
  writeFileSync(join(folder, 'shared', 'precious'), '')
  symlinkSync('shared', join(folder, 'node_modules'))
  const prepare = join(folder, 'lab', 'prepare')
  cpSync(join(import.meta.dirname, '../lab/prepare'), prepare)
  const { status, stderr } = spawnSync('bash', [prepare, 'true'], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toMatch(/node_modules is a symbolic link to shared,[^]*Remove the link/)
  expect(existsSync(join(folder, 'shared', 'precious'))).toBe(true)
})
