import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type NameEntry, Names } from '../../src/journal/names.js'
import { open as openStateDir } from './open.js'

const folder = (): string => mkdtempSync(join(tmpdir(), 'hintbridge-names-'))

function entry(id: string, taken = 0): NameEntry {
  return { jid: 'pbx-b@example.org', kind: 'device_state', id, taken }
}

function open(directory: string): { names: Names; warnings: string[] } {
  const warnings: string[] = []
  return { names: new Names(directory, (message) => warnings.push(message)), warnings }
}

describe('the file of the names that Asterisk was given', () => {
  it('gives them to the next run, once, and is added to', () => {
    const directory = folder()
    const { names } = open(directory)
    for (const each of [entry('PJSIP/1'), entry('Custom:a b', 7)]) names.add(each)
    names.write()
    names.add({ ...entry('1@default', 9), kind: 'message_waiting' })
    names.write()
    names.close()
    const next = open(directory).names
    const all = [
      entry('PJSIP/1'),
      entry('Custom:a b', 7),
      { ...entry('1@default', 9), kind: 'message_waiting' },
    ]
    expect(next.take()).toEqual(all)
    expect(next.take()).toEqual([])
    next.write()
    next.close()
    expect(open(directory).names.take()).toEqual(all)
  })

  it('begins anew when Asterisk has restarted', () => {
    const directory = folder()
    const { names } = open(directory)
    names.add(entry('PJSIP/1'))
    names.write()
    names.clear()
    names.add(entry('PJSIP/2'))
    names.write()
    names.close()
    expect(open(directory).names.take()).toEqual([entry('PJSIP/2')])
  })

  it('leaves out lines that are none, and says how many; of a torn last one it says nothing', () => {
    const directory = folder()
    const good = 'pbx-b@example.org\tdevice_state\tPJSIP/1\t5\n'
    const bad = [
      'pbx-b\tdevice_state\tPJSIP/2\t5',
      'pbx-b@example.org\tstate\tPJSIP/3\t5',
      'pbx-b@example.org\tdevice_state\t\t5',
      'pbx-b@example.org\tdevice_state\tPJSIP/4\t-5',
      'pbx-b@example.org\tdevice_state\tPJSIP/5\t5\tmore',
    ]
    writeFileSync(join(directory, 'names'), `${good}${bad.join('\n')}\n`)
    appendFileSync(join(directory, 'names'), 'pbx-b@example.org\tdev')
    const { names, warnings } = open(directory)
    expect(names.take()).toEqual([entry('PJSIP/1', 5)])
    expect(warnings).toEqual([
      `5 lines of '${join(directory, 'names')}' are no names and are left out`,
    ])
  })

  it('is kept with the rest of state_dir, also where the disk was full', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const directory = folder()
    const file = join(directory, 'names')
    mkdirSync(`${file}.new`)
    const { stateDir, said } = await openStateDir(directory)
    stateDir.perform({ to: 'journal', do: 'addName', ...entry('PJSIP/1', 3) })
    expect(said).toEqual([expect.stringMatching(/^failed to write state_dir .*EISDIR/)])
    rmSync(`${file}.new`, { recursive: true })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(said.at(-1)).toBe('over')
    expect(readFileSync(file, 'utf8')).toBe('pbx-b@example.org\tdevice_state\tPJSIP/1\t3\n')
    stateDir.close()
    const next = (await openStateDir(directory)).stateDir
    expect(next.names()).toEqual([entry('PJSIP/1', 3)])
    next.perform({ to: 'journal', do: 'clearNames' })
    next.close()
    expect(readFileSync(file, 'utf8')).toBe('')
  })

  it('is told and counted from 0 where it is no file', () => {
    const directory = folder()
    mkdirSync(join(directory, 'names'))
    const { names, warnings } = open(directory)
    expect([names.take(), warnings]).toEqual([
      [],
      [expect.stringMatching(/it is a folder, no plain file/)],
    ])
  })
})
