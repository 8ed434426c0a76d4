/** `leave` may be run by root: what it leaves in `state_dir` must be of use to the user that the folder belongs to. */
import { chownSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { scratchFolder } from '../config/scratch.js'
import { add, eid, open } from './open.js'

const epoch = '0'.repeat(32)
const [uid, gid] = [65_534, 65_533]

function folderOfAnother(): string {
  const folder = scratchFolder()
  chownSync(folder, uid, gid)
  return folder
}

describe.runIf(process.geteuid?.() === 0)('root in the folder of another user', () => {
  it('makes nothing that is not that user’s, but the socket that it takes away with it', async () => {
    const folder = folderOfAnother()
    const { stateDir } = await open(folder)
    stateDir.keepEid(eid)
    add({ stateDir }, 'PJSIP/1')
    stateDir.perform({ to: 'journal', do: 'forget', jid: 'pbx-b@example.org', epochs: [epoch] })
    stateDir.close()
    const owners = Object.fromEntries(
      readdirSync(folder).map((name) => {
        const file = statSync(join(folder, name))
        return [name, [file.uid, file.gid, file.mode & 0o777]]
      }),
    )
    const theirs = [uid, gid, 0o600]
    const files = ['eid', 'forgotten', 'journal', 'names']
    expect(owners).toEqual(Object.fromEntries(files.map((name) => [name, theirs])))
  })

  it('follows no link that is laid for it there', async () => {
    const folder = folderOfAnother()
    const target = join(scratchFolder(), 'passwd')
    writeFileSync(target, 'root')
    for (const name of ['journal.new', 'names.new', 'eid.new']) {
      symlinkSync(target, join(folder, name))
    }
    const { stateDir } = await open(folder)
    stateDir.keepEid(eid)
    expect(readFileSync(target, 'utf8')).toBe('root')
    expect(statSync(target).uid).toBe(0)
    expect(readFileSync(join(folder, 'eid'), 'utf8')).toBe(`${eid}\n`)
  })
})
