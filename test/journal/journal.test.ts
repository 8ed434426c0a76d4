import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Journal } from '../../src/journal/journal.js'
import { keepEntityId, readEntityId } from '../../src/journal/identity.js'
import { StateDirLock, StateDirLocked } from '../../src/journal/lock.js'
import { exitCodeOf } from '../../src/cli/exit-code.js'
import { scratchFolder } from '../config/scratch.js'

const eid = '02:00:00:00:00:0b'

function open(folder: string) {
  const said: string[] = []
  const journal = Journal.open(folder, {
    warn: (message) => said.push(message),
    trouble: (error) => said.push(error === undefined ? 'over' : `trouble: ${error.message}`),
  })
  onTestFinished(() => journal.close())
  return { journal, said }
}

/** What stands in the file, without its state being changed by an `open`. */
function linesOf(folder: string): string[] {
  return readFileSync(join(folder, 'journal'), 'utf8').split('\n').slice(0, -1)
}

describe('a state_dir that cannot be written', () => {
  it('is named with its setting, the cause and the remedy, and ends with 78', () => {
    const folder = join(scratchFolder(), 'file', 'state')
    writeFileSync(join(folder, '..'), 'in the way')
    let thrown: unknown
    try {
      open(folder)
    } catch (error) {
      thrown = error
    }
    expect(String(thrown)).toMatch(
      /state_dir '.*state' cannot be written: ENOTDIR: .*mkdir.*: create it and give it, .* to the user that runs hintbridge$/,
    )
    expect(exitCodeOf(thrown)).toBe(78)
  })
})

describe('the journal', () => {
  it('has each line in the file when add and remove return', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    journal.perform({ to: 'journal', do: 'add', eid, kind: 'device_state', id: 'PJSIP/1 é' })
    expect(linesOf(folder)).toEqual([`+\t${eid}\tdevice_state\tPJSIP/1 é`])
    journal.perform({ to: 'journal', do: 'remove', eid, kind: 'device_state', id: 'PJSIP/1 é' })
    expect(linesOf(folder)).toHaveLength(2)
  })

  it('gives back after a restart what was added and not removed, compacted', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    journal.add(eid, 'device_state', 'PJSIP/1')
    journal.add(eid, 'message_waiting', '1@default')
    journal.add(eid, 'device_state', 'PJSIP/2')
    journal.remove(eid, 'device_state', 'PJSIP/1')
    journal.close()
    const again = open(folder).journal
    expect(again.entries()).toEqual([
      { eid, kind: 'device_state', id: 'PJSIP/2' },
      { eid, kind: 'message_waiting', id: '1@default' },
    ])
    expect(linesOf(folder)).toHaveLength(2)
  })

  it('keeps which states are uncachable, and what was said last of it (rule 9)', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    const entry = { to: 'journal', do: 'add', eid, kind: 'device_state' } as const
    journal.perform({ ...entry, id: 'a', isUncachable: true })
    journal.perform({ ...entry, id: 'b', isUncachable: true })
    journal.perform({ ...entry, id: 'b' })
    expect(linesOf(folder)).toEqual([
      `+\t${eid}\tdevice_state\ta\tuncachable`,
      `+\t${eid}\tdevice_state\tb\tuncachable`,
      `+\t${eid}\tdevice_state\tb`,
    ])
    journal.close()
    const again = open(folder)
    expect(again.journal.entries()).toEqual([
      { eid, kind: 'device_state', id: 'a', isUncachable: true },
      { eid, kind: 'device_state', id: 'b' },
    ])
    expect(again.said).toEqual([])
    again.journal.remove(eid, 'device_state', 'a')
    expect(linesOf(folder)).toHaveLength(3)
  })

  it('writes nothing for what it holds already, or never held', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    journal.add(eid, 'device_state', 'PJSIP/1')
    journal.add(eid, 'device_state', 'PJSIP/1')
    journal.remove(eid, 'device_state', 'PJSIP/2')
    expect(linesOf(folder)).toHaveLength(1)
  })

  it('leaves out a torn last line with a warning, and goes on in a fresh one', () => {
    const folder = scratchFolder()
    open(folder).journal.close()
    appendFileSync(
      join(folder, 'journal'),
      `+\t${eid}\tdevice_state\tPJSIP/1\n+\t${eid}\tdevice_state\tPJS`,
    )
    const { journal, said } = open(folder)
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(/last line .* is torn/)
    journal.add(eid, 'device_state', 'PJSIP/2')
    journal.close()
    expect(
      open(folder)
        .journal.entries()
        .map(({ id }) => id),
    ).toEqual(['PJSIP/1', 'PJSIP/2'])
  })

  it('leaves out lines that are no entries, and says how many', () => {
    const folder = scratchFolder()
    const good = `+\t${eid}\tdevice_state\tPJSIP/1`
    const bad = [
      'junk',
      `*\t${eid}\tdevice_state\tPJSIP/2`,
      '+\t00:00:00:00:00:00\tdevice_state\tPJSIP/3',
      `+\t${eid}\tpresence\tPJSIP/4`,
      `+\t${eid}\tdevice_state\t`,
      `${good}\tmore`,
    ]
    writeFileSync(join(folder, 'journal'), [...bad, good, ''].join('\n'))
    const { journal, said } = open(folder)
    expect(journal.entries().map(({ id }) => id)).toEqual(['PJSIP/1'])
    expect(said).toEqual([expect.stringMatching(/^6 lines of /)])
  })

  it('is rewritten when much more was written than lives', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    journal.add(eid, 'device_state', 'PJSIP/kept')
    for (let turn = 0; turn < 600; turn++) {
      journal.add(eid, 'device_state', 'PJSIP/1')
      journal.remove(eid, 'device_state', 'PJSIP/1')
    }
    expect(linesOf(folder).length).toBeLessThan(250)
    journal.close()
    expect(
      open(folder)
        .journal.entries()
        .map(({ id }) => id),
    ).toEqual(['PJSIP/kept'])
  })

  it('says once when the disk takes no more, and writes all when it does again', () => {
    const folder = scratchFolder()
    const { journal, said } = open(folder)
    // The next compaction fails as on a full disk: a folder stands where it writes.
    mkdirSync(join(folder, 'journal.new'))
    for (let turn = 0; turn < 505; turn++) {
      journal.add(eid, 'device_state', 'PJSIP/1')
      journal.remove(eid, 'device_state', 'PJSIP/1')
    }
    journal.add(eid, 'device_state', 'PJSIP/2')
    expect(said).toEqual([expect.stringMatching(/^trouble: EISDIR/)])
    rmSync(join(folder, 'journal.new'), { recursive: true })
    journal.add(eid, 'device_state', 'PJSIP/3')
    expect(said.at(-1)).toBe('over')
    expect(linesOf(folder).map((line) => line.split('\t').at(-1))).toEqual(['PJSIP/2', 'PJSIP/3'])
  })
})

