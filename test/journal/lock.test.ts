/** Two bridges on one folder, in whatever namespaces: of processes (containers) or of networks. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { transformWithEsbuild } from 'vite'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { StateDirLock, StateDirLocked } from '../../src/journal/lock.js'
import { scratchFolder } from '../config/scratch.js'

const isRoot = process.geteuid?.() === 0

const source = join(import.meta.dirname, '../../src/journal/lock.ts')
const use = `
  await StateDirLock.take(process.argv[1])
  console.log('taken')
  setInterval(() => undefined, 1000)
`
let program = ''
beforeAll(async () => {
  program = (await transformWithEsbuild(readFileSync(source, 'utf8'), source)).code + use
})

/** A process that takes the lock and stays; `through` is what it is started by. */
async function holder(folder: string, ...through: readonly string[]) {
  const [command = '', ...args] = [
    ...[...through, process.execPath],
    ...['--input-type=module', '--eval', program, folder],
  ]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => (complaint += part))
  const said = await Promise.race([
    once(child.stdout, 'data').then(String),
    once(child, 'exit').then(() => complaint),
  ])
  return { child, said }
}

async function taken(folder: string): Promise<StateDirLock> {
  const lock = await StateDirLock.take(folder)
  onTestFinished(() => lock.release())
  return lock
}

/** Processes are started, perhaps on a busy machine. */
const timeout = 60_000

describe('the lock on state_dir', { timeout }, () => {
  it('keeps a second one out, says whose process holds it, and ends with its release', async () => {
    const folder = scratchFolder()
    const lock = await taken(folder)
    await expect(StateDirLock.take(folder)).rejects.toThrow(StateDirLocked)
    await expect(StateDirLock.take(folder)).rejects.toThrow(
      `failed to lock state_dir '${folder}': the hintbridge with process ID ${process.pid} on `,
    )
    lock.release()
    lock.release()
    expect(readdirSync(folder)).toEqual([])
    await taken(folder)
  })

  it('is not held by a process that was killed, whose socket is removed', async () => {
    const folder = scratchFolder()
    const { child } = await holder(folder)
    const left = readdirSync(folder)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(readdirSync(folder)).toEqual(left)
    await taken(folder)
    expect(readdirSync(folder)).toHaveLength(1)
    expect(readdirSync(folder)).not.toEqual(left)
  })

  it('is held by a process that stands still', async () => {
    const folder = scratchFolder()
    const { child } = await holder(folder)
    child.kill('SIGSTOP')
    await expect(StateDirLock.take(folder)).rejects.toThrow(`: another hintbridge uses it; `)
  })

  it('is taken by one at most of many that come at once', async () => {
    const folder = scratchFolder()
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, () => StateDirLock.take(folder)),
    )
    const winners = results.filter((result) => result.status === 'fulfilled')
    expect(winners.length).toBeLessThanOrEqual(1)
    winners.forEach(({ value }) => value.release())
    await taken(folder)
  })

  it('is held by a bridge of version 0.1.0, which has no such socket: its control socket answers', async () => {
    const folder = scratchFolder()
    const former = createServer()
    await once(former.listen(join(folder, 'hintbridge.sock')), 'listening')
    onTestFinished(() => void former.close())
    await expect(StateDirLock.take(folder)).rejects.toThrow(StateDirLocked)
  })

  it('is not held by what a bridge of version 0.1.0 left, and by nothing else that lies there', async () => {
    const folder = scratchFolder()
    writeFileSync(join(folder, 'lock'), `${process.pid}\n`)
    writeFileSync(join(folder, 'hintbridge.sock'), '')
    writeFileSync(join(folder, 'lock.12345678'), '')
    mkdirSync(join(folder, 'lock.00000000'))
    await taken(folder)
    const names = readdirSync(folder).filter((name) => name !== 'lock.00000000')
    expect(names).toEqual(['hintbridge.sock', expect.stringMatching(/^lock\.[0-9a-f]{8}$/)])
  })

  describe.runIf(isRoot)('as root', () => {
    it.each([
      ['PID', ['unshare', '--pid', '--fork', '--kill-child']],
      ['network', ['unshare', '--net']],
      [
        'PID, network, mount, IPC and UTS',
        ['unshare', ...'-p -f --kill-child -n -m -i -u'.split(' ')],
      ],
    ])(
      'keeps out a process in another %s namespace, and is held by one there',
      async (_, through) => {
        const folder = scratchFolder()
        const lock = await taken(folder)
        const out = await holder(folder, ...through, '--')
        expect(out.said).toContain(`the hintbridge with process ID ${process.pid} on `)
        lock.release()
        const held = await holder(folder, ...through, '--')
        expect(held.said).toBe('taken\n')
        await expect(StateDirLock.take(folder)).rejects.toThrow(StateDirLocked)
      },
    )

    it('of root is no dead one to the user whom the folder belongs to', async () => {
      const folder = scratchFolder()
      chmodSync(folder, 0o777)
      await taken(folder)
      const { said } = await holder(folder, 'setpriv', '--reuid=65534', '--clear-groups', '--')
      expect(said).toContain(`the hintbridge with process ID ${process.pid} on `)
    })
  })
})
