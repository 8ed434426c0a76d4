/** The systemd unit, and what the real bridge tells systemd; PID 1 is played by whoever listens on NOTIFY_SOCKET. */
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCluster, type Cluster } from '../../lab/cluster.js'
import { startProsody } from '../../lab/prosody.js'
import { readText, run, type Running } from '../../lab/running.js'
import { createScratch } from '../../lab/scratch.js'

const root = join(import.meta.dirname, '../..')
const unit = join(root, 'contrib/systemd/hintbridge.service')

const analyze = (...args: readonly string[]) => promisify(execFile)('systemd-analyze', args)

describe('the systemd unit', () => {
  it('is taken by systemd without a word', async () => {
    const { stdout, stderr } = await analyze('verify', '--man=no', unit)
    expect(stdout + stderr).toBe('')
  })

  it.each([
    ['as it is', [], 1.4],
    ['with the addresses that it may speak to', ['addresses.conf'], 1.3],
  ])(
    'leaves little open of what systemd calls exposure (0 to 10): %s',
    async (_, dropIns, most) => {
      const folder = createScratch('unit')
      const copy = join(folder.makeFolder('hintbridge.service.d'), '../hintbridge.service')
      copyFileSync(unit, copy)
      for (const name of dropIns) {
        copyFileSync(join(unit, '..', name), join(folder.folder, 'hintbridge.service.d', name))
      }
      const verified = await analyze('verify', '--man=no', copy)
      expect(verified.stdout + verified.stderr).toBe('')
      const { stdout } = await analyze('security', '--offline=true', '--no-pager', copy)
      const exposure = /exposure level for hintbridge\.service: ([\d.]+)/.exec(stdout)?.[1]
      expect(Number(exposure)).toBeLessThanOrEqual(most)
      folder.remove()
    },
  )
})

/** Prints each datagram as one line of JSON. */
const listener = `
import json, socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(json.dumps(notify.recv(4096).decode()), flush=True)
`

describe('what the bridge tells systemd', () => {
  let cluster: Cluster
  let systemd: Running
  let bridge: Running
  const said = (): string[] =>
    readText(systemd.options.logFile)
      .split('\n')
      .filter((line) => line.startsWith('"'))
      .map((line) => JSON.parse(line) as string)
      // By which systemd-notify waits until it was read.
      .filter((text) => text !== 'BARRIER=1')
  /** Resolves with what is said next that matches. */
  const saysNext = (pattern: RegExp, timeoutMs = 10_000): Promise<unknown> =>
    systemd.logs(pattern, timeoutMs, readText(systemd.options.logFile).length)

  /** The one child of the bridge. */
  const helper = (): number =>
    Number(readFileSync(`/proc/${bridge.pid}/task/${bridge.pid}/children`, 'utf8').trim())

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'systemd',
      startServer: startProsody,
      members: { a: {} },
    })
    const folder = cluster.scratch.makeFolder('systemd')
    const socket = join(folder, 'notify')
    systemd = run({
      name: 'systemd',
      command: '/usr/bin/python3',
      args: ['-c', listener, socket],
      cwd: folder,
      logFile: join(folder, 'datagrams'),
    })
    await systemd.logs(/^listening/)
    bridge = run({
      name: 'bridge',
      command: process.execPath,
      args: [join(root, 'dist/main.js'), 'run', '--config', cluster.member('a').configFile],
      env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '2000000' },
      cwd: folder,
      logFile: join(folder, 'bridge.log'),
    })
  })
  afterAll(async () => {
    await bridge.stop()
    await systemd.stop()
    await cluster.stop()
  })

  it('it is ready as soon as it has started, and says what it waits for', async () => {
    await systemd.logs(/READY=1/)
    expect(said()[0]).toMatch(
      /^READY=1\nSTATUS=not in sync: Asterisk does not answer.*\nWATCHDOG=1$/,
    )
  })

  it('it says when it is in sync', async () => {
    await cluster.member('a').asterisk.start()
    await systemd.logs(/STATUS=in sync\\nWATCHDOG=1/)
  })

  it('it gives no sign of life while it stands still', async () => {
    await saysNext(/WATCHDOG=1/) // the next one is a second away
    bridge.signal('SIGSTOP')
    const before = said().length
    await expect(saysNext(/WATCHDOG/, 3_000)).rejects.toThrow('nothing found')
    expect(said()).toHaveLength(before)
    const goesOn = saysNext(/WATCHDOG=1/)
    bridge.signal('SIGCONT')
    await goesOn
  })

  it('its helper knows nothing of its environment but where systemd listens', () => {
    const environment = readFileSync(`/proc/${helper()}/environ`, 'utf8')
    const names = environment.split('\0').map((assignment) => assignment.split('=')[0])
    expect(names.filter(Boolean).toSorted()).toEqual(['NOTIFY_SOCKET', 'PATH'])
  })

  it('it says when it stops, though systemd ends its helper too, and nothing after that', async () => {
    const pid = helper()
    process.kill(pid, 'SIGTERM')
    await bridge.stop()
    await systemd.logs(/STOPPING=1/)
    // A process that nobody has waited for yet has no command line any more.
    const commandLine = `/proc/${pid}/cmdline`
    await expect.poll(() => existsSync(commandLine) && readText(commandLine)).toBeFalsy()
    expect(said().at(-1)).toBe('STOPPING=1\nSTATUS=stopping')
  })
})
