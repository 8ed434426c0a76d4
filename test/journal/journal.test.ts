import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Journal } from '../../src/journal/journal.js'
import { scratchFolder } from '../config/scratch.js'
import { eid } from './open.js'

function open(folder: string) {
  const said: string[] = []
  const journal = new Journal(folder, {
    warn: (message) => said.push(message),
    lost: (message) => said.push(message),
    failed: (error) => said.push(String(error)),
  })
  journal.write()
  onTestFinished(() => journal.close())
  return { journal, said }
}

/** What stands in the file, without its state being changed by an `open`. */
function linesOf(folder: string): string[] {
  return readFileSync(join(folder, 'journal'), 'utf8').split('\n').slice(0, -1)
}

const idsOf = (journal: Journal): string[] => journal.entries().map(({ id }) => id)

describe('the journal', () => {
  it('has each line in the file when add and remove return', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    journal.add(eid, 'device_state', 'PJSIP/1 é')
    expect(linesOf(folder)).toEqual([`+\t${eid}\tdevice_state\tPJSIP/1 é`])
    journal.remove(eid, 'device_state', 'PJSIP/1 é')
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
    journal.add(eid, 'device_state', 'a', true)
    journal.add(eid, 'device_state', 'b', true)
    journal.add(eid, 'device_state', 'b')
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
    expect(idsOf(open(folder).journal)).toEqual(['PJSIP/1', 'PJSIP/2'])
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
      'x'.repeat(300_000),
    ]
    writeFileSync(join(folder, 'journal'), [...bad, good, ''].join('\n'))
    const { journal, said } = open(folder)
    expect(idsOf(journal)).toEqual(['PJSIP/1'])
    expect(said).toEqual([expect.stringMatching(/^7 lines of /)])
  })

  it('takes a name whose octets two pieces of the file divide', () => {
    const folder = scratchFolder()
    const names = Array.from({ length: 4_000 }, (_, number) => `PJSIP/é${'é'.repeat(number % 90)}`)
    const ids = names.map((name, number) => `${name}${number}`)
    const text = ids.map((id) => `+\t${eid}\tdevice_state\t${id}\n`).join('')
    writeFileSync(join(folder, 'journal'), text)
    const { journal, said } = open(folder)
    expect(idsOf(journal)).toEqual(ids)
    expect(said).toEqual([])
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
    expect(idsOf(open(folder).journal)).toEqual(['PJSIP/kept'])
  })

  it('goes on in the old file where there is no room to rewrite it, says so once, and is rewritten later', () => {
    const folder = scratchFolder()
    const { journal, said } = open(folder)
    mkdirSync(join(folder, 'journal.new'))
    for (let turn = 0; turn < 700; turn++) {
      journal.add(eid, 'device_state', 'PJSIP/1')
      journal.remove(eid, 'device_state', 'PJSIP/1')
    }
    journal.add(eid, 'device_state', 'PJSIP/2')
    expect(said).toEqual([expect.stringMatching(/EISDIR/)])
    expect(linesOf(folder)).toHaveLength(1401)
    rmSync(join(folder, 'journal.new'), { recursive: true })
    journal.write()
    expect(linesOf(folder)).toEqual([`+\t${eid}\tdevice_state\tPJSIP/2`])
  })

  it('writes no line for itself once it could not be written, but all in the next write', () => {
    const folder = scratchFolder()
    const { journal, said } = open(folder)
    journal.close() // as a file whose disk takes nothing
    for (let number = 0; number < 20_000; number++) {
      journal.add(eid, 'device_state', `PJSIP/${number}`)
    }
    expect([said, linesOf(folder)]).toEqual([[], []])
    journal.write()
    expect(linesOf(folder)).toHaveLength(20_000)
  })

  it('takes 250,000 states and says that there are more, which it keeps nothing of', () => {
    const folder = scratchFolder()
    const { journal, said } = open(folder)
    journal.close()
    for (let number = 0; number < 250_002; number++) {
      journal.add(eid, 'device_state', `PJSIP/${number}`)
    }
    expect([journal.size, said]).toEqual([
      250_000,
      [expect.stringMatching(/^Asterisk holds more than 250000 states of other members: .* none/)],
    ])
    journal.remove(eid, 'device_state', 'PJSIP/250001')
    journal.remove(eid, 'device_state', 'PJSIP/0')
    journal.add(eid, 'device_state', 'PJSIP/new')
    expect([journal.size, said.length]).toEqual([250_000, 1])
  })
})

describe('a journal that cannot be read', () => {
  it.each([
    ['a folder', /it is a folder, no plain file/, (file: string) => mkdirSync(file)],
    ['a FIFO', /it is a FIFO, no plain file/, (file: string) => execFileSync('mkfifo', [file])],
    ['a device', /it is a device, no plain file/, linkToDevice],
  ])('such as %s is told, and does not stand in the way', (_what, told, make) => {
    const folder = scratchFolder()
    make(join(folder, 'journal'))
    const { journal, said } = open(folder)
    expect(said).toEqual([expect.stringMatching(told)])
    journal.add(eid, 'device_state', 'PJSIP/1')
    expect(linesOf(folder)).toHaveLength(1)
    journal.close()
    expect(idsOf(open(folder).journal)).toEqual(['PJSIP/1'])
  })

  it(
    'whole, for it is larger than this program writes, is read to there and told',
    { timeout: 60_000 },
    () => {
      const folder = scratchFolder()
      const file = join(folder, 'journal')
      writeFileSync(file, `+\t${eid}\tdevice_state\tPJSIP/1\n`)
      truncateSync(file, 600_000_000) // of which the file system keeps nothing
      const { journal, said } = open(folder)
      expect(said).toEqual([expect.stringMatching(/journal' has more than 160640000 octets/)])
      expect([idsOf(journal), linesOf(folder).length]).toEqual([['PJSIP/1'], 1])
    },
  )

  it('is set aside, and read once it can be: what it names is in the journal again', () => {
    const folder = scratchFolder()
    const aside = join(folder, 'journal.unread')
    mkdirSync(join(folder, 'journal'))
    open(folder).journal.close()
    expect(statSync(aside).isDirectory()).toBe(true)
    rmSync(aside, { recursive: true })
    writeFileSync(aside, `+\t${eid}\tdevice_state\told\n+\t${eid}\tdevice_state\tgone\n`)
    appendFileSync(join(folder, 'journal'), `-\t${eid}\tdevice_state\tgone\n`)
    const { journal, said } = open(folder)
    expect([idsOf(journal), said]).toEqual([['old'], []])
    expect(statSync(aside, { throwIfNoEntry: false })).toBeUndefined()
    journal.close()
    expect(idsOf(open(folder).journal)).toEqual(['old'])
  })
})

function linkToDevice(file: string): void {
  symlinkSync('/dev/zero', file)
}
