/** `leave` may be run by root: what it leaves in `state_dir` must be of use to the user that the folder belongs to. */
import { chownSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { keepEntityId } from '../../src/journal/identity.js'
import { Journal } from '../../src/journal/journal.js'
import { scratchFolder } from '../config/scratch.js'

const eid = '02:00:00:00:00:0b'
const epoch = '0'.repeat(32)
const [uid, gid] = [65_534, 65_533]

function folderOfAnother(): string {
  const folder = scratchFolder()
  chownSync(folder, uid, gid)
  return folder
}

function openAsRoot(folder: string): Journal {
  const journal = Journal.open(folder, { warn: () => undefined, trouble: () => undefined })
  onTestFinished(() => journal.close())
  return journal
}

describe.runIf(process.geteuid?.() === 0)('root in the folder of another user', () => {
  it('makes nothing that is not that user’s', () => {
    const folder = folderOfAnother()
    const journal = openAsRoot(folder)
    keepEntityId(folder, eid)
    journal.add(eid, 'device_state', 'PJSIP/1')
    journal.forget('pbx-b@example.org', [epoch])
    const owners = Object.fromEntries(
      readdirSync(folder).map((name) => {
        const file = statSync(join(folder, name))
        return [name, [file.uid, file.gid, file.mode & 0o777]]
      }),
    )
    const theirs = [uid, gid, 0o600]
    const files = ['eid', 'forgotten', 'journal', 'lock', 'names']
    expect(owners).toEqual(Object.fromEntries(files.map((name) => [name, theirs])))
  })

  it('follows no link that is laid for it there', () => {
    const folder = folderOfAnother()
    const target = join(scratchFolder(), 'passwd')
    writeFileSync(target, 'root')
    for (const name of ['journal.new', 'names.new', 'eid.new', `lock.${process.pid}`]) {
      symlinkSync(target, join(folder, name))
    }
    openAsRoot(folder)
    keepEntityId(folder, eid)
    expect(readFileSync(target, 'utf8')).toBe('root')
    expect(statSync(target).uid).toBe(0)
    expect(readFileSync(join(folder, 'eid'), 'utf8')).toBe(`${eid}\n`)
  })
})
