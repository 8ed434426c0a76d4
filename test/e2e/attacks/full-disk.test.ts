/** A disk that is full when the bridge starts, fills up under it, or is read-only: a small file system of its own as `state_dir`. */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cluster, createCluster } from '../../../lab/cluster.js'
import { hintbridge, type Member } from '../../../lab/member.js'
import { startProsody } from '../../../lab/prosody.js'
import { Journal } from '../../../src/journal/journal.js'

/** Longer than the longest pause between two attempts to write. */
const mendedMs = 35_000

describe('a full disk under state_dir', () => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let stateDir: string
  let turn = 0

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'full-disk',
      startServer: startProsody,
      // The EID of B is learnt and must be kept too.
      members: { a: {}, b: { settings: { 'asterisk.eid': undefined } } },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    stateDir = join(dirname(b.configFile), 'state')
    mkdirSync(stateDir)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,nr_inodes=64', 'tmpfs', stateDir])
    await Promise.all([a, b].flatMap(({ asterisk }) => asterisk.start()))
    await a.startBridge()
  })

  afterAll(async () => {
    await cluster.member('b').stop()
    execFileSync('umount', [stateDir])
    await cluster.stop()
  })

  const inStateDir = (name: string): string => join(stateDir, name)
  const remount = (option: string): void =>
    void execFileSync('mount', ['-o', `remount,${option}`, stateDir])

  /** Takes all room, so that not even one octet more can be written. */
  function fill(): void {
    const file = openSync(inStateDir('fill'), 'a')
    expect(() => {
      for (;;) writeSync(file, Buffer.alloc(4_096))
    }).toThrow('ENOSPC')
    closeSync(file)
  }

  /** Takes all inodes, so that not even an empty file or a socket can be made. */
  function fillInodes(): void {
    mkdirSync(inStateDir('inodes'))
    expect(() => {
      for (let number = 0; ; number += 1) {
        closeSync(openSync(inStateDir(`inodes/${number}`), 'w'))
      }
    }).toThrow('ENOSPC')
  }

  const free = (name: string): void => rmSync(inStateDir(name), { recursive: true })

  /** New devices of A, and old ones that change, are seen at B. */
  async function share(): Promise<void> {
    turn += 1
    const state = turn % 2 === 0 ? 'NOT_INUSE' : 'INUSE'
    const devices = ['Custom:kept', `Custom:${turn}`]
    await Promise.all(devices.map((device) => a.asterisk.setDevice(device, state)))
    await Promise.all(devices.map((device) => b.asterisk.awaitDeviceState(device, state)))
  }

  /** All that was shared so far stands in the journal; the EID is kept. */
  async function expectMended(): Promise<void> {
    expect(await b.awaitProblem('journal', false, mendedMs)).toBe('')
    await b.awaitProblem('control-socket', false, mendedMs)
    const journal = readFileSync(inStateDir('journal'), 'utf8')
    const names = ['kept', ...Array.from({ length: turn }, (_, number) => `${number + 1}`)]
    for (const name of names) {
      expect(journal).toContain(`+\t${a.asterisk.eid}\tdevice_state\tCustom:${name}\n`)
    }
    expect(readFileSync(inStateDir('eid'), 'utf8')).toBe(`${b.asterisk.eid}\n`)
    expect(await hintbridge(['members', '--config', b.configFile])).toContain('pbx-a')
  }

  async function startBridge(): Promise<void> {
    await b.startBridge()
    await b.awaitReady(1)
  }

  test('from the first start on: it starts, learns its EID, shares and says what is wrong', async () => {
    fill()
    await startBridge()
    await share()
    expect(await b.awaitProblem('journal')).toMatch(
      /^failed to write state_dir '.*': ENOSPC: .* free space/,
    )
    expect(readdirSync(stateDir)).not.toContain('eid')
    expect(await hintbridge(['members', '--config', b.configFile])).toContain('pbx-a')
  })

  test('over a restart after it was killed: it starts and learns its EID again', async () => {
    await b.killBridge()
    await startBridge()
    await share()
    expect(await b.awaitProblem('journal')).toContain('ENOSPC')
  })

  test('mended under the running bridge: all is written, health is clear', async () => {
    free('fill')
    await expectMended()
  })

  test('that fills up under the running bridge, and is mended', async () => {
    fill()
    await share()
    await share()
    // What is left of the last page takes some lines yet.
    for (let more = 0; (await b.problems()).length === 0 && more < 200; more += 1) await share()
    expect(await b.awaitProblem('journal')).toContain('ENOSPC')
    free('fill')
    await expectMended()
  })

  test('that lacks but inodes: it starts without lock and control socket, and takes both when it can', async () => {
    await b.stopBridge()
    fillInodes()
    await startBridge()
    await share()
    expect(await b.awaitProblem('journal')).toMatch(/^failed to write state_dir .* ENOSPC/)
    expect(await b.awaitProblem('control-socket')).toContain('cannot ask this bridge')
    free('inodes')
    await expectMended()
  })

  test('that is read-only: it starts on what it can read, and writes when it can', async () => {
    await b.stopBridge()
    remount('ro')
    await startBridge()
    await share()
    expect(await b.awaitProblem('journal')).toMatch(/^failed to write state_dir .* EROFS/)
    remount('rw')
    await expectMended()
  })

  test('costs 20,000 new names no more than a disk with room', () => {
    const folder = inStateDir('probe')
    mkdirSync(folder)
    remount('size=16m')
    const cpuMs = (work: () => void): number => {
      const before = process.cpuUsage()
      work()
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1_000
    }
    const failures: unknown[] = []
    const take = (eid: string): number => {
      const failed = (error: unknown): unknown => failures.push(error)
      const outlets = { warn: (): void => undefined, lost: failed, failed }
      const journal = new Journal(folder, outlets)
      journal.write()
      if (eid.endsWith('f')) fill()
      const ms = cpuMs(() => {
        for (let number = 0; number < 20_000; number += 1) {
          journal.add(eid, 'device_state', `PJSIP/${number}`)
        }
      })
      journal.close()
      return ms
    }
    const withRoomMs = take('02:00:00:00:00:0e')
    expect(failures).toEqual([])
    const fullMs = take('02:00:00:00:00:0f')
    expect(failures).toMatchObject([{ code: 'ENOSPC' }])
    expect(fullMs).toBeLessThan(withRoomMs)
  })
})
