import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { completionScript } from '../../src/cli/completion-script.js'
import { proposable, proposeNames } from '../../src/cli/completion.js'

const run = promisify(execFile)

describe('completion', () => {
  it('leaves options and what no name follows to yargs, and is mute where no bridge can be asked', async () => {
    expect(await proposeNames(['hintbridge', 'exp'])).toBeUndefined()
    expect(await proposeNames(['hintbridge', 'explain', '--js'])).toBeUndefined()
    expect(await proposeNames(['hintbridge', 'explain', '--config', '/no'])).toBeUndefined()
    expect(await proposeNames(['hintbridge', 'explain', '-c', '/nowhere', 'PJ'])).toEqual([])
  })

  it('proposes no name that a shell would run, expand or take for an option', () => {
    const good = ['PJSIP/1001', 'Custom:night', '1000@default', 'Local/*97@x', 'pbx-a.example.org']
    const bad = [
      ...['PJSIP/1 $(touch x)', 'PJSIP/1;x', 'a|b', 'a`b`', '$HOME', 'a&b', 'a>b', "a'b", 'a"b'],
      ...['a b', 'a\nb', 'a\\b', '--config', '~root', '#1', '(a)', '{a,b}', '!1', ''],
    ]
    expect(proposable([...good, ...bad], '')).toEqual(good)
    expect(proposable(good, 'PJ')).toEqual(['PJSIP/1001'])
  })
})

describe("bash's script", () => {
  let folder: string

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'hb-completion-'))
    await writeFile(path.join(folder, 'script'), completionScript('bash'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  /** What bash would insert in place of the last piece of a line, where the command proposes these names. */
  async function complete(line: string, names: readonly string[]): Promise<string[]> {
    const stub = path.join(folder, 'hintbridge')
    const proposals = names.map((name) => `'${name}'`).join(' ')
    await writeFile(
      stub,
      `#!/bin/sh\nprintf '%s\\n' "$@" >"$0.args"\nprintf '%s\\n' ${proposals}\n`,
    )
    await chmod(stub, 0o755)
    const commands = [
      `source ${path.join(folder, 'script')}`,
      // As bash has it for a user who types; a shell that reads a script need not set it.
      `COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:' COMP_LINE=$1 COMP_POINT=\${#1}`,
      '_hintbridge hintbridge',
      `for reply in "\${COMPREPLY[@]}"; do printf '%s\\n' "$reply"; done`,
    ]
    const env = { PATH: `${folder}:${process.env['PATH'] ?? ''}` }
    // With a socket for its input and no SHLVL, bash takes itself for a remote shell and would run the user's ~/.bashrc.
    const { stdout } = await run('bash', ['--norc', '-c', commands.join('\n'), 'bash', line], {
      env,
      cwd: folder,
    })
    return stdout.split('\n').filter((each) => each !== '')
  }

  it('completes a name with a colon or an @ from where bash has broken the word', async () => {
    const custom = ['Custom:night', 'Custom:nine', 'Custom:day']
    expect(await complete('hintbridge explain Custom:ni', custom)).toEqual(['night', 'nine'])
    expect(await complete('hintbridge explain Custom:', custom)).toEqual(['night', 'nine', 'day'])
    expect(await complete('hintbridge explain Cus', custom)).toEqual(custom)
    expect(await complete('hintbridge explain 1000@def', ['1000@default'])).toEqual(['@default'])
    expect(await complete('hintbridge explain ', ['PJSIP/1'])).toEqual(['PJSIP/1'])
  })

  it('passes on the words of the line, and leaves a file name to bash', async () => {
    const shown = ['Custom:night']
    await complete('hintbridge  explain -c x.yaml Custom:ni', shown)
    const { stdout } = await run('cat', [path.join(folder, 'hintbridge.args')])
    expect(stdout).toBe('--get-yargs-completions\nhintbridge\nexplain\n-c\nx.yaml\nCustom:ni\n')
    expect(await complete('hintbridge explain --config ', shown)).toEqual([])
  })

  it('runs nothing of what is proposed', async () => {
    const name = 'PJSIP/1 $(touch ran)'
    expect(await complete('hintbridge explain PJ', [name])).toEqual([name])
    expect(existsSync(path.join(folder, 'ran'))).toBe(false)
  })
})
