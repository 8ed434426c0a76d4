/** The built program in its first moments, on files that are none, and beside another on one folder. No server is needed. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { changeSettings, mainFile } from '../../lab/member.js'
import { readText, run, type Running } from '../../lab/running.js'
import { claimPort, createScratch } from '../../lab/scratch.js'
import { put } from '../config/scratch.js'

const scratch = createScratch('start-up')
afterAll(() => scratch.remove())

interface Place {
  readonly folder: string
  readonly configFile: string
  readonly stateDir: string
  readonly http: string
}

/** A configuration that is right, but nobody answers. */
async function place(name: string): Promise<Place> {
  const folder = scratch.makeFolder(name)
  const configFile = join(folder, 'hintbridge.yaml')
  const [http, listen] = [await claimPort(), await claimPort()]
  put(folder, 'password', 'secret')
  const text = `
trust: ['pbx-*@example.org']
state_dir: ${folder}/state
xmpp: { service: 'xmpp://127.0.0.1:1', jid: pbx-a@example.org, password_file: password }
asterisk: { eid: '02:00:00:00:00:0a', sip: { asterisk: '127.0.0.1:1', listen: '127.0.0.1:${listen}', password_file: password } }
http: { listen: '127.0.0.1:${http}' }
`
  put(folder, 'hintbridge.yaml', text)
  return { folder, configFile, stateDir: join(folder, 'state'), http: `http://127.0.0.1:${http}` }
}

let runs = 0
function bridge(at: Place, nodeArgs: readonly string[] = [], through: readonly string[] = []) {
  const [command, ...args] = [...through, process.execPath, ...nodeArgs, mainFile, 'run'] as const
  const running = run({
    name: `bridge ${(runs += 1)}`,
    command,
    args: [...args, '--config', at.configFile],
    cwd: at.folder,
    logFile: join(at.folder, `bridge-${runs}.log`),
  })
  onTestFinished(async () => {
    await running.kill()
  })
  return running
}

const awaitHttp = (running: Running, { http }: Place): Promise<void> =>
  running.answersTcp(Number(new URL(http).port))

async function problemsOf({ http }: Place): Promise<Record<string, string>> {
  const { problems } = (await (await fetch(`${http}/health`)).json()) as {
    problems: { key: string; text: string }[]
  }
  return Object.fromEntries(problems.map(({ key, text }) => [key, text]))
}

describe('a signal', () => {
  /** Sends it to the process itself when it asks for the first module of the program after `main.js` and what hears signals. */
  const atFirstImport = (signal: string): string[] => {
    const hooks = `
      export async function resolve(specifier, context, next) {
        if (specifier.endsWith('cli/command-line.js')) {
          process.kill(process.pid, '${signal}')
          await new Promise((resolve) => setTimeout(resolve, 200))
        }
        return next(specifier, context)
      }`
    const url = (text: string): string => `data:text/javascript,${encodeURIComponent(text)}`
    const hook = `import { register } from 'node:module'; register(${JSON.stringify(url(hooks))})`
    return ['--no-warnings', '--import', url(hook)]
  }

  test.each(['SIGTERM', 'SIGINT'])(
    '%s before anything is loaded ends it with 0',
    async (signal) => {
      const at = await place(`early-${signal}`)
      const running = bridge(at, atFirstImport(signal))
      expect(await running.exited).toEqual({ code: 0, signal: null })
      expect(readText(running.options.logFile)).toBe('')
    },
  )

  test('SIGHUP before anything is loaded does no harm', async () => {
    const at = await place('early-SIGHUP')
    const running = bridge(at, atFirstImport('SIGHUP'))
    await awaitHttp(running, at)
    expect(await running.stop()).toEqual({ code: 0, signal: null })
  })

  test('a storm of SIGHUP from the first moment at which any is heard does not hold the start up', async () => {
    const at = await place('storm')
    const running = bridge(at)
    while (running.isRunning && !isHeard(running.pid)) await delay(1)
    let sent = 0
    const storm = setInterval(() => {
      running.signal('SIGHUP')
      sent += 1
    }, 1)
    await awaitHttp(running, at).finally(() => clearInterval(storm))
    expect(sent).toBeGreaterThan(20)
    expect(await running.stop()).toEqual({ code: 0, signal: null })
  })
})

