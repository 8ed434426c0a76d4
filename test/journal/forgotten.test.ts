import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Journal } from '../../src/journal/journal.js'
import { scratchFolder } from '../config/scratch.js'

const jid = 'pbx-c@example.org'
const epoch = (number: number): string => number.toString(16).padStart(32, '0')

function open(folder: string) {
  const said: string[] = []
  const journal = Journal.open(folder, {
    warn: (message) => said.push(message),
    trouble: (error) => said.push(error === undefined ? 'over' : 'trouble'),
  })
  onTestFinished(() => journal.close())
  return { journal, said }
}

describe('the forgotten members', () => {
  it('are there after a restart, each in the epochs that were told last; in none it is no more', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    const command = { to: 'journal', do: 'forget' } as const
    journal.perform({ ...command, jid, epochs: [epoch(1)] })
    journal.perform({ ...command, jid: 'pbx-d@example.org', epochs: [epoch(2)] })
    journal.perform({ ...command, jid, epochs: [epoch(3), epoch(4)] })
    journal.perform({ ...command, jid: 'pbx-d@example.org', epochs: [] })
    journal.close()
    const again = open(folder)
    expect(again.journal.forgotten()).toEqual([{ jid, epochs: [epoch(3), epoch(4)] }])
    expect(again.said).toEqual([])
  })

  it('are 200 at most, the last', () => {
    const folder = scratchFolder()
    const { journal } = open(folder)
    for (let number = 0; number < 250; number += 1)
      journal.forget(`pbx-${number}@example.org`, [epoch(number)])
    journal.close()
    const jids = open(folder).journal.forgotten()
    expect([jids.length, jids.at(0)?.jid, jids.at(-1)?.jid]).toEqual([
      ...[200, 'pbx-50@example.org', 'pbx-249@example.org'],
    ])
  })

  it('are read strictly: what is none is left out and told', () => {
    const folder = scratchFolder()
    const good = `${jid}\t${epoch(1)}`
    const bad = [
      ...['', jid, `${jid}\tepoch`, `pbx\t${epoch(1)}`, `a b@c\t${epoch(1)}`],
      `${jid}/x\t${epoch(1)}`,
      [jid, ...[1, 2, 3, 4, 5].map(epoch)].join('\t'),
    ]
    writeFileSync(join(folder, 'forgotten'), [...bad, good, 'torn'].join('\n'))
    const { journal, said } = open(folder)
    expect(journal.forgotten()).toEqual([{ jid, epochs: [epoch(1)] }])
    expect(said).toEqual([
      expect.stringMatching(/^8 lines of .*forgotten are no forgotten members/),
    ])
  })

  it('that the disk did not take are written at the next chance', () => {
    const folder = scratchFolder()
    const { journal, said } = open(folder)
    const inTheWay = join(folder, 'forgotten')
    mkdirSync(inTheWay)
    journal.forget(jid, [epoch(1)])
    expect(said).toEqual(['trouble'])
    rmSync(inTheWay, { recursive: true })
    journal.add('02:00:00:00:00:0b', 'device_state', 'PJSIP/1')
    expect(said).toEqual(['trouble', 'over'])
    expect(readFileSync(inTheWay, 'utf8')).toBe(`${jid}\t${epoch(1)}\n`)
  })
})
