/** The folder of Asterisk's configuration is Asterisk's user's, who may change what lies there between any two steps of root. */
import {
  chownSync,
  fchownSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { writeFiles } from '../../src/cli/init/write-files.js'
import { scratchFolder } from '../config/scratch.js'

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  return { ...fs, fchownSync: vi.fn(fs.fchownSync), statSync: vi.fn(fs.statSync) }
})
const { statSync: stat } = await vi.importActual<typeof import('node:fs')>('node:fs')

describe('a link that takes the place of what init has laid beside its target', () => {
  let target: string
  let path: string

  beforeEach(() => {
    target = join(scratchFolder(), 'shadow')
    path = join(scratchFolder(), 'pjsip_hintbridge.conf')
    writeFileSync(target, '', { mode: 0o600 })
    // Whom the file is to belong to is looked up once it lies there.
    vi.mocked(statSync).mockImplementationOnce((file, options) => {
      rmSync(`${path}.new`)
      symlinkSync(target, `${path}.new`)
      return stat(file, options)
    })
  })

  it('lets nobody read what it points to', () => {
    writeFiles([{ path, text: '', mode: 0o640, belongsToFolder: true }])
    expect(stat(target).mode & 0o777).toBe(0o600)
  })

  it.runIf(process.geteuid?.() === 0)('gives away nothing that it points to', () => {
    chownSync(join(path, '..'), 12_345, 23_456)
    writeFiles([{ path, text: '', mode: 0o640, belongsToFolder: true }])
    expect(stat(target).uid).toBe(0)
  })
})

it.runIf(process.geteuid?.() === 0)('names the file that root may not give away', () => {
  const folder = scratchFolder()
  const path = join(folder, 'pjsip_hintbridge.conf')
  vi.mocked(fchownSync).mockImplementationOnce(() => {
    throw Object.assign(new Error('EPERM: fchown'), { code: 'EPERM' })
  })
  expect(() => writeFiles([{ path, text: '', mode: 0o640, belongsToFolder: true }])).toThrow(
    `${path}: cannot be given to user 0 and group 0 (EPERM): run this where root may do so`,
  )
  expect(readdirSync(folder)).toEqual([])
})
