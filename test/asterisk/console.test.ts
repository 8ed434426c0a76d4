import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ConsoleUnusable, runConsole } from '../../src/asterisk/console.js'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'console-'))
})

afterAll(() => rmSync(folder, { recursive: true }))

/** A program of that shell text, in place of `asterisk`. */
function program(name: string, text: string, mode = 0o755): string {
  const file = join(folder, name)
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode })
  return file
}

async function failureOf(console: readonly string[], timeoutMs?: number): Promise<ConsoleUnusable> {
  const failure: unknown = await runConsole({ console }, 'core show version', timeoutMs).catch(
    (error: unknown) => error,
  )
  if (!(failure instanceof ConsoleUnusable))
    throw new Error('no ConsoleUnusable', { cause: failure })
  return failure
}

/** Does that as if that user ran this process. */
async function asUser<Result>(uid: number, act: () => Promise<Result>): Promise<Result> {
  const spy = vi.spyOn(process as { getuid: () => number }, 'getuid').mockReturnValue(uid)
  try {
    return await act()
  } finally {
    spy.mockRestore()
  }
}

describe("Asterisk's console", () => {
  it('is asked with -rx, the command one word, after the arguments that are configured', async () => {
    const echo = program('echo', 'for word in "$@"; do echo "<$word>"; done')
    await expect(runConsole({ console: [echo, 'exec', 'pbx'] }, 'core show $HOME')).resolves.toBe(
      '<exec>\n<pbx>\n<-rx>\n<core show $HOME>',
    )
  })

  it('answers without colours', async () => {
    const colourful = program('colourful', "printf '\\033[1;31mIn Use\\033[0m\\n'")
    await expect(runConsole({ console: [colourful] }, 'core show hints')).resolves.toBe('In Use')
  })

  it('is given no second command within a name', async () => {
    const command = 'dialplan eval function DEVICE_STATE(a)\ncore stop now'
    await expect(runConsole({ console: ['false'] }, command)).rejects.toThrow(/one line/)
  })

  it('that is not installed says which setting names it', async () => {
    const failure = await failureOf([join(folder, 'nowhere')])
    expect(failure.remedy).toBe('name its program in asterisk.console')
  })

  it('that may not be run by this user says who may, and to root what is missing', async () => {
    const console = [program('forbidden', 'true', 0o644)]
    expect((await asUser(1000, () => failureOf(console))).remedy).toBe('run this as root')
    expect((await asUser(0, () => failureOf(console))).remedy).toBe('make it executable: chmod +x')
  })

  it('of no Asterisk, or of one whose socket is closed to this user, says what to do', async () => {
    const text =
      'echo "Unable to connect to remote asterisk (does /run/asterisk.ctl exist?)" >&2; exit 1'
    const console = [program('unable', text)]
    expect((await asUser(1000, () => failureOf(console))).remedy).toBe(
      'start Asterisk; run this as root or as the user of Asterisk',
    )
    const { remedy } = await asUser(0, () => failureOf(console))
    expect(remedy).toMatch(/^start Asterisk; where it runs in a container.* asterisk\.console/)
    expect(remedy).not.toContain('as root')
  })

  it('that does not answer in time is given up', async () => {
    const failure = await failureOf([program('mute', 'exec sleep 60')], 200)
    expect(failure.reason).toMatch(/did not answer within 200 ms/)
  })

  it('that does not know the command says what may be missing', async () => {
    const text = 'echo "No such command \'core show version\' (type …)"'
    const failure = await failureOf([program('poor', text)])
    expect(failure.remedy).toBe('see whether the module that brings it is loaded')
  })

  it('that fails otherwise is quoted', async () => {
    const failure = await failureOf([program('odd', 'echo "odd thing" >&2; exit 3')])
    expect(failure.reason).toMatch(/ended with 3: odd thing/)
  })
})
