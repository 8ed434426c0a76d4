import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  keepConfiguredEntityId,
  keepEntityId,
  keepMovedEntityId,
  readEntityId,
  readFormerEntityId,
} from '../../src/journal/identity.js'
import { scratchFolder } from '../config/scratch.js'

const first = '02:00:00:00:00:0a'
const second = '02:00:00:00:00:0b'

describe('the kept EID', () => {
  it('is the one that was learnt, and none where none was', () => {
    const folder = scratchFolder()
    expect(readEntityId(folder)).toBeUndefined()
    keepEntityId(folder, first)
    expect(readEntityId(folder)).toBe(first)
  })

  it('is the one that Asterisk has moved to', () => {
    const folder = scratchFolder()
    keepEntityId(folder, first)
    expect(keepMovedEntityId(folder, second)).toBe(false)
    expect(readEntityId(folder)).toBe(second)
  })

  it('names the one before it, learnt or configured', () => {
    const folder = scratchFolder()
    expect(readFormerEntityId(folder)).toBeUndefined()
    keepConfiguredEntityId(folder, first)
    keepConfiguredEntityId(folder, first)
    expect(readFormerEntityId(folder)).toBeUndefined()
    keepConfiguredEntityId(folder, second)
    expect(readEntityId(folder)).toBe(second)
    expect(readFormerEntityId(folder)).toBe(first)
  })

  it('keeps nothing of a file that is none', () => {
    const folder = scratchFolder()
    const file = join(folder, 'eid')
    writeFileSync(file, 'root:secret\n')
    keepMovedEntityId(folder, first)
    expect(readFileSync(file, 'utf8')).toBe(`${first}\n\n`)
  })

  it('tells an EID that comes back within 10 minutes from one that comes later', () => {
    const folder = scratchFolder()
    keepEntityId(folder, first)
    keepMovedEntityId(folder, second)
    expect(keepMovedEntityId(folder, first)).toBe(true)
    expect(readEntityId(folder)).toBe(first)
    expect(keepMovedEntityId(folder, second, Date.now() + 600_001)).toBe(false)
  })
})
