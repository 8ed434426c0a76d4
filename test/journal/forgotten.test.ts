import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { scratchFolder } from '../config/scratch.js'
import { open } from './open.js'

const jid = 'pbx-c@example.org'
const epoch = (number: number): string => number.toString(16).padStart(32, '0')

const command = { to: 'journal', do: 'forget' } as const

describe('the forgotten members', () => {
  it('are there after a restart, each in the epochs that were told last; in none it is no more', async () => {
    const folder = scratchFolder()
    const { stateDir } = await open(folder)
    stateDir.perform({ ...command, jid, epochs: [epoch(1)] })
    stateDir.perform({ ...command, jid: 'pbx-d@example.org', epochs: [epoch(2)] })
    stateDir.perform({ ...command, jid, epochs: [epoch(3), epoch(4)] })
    stateDir.perform({ ...command, jid: 'pbx-d@example.org', epochs: [] })
    stateDir.close()
    const again = await open(folder)
    expect(again.stateDir.forgotten()).toEqual([{ jid, epochs: [epoch(3), epoch(4)] }])
    expect(again.said).toEqual([])
  })

  it('are 200 at most, the last', async () => {
    const folder = scratchFolder()
    const { stateDir } = await open(folder)
    for (let number = 0; number < 250; number += 1)
      stateDir.perform({ ...command, jid: `pbx-${number}@example.org`, epochs: [epoch(number)] })
    stateDir.close()
    const jids = (await open(folder)).stateDir.forgotten()
    expect([jids.length, jids.at(0)?.jid, jids.at(-1)?.jid]).toEqual([
      ...[200, 'pbx-50@example.org', 'pbx-249@example.org'],
    ])
  })

  it('are read strictly: what is none is left out and told', async () => {
    const folder = scratchFolder()
    const good = `${jid}\t${epoch(1)}`
    const bad = [
      ...['', jid, `${jid}\tepoch`, `pbx\t${epoch(1)}`, `a b@c\t${epoch(1)}`],
      `${jid}/x\t${epoch(1)}`,
      [jid, ...[1, 2, 3, 4, 5].map(epoch)].join('\t'),
    ]
    writeFileSync(join(folder, 'forgotten'), [...bad, good, 'torn'].join('\n'))
    const { stateDir, said } = await open(folder)
    expect(stateDir.forgotten()).toEqual([{ jid, epochs: [epoch(1)] }])
    expect(said).toEqual([
      expect.stringMatching(/^8 lines of .*forgotten are no forgotten members/),
    ])
  })

  it('that the disk did not take are written as soon as it does', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const folder = scratchFolder()
    const { stateDir, said } = await open(folder)
    const inTheWay = join(folder, 'forgotten')
    mkdirSync(inTheWay)
    stateDir.perform({ ...command, jid, epochs: [epoch(1)] })
    expect(said).toEqual([expect.stringMatching(/^failed to write state_dir .* EISDIR/)])
    rmSync(inTheWay, { recursive: true })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(said.at(-1)).toBe('over')
    expect(readFileSync(inTheWay, 'utf8')).toBe(`${jid}\t${epoch(1)}\n`)
  })
})