describe('the lock on state_dir', () => {
  it('makes the folder, keeps a second bridge out with a clear error, and ends with close', () => {
    const folder = join(scratchFolder(), 'new', 'state')
    const { journal } = open(folder)
    expect(() => open(folder)).toThrow(StateDirLocked)
    expect(() => open(folder)).toThrow(
      `failed to lock state_dir '${folder}': the hintbridge with process ID ${process.pid} uses it`,
    )
    journal.close()
    journal.close()
    open(folder)
  })

  it('is not held by a process that has died', async () => {
    const folder = scratchFolder()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    writeFileSync(join(folder, 'lock'), `${child.pid ?? 0}\n`)
    StateDirLock.take(folder).release()
    expect(existsSync(join(folder, 'lock'))).toBe(false)
  })

  it('is not held by another process that was given the same process ID', () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'lock'), `${process.pid}\nan-earlier-boot\n1234\n`)
    StateDirLock.take(folder).release()
  })

  it('is not released by one that does not hold it', () => {
    const folder = scratchFolder()
    const lock = StateDirLock.take(folder)
    writeFileSync(join(folder, 'lock'), '1\nother\nother\n')
    lock.release()
    expect(existsSync(join(folder, 'lock'))).toBe(true)
  })
})

describe('the learnt entity ID', () => {
  it('is kept for the next start', () => {
    const folder = join(scratchFolder(), 'state')
    expect(readEntityId(folder)).toBeUndefined()
    keepEntityId(folder, eid)
    expect(readEntityId(folder)).toBe(eid)
  })

  it('is not believed where the file holds anything else', () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'eid'), '00:00:00:00:00:00\n')
    expect(readEntityId(folder)).toBeUndefined()
  })
})