/** Has the process a handler of SIGHUP? Source: proc(5), `SigCgt`, whose lowest bit is signal 1. */
function isHeard(pid: number): boolean {
  const status = readText(`/proc/${pid}/status`)
  const mask = BigInt(`0x${/^SigCgt:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`)
  return status.includes('node') && mask % 2n === 1n
}

test('a log on a full disk holds nothing up and ends nothing', async () => {
  const at = await place('log')
  const toFullDisk = ['sh', '-c', 'exec "$@" > /dev/full', 'sh']
  const running = bridge(at, [], toFullDisk)
  await awaitHttp(running, at)
  running.signal('SIGHUP')
  expect(await problemsOf(at)).toHaveProperty('asterisk')
  expect(await running.stop()).toEqual({ code: 0, signal: null })
})

describe('a file that is none', () => {
  const obstacles: [string, RegExp, (path: string) => void][] = [
    ['a FIFO', /it is a FIFO, no plain file/, (path) => execFileSync('mkfifo', [path])],
    ['a link to a device', /it is a device/, (path) => symlinkSync('/dev/zero', path)],
    ['a folder', /it is a folder/, (path) => mkdirSync(path)],
  ]

  test.each(obstacles)(
    '%s as configuration, password or CA ends with 78 at once',
    async (what, told, make) => {
      const at = await place(`refused-${what}`)
      const refuse = async (): Promise<string> => {
        const running = bridge(at)
        expect(await running.exited).toEqual({ code: 78, signal: null })
        return readText(running.options.logFile)
      }
      make(join(at.folder, 'odd'))
      changeSettings(at.configFile, { 'xmpp.password_file': 'odd', 'xmpp.tls.ca': 'odd' })
      const said = await refuse()
      expect(said).toMatch(new RegExp(`xmpp\\.password_file .*${told.source}`))
      expect(said).toMatch(new RegExp(`xmpp\\.tls\\.ca .*${told.source}`))
      renameSync(at.configFile, `${at.configFile}.aside`)
      make(at.configFile)
      expect(await refuse()).toMatch(told)
    },
  )

  test.each(obstacles)(
    '%s in place of each file of state_dir lets it start, and is told',
    async (what, told, make) => {
      const at = await place(`state-${what}`)
      mkdirSync(at.stateDir)
      const names = ['journal', 'eid', 'forgotten', 'lock', 'hintbridge.sock', 'lock.01234567']
      for (const name of names) make(join(at.stateDir, name))
      const running = bridge(at)
      await awaitHttp(running, at)
      const problems = await problemsOf(at)
      for (const name of ['journal', 'eid', 'forgotten']) {
        expect(problems['journal']).toMatch(new RegExp(`${name}' cannot be read \\(${told.source}`))
      }
      expect('control-socket' in problems).toBe(what === 'a folder')
      expect(readFileSync(join(at.stateDir, 'journal'), 'utf8')).toBe('')
      await running.stop()
    },
  )
})

describe('two bridges on one state_dir', () => {
  const container = ['unshare', ...'--pid --mount --uts --ipc --fork --kill-child'.split(' ')]

  test('the second, in a container of its own, ends with 1 and names the first', async () => {
    const [at, other] = [await place('first'), await place('second')]
    changeSettings(other.configFile, { state_dir: at.stateDir })
    const first = bridge(at)
    await awaitHttp(first, at)
    const second = bridge(other, [], [...container, '--net'])
    expect(await second.exited).toEqual({ code: 1, signal: null })
    expect(readText(second.options.logFile)).toContain(
      `failed to lock state_dir '${at.stateDir}': the hintbridge with process ID ${first.pid} on `,
    )
    await first.kill()
    const third = bridge(other, [], container)
    await third.logs(/not connected to the XMPP server/)
  })
})
