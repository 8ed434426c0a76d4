/** What a bridge does with a `state_dir` that it cannot use as it should. Real full disks: test/e2e/attacks/full-disk.test.ts. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { exitCodeOf } from '../../src/cli/exit-code.js'
import { readEntityId } from '../../src/journal/identity.js'
import { StateDirLocked } from '../../src/journal/lock.js'
import { StateDirUnusable } from '../../src/journal/state-dir.js'
import { scratchFolder } from '../config/scratch.js'
import { add, eid, idsOf, open } from './open.js'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
})

/** Where a file is to be written anew lies a folder: nothing is, as on a full disk; gives what takes it away again. */
function obstruct(folder: string, file: string): () => void {
  const path = join(folder, `${file}.new`)
  mkdirSync(path)
  return () => rmSync(path, { recursive: true })
}

/** The disk takes no line and no file. */
async function openOnFullDisk(folder: string) {
  const mend = obstruct(folder, 'journal')
  return { ...(await open(folder)), mend }
}

const written = (folder: string): string[] =>
  readFileSync(join(folder, 'journal'), 'utf8').split('\n').slice(0, -1)

describe('a state_dir', () => {
  it('is made where it is not there, and held until it is closed', async () => {
    const folder = join(scratchFolder(), 'new', 'state')
    const { stateDir, said } = await open(folder)
    await expect(open(folder)).rejects.toThrow(StateDirLocked)
    add({ stateDir }, 'PJSIP/1')
    stateDir.close()
    stateDir.close()
    expect(idsOf(await open(folder))).toEqual(['PJSIP/1'])
    expect(said).toEqual([])
  })

  it('that cannot be made is named with its setting, the cause and the remedy, and ends with 78', async () => {
    const folder = join(scratchFolder(), 'file', 'state')
    writeFileSync(join(folder, '..'), 'in the way')
    const error = await open(folder).catch((thrown: unknown) => thrown)
    expect(String(error)).toMatch(
      /state_dir '.*state' cannot be made: ENOTDIR: .*: create it and give it to the user that runs hintbridge$/,
    )
    expect(exitCodeOf(error)).toBe(78)
  })

  it('that cannot be made on a full disk ends with 1, so that the service manager tries again', () => {
    const cause = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    expect(exitCodeOf(new StateDirUnusable('/state', cause))).toBe(1)
  })

  it('that takes no lock is read, told and not written', async () => {
    // The path of a socket has 107 octets; the configuration refuses such a folder.
    const folder = join(scratchFolder(), 'x'.repeat(110))
    mkdirSync(folder)
    const text = `+\t${eid}\tdevice_state\told\n-\t${eid}\tdevice_state\tnone\n`
    writeFileSync(join(folder, 'journal'), text)
    const { stateDir, said } = await open(folder)
    add({ stateDir }, 'new')
    stateDir.keepEid(eid)
    const socket = vi.fn<() => void>()
    const socketFailed = vi.fn<(error: Error | undefined) => void>()
    await stateDir.attempt({ perform: socket, tell: socketFailed })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(idsOf({ stateDir })).toEqual(['old', 'new'])
    expect(said[0]).toMatch(/^failed to write state_dir '.*': .*bind.*; free space/)
    expect(socketFailed).toHaveBeenCalledWith(new Error('it is not locked'))
    expect(socket).not.toHaveBeenCalled()
    stateDir.close()
    expect(readdirSync(folder)).toEqual(['journal'])
    expect(readFileSync(join(folder, 'journal'), 'utf8')).toBe(text)
  })
})

describe('on a full disk', () => {
  it('20,000 new names cost no write each: nothing is tried before the pause has passed, then all is written', async () => {
    const folder = scratchFolder()
    const { stateDir, said, mend } = await openOnFullDisk(folder)
    mend()
    for (let number = 0; number < 20_000; number += 1) add({ stateDir }, `PJSIP/${number}`)
    expect(existsSync(join(folder, 'journal'))).toBe(false)
    expect(said).toEqual([expect.stringMatching(/^failed to write .*: EISDIR/)])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(written(folder)).toHaveLength(20_000)
    expect(said.at(-1)).toBe('over')
    add({ stateDir }, 'PJSIP/20000')
    expect(written(folder)).toHaveLength(20_001)
  })

  it('it is tried again after 1, 2, 4, 8, 16 and then each 30 s', async () => {
    const { said } = await openOnFullDisk(scratchFolder())
    const triedAt: number[] = []
    for (let second = 1; second <= 121; second += 1) {
      const before = said.length
      await vi.advanceTimersByTimeAsync(1_000)
      if (said.length > before) triedAt.push(second)
    }
    expect(triedAt).toEqual([1, 3, 7, 15, 31, 61, 91, 121])
  })

  it('after it was mended the next fault is tried again soon', async () => {
    const folder = scratchFolder()
    const { stateDir, said, mend } = await openOnFullDisk(folder)
    await vi.advanceTimersByTimeAsync(100_000)
    mend()
    await vi.advanceTimersByTimeAsync(30_000)
    expect(said.at(-1)).toBe('over')
    const mendAgain = obstruct(folder, 'eid')
    stateDir.keepEid(eid)
    mendAgain()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([said.at(-1), readEntityId(folder)]).toEqual(['over', eid])
  })

  it('what waits is written at the end if there is room by then', async () => {
    const folder = scratchFolder()
    const { stateDir, mend } = await openOnFullDisk(folder)
    add({ stateDir }, 'PJSIP/1')
    mend()
    stateDir.close()
    expect(idsOf(await open(folder))).toEqual(['PJSIP/1'])
  })

  it('an EID that Asterisk has moved to and that cannot be kept lets the old one go: the next start learns it', async () => {
    const folder = scratchFolder()
    const { stateDir } = await open(folder)
    stateDir.keepEid('02:00:00:00:00:0a')
    obstruct(folder, 'eid')
    expect(stateDir.keepMovedEid(eid)).toBe(false)
    expect(readEntityId(folder)).toBeUndefined()
  })

  it('an EID that Asterisk has moved to is an error where also the old one stays', async () => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'eid'))
    const { stateDir } = await open(folder)
    expect(() => stateDir.keepMovedEid(eid)).toThrow(/EISDIR|eid is a directory/i)
  })
})

describe('what cannot be read', () => {
  it('is told with what it means, for as long as this bridge runs', async () => {
    const folder = scratchFolder()
    mkdirSync(join(folder, 'journal'))
    const { stateDir, said } = await open(folder)
    const lost =
      /^'.*journal' cannot be read \(it is a folder, no plain file\): .* may stay lit until .* Asterisk restarts$/
    expect(said).toEqual([expect.stringMatching(lost)])
    const mend = obstruct(folder, 'eid')
    stateDir.keepEid(eid)
    expect(said.at(-1)).toMatch(/^failed to write .*EISDIR.*\. '.*journal' cannot be read/)
    mend()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(said.at(-1)).toMatch(lost)
  })
})
