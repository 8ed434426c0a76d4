/** The folder of `state_dir` is the service user's, who may change what lies there between any two steps of root. */
import { fchownSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { keepEntityId, readEntityId } from '../../src/journal/identity.js'
import { Journal } from '../../src/journal/journal.js'
import { scratchFolder } from '../config/scratch.js'

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>()
  return { ...fs, fchownSync: vi.fn(fs.fchownSync), renameSync: vi.fn(fs.renameSync) }
})
const { renameSync: rename } = await vi.importActual<typeof import('node:fs')>('node:fs')

const eid = '02:00:00:00:00:0b'

it('a link that takes the place of the journal once it is laid there is not followed', () => {
  const folder = scratchFolder()
  const target = join(scratchFolder(), 'passwd')
  writeFileSync(target, 'root')
  vi.mocked(renameSync).mockImplementationOnce((from, to) => {
    rename(from, to)
    rmSync(to)
    symlinkSync(target, to)
  })
  const journal = Journal.open(folder, { warn: () => undefined, trouble: () => undefined })
  onTestFinished(() => journal.close())
  journal.add(eid, 'device_state', 'PJSIP/1')
  expect(readFileSync(target, 'utf8')).toBe('root')
})

it.each(['EPERM', 'EINVAL'])('a root that may give nothing away (%s) keeps the file', (code) => {
  const folder = scratchFolder()
  const euid = vi.spyOn(process as Required<NodeJS.Process>, 'geteuid').mockReturnValue(0)
  onTestFinished(() => euid.mockRestore())
  vi.mocked(fchownSync).mockImplementationOnce(() => {
    throw Object.assign(new Error(`${code}: fchown`), { code })
  })
  keepEntityId(folder, eid)
  expect(readEntityId(folder)).toBe(eid)
})
