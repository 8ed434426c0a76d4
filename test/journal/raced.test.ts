/** The folder of `state_dir` is the service user's, who may change what lies there between any two steps of root. */
import {
  fchownSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { readEntityId } from '../../src/journal/identity.js'
import { scratchFolder } from '../config/scratch.js'
import { add, eid, open } from './open.js'

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  return { ...fs, fchownSync: vi.fn(fs.fchownSync), renameSync: vi.fn(fs.renameSync) }
})
const { renameSync: rename } = await vi.importActual<typeof import('node:fs')>('node:fs')

it('a link that takes the place of the journal once it is laid there is not followed', async () => {
  const folder = scratchFolder()
  const target = join(scratchFolder(), 'passwd')
  writeFileSync(target, 'root')
  vi.mocked(renameSync).mockImplementation((from, to) => {
    rename(from, to)
    if (!String(to).endsWith('journal')) return
    rmSync(to)
    symlinkSync(target, to)
  })
  onTestFinished(() => void vi.mocked(renameSync).mockImplementation(rename))
  add(await open(folder), 'PJSIP/1')
  expect(readlinkSync(join(folder, 'journal'))).toBe(target)
  expect(readFileSync(target, 'utf8')).toBe('root')
})

it.each(['EPERM', 'EINVAL'])(
  'a root that may give nothing away (%s) keeps the file',
  async (code) => {
    const folder = scratchFolder()
    const euid = vi.spyOn(process as Required<NodeJS.Process>, 'geteuid').mockReturnValue(0)
    onTestFinished(() => euid.mockRestore())
    vi.mocked(fchownSync)
      .mockClear()
      .mockImplementationOnce(() => {
        throw Object.assign(new Error(`${code}: fchown`), { code })
      })
    const { stateDir, said } = await open(folder)
    const hows = vi.mocked(fchownSync).mock.results.map(({ type }) => type)
    expect([hows[0], said]).toEqual(['throw', []])
    stateDir.keepEid(eid)
    expect(readEntityId(folder)).toBe(eid)
  },
)
