import { describe, expect, it, vi, onTestFinished } from 'vitest'
import { runCommandLine } from '../../src/cli/command-line.js'

async function helpOf(...command: readonly string[]): Promise<string> {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text))
  onTestFinished(() => log.mockRestore())
  expect(await runCommandLine([...command, '--help'])).toBe(0)
  return lines.join('\n')
}

describe('--help', () => {
  it('fits 80 columns, that of each command too', async () => {
    const all = await helpOf()
    const commands = [...all.matchAll(/^ {2}hintbridge (\w+)/gm)].map(([, name = '']) => name)
    expect(commands).toContain('forget')
    for (const name of ['', ...new Set(commands)]) {
      const text = await helpOf(...(name === '' ? [] : [name]))
      const wide = text.split('\n').filter((line) => line.length > 80)
      expect(wide, name).toEqual([])
    }
  })
})
