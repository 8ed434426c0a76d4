import { describe, expect, it, vi, onTestFinished } from 'vitest'
import { runCommandLine } from '../../src/cli/command-line.js'

/** What yargs prints. */
async function printed(...line: readonly string[]): Promise<string> {
  const lines: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(text))
  onTestFinished(() => log.mockRestore())
  expect(await runCommandLine(line)).toBe(0)
  return lines.join('\n')
}

const helpOf = (...command: readonly string[]): Promise<string> => printed(...command, '--help')

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

describe('completion', () => {
  it('proposes no option that nobody writes so: -c is short for --config', async () => {
    const options = await printed('--get-yargs-completions', 'hintbridge', 'explain', '--')
    expect(options.split('\n').sort()).toEqual([
      ...['--config', '--help', '--json', '--kind', '--version'],
    ])
  })
})

describe('a wrong line', () => {
  async function complaintOf(...line: readonly string[]): Promise<string> {
    const texts: string[] = []
    const write = vi
      .spyOn(process.stderr, 'write')
      .mockImplementation((text) => texts.push(String(text)) > 0)
    onTestFinished(() => write.mockRestore())
    expect(await runCommandLine(line)).toBe(1)
    return texts.join('')
  }

  it('is told that a command is unknown, what there is, and what may be meant', async () => {
    const known = 'run, init, leave, members, channels, devices, mailboxes, explain, watch, forget'
    expect(await complaintOf('foo')).toContain(
      `hintbridge: unknown command 'foo'; there are: ${known}, doctor, nodes, completion\n`,
    )
    expect(await complaintOf('membres', '--json')).toContain("completion; did you mean 'members'?")
  })

  it('is told what the command wants', async () => {
    expect(await complaintOf('explain')).toContain('Usage: hintbridge explain <device>\n')
    expect(await complaintOf('forget', 'a', 'b')).toContain('Usage: hintbridge forget <member>\n')
  })

  it('shows no word that nobody asked for: it may be a password', async () => {
    const lines = [
      [['run', 'hunter2'], 'there is a word too many'],
      [['run', '-phunter2'], 'there is a word too many'],
      [['init', '--password', 'hunter2', 'hunter2'], 'Unknown argument: --password'],
      [['init', '--password=hunter2'], 'Unknown argument: --password'],
      [['watch', 'a', 'hunter2'], 'there is a word too many'],
    ] as const
    for (const [line, complaint] of lines) {
      const told = await complaintOf(...line)
      expect(told.split('\n')[0]).toBe(`hintbridge: ${complaint}`)
      expect(told).not.toContain('hunter2')
    }
  })

  it('that names none is told so', async () => {
    expect(await complaintOf()).toBe(
      "hintbridge: name a command\nSee 'hintbridge --help' and 'hintbridge COMMAND --help'.\n",
    )
  })
})
