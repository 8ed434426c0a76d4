import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAsterisk, type Asterisk } from '../../lab/asterisk.js'
import { createCa, type CertificateAuthority } from '../../lab/ca.js'
import { dialogStates, Phone } from '../../lab/phone.js'
import { claimPort, createScratch, type Scratch } from '../../lab/scratch.js'
import type { XmppServer } from '../../lab/xmpp-server.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

let scratch: Scratch
let ca: CertificateAuthority

beforeAll(async () => {
  scratch = createScratch('lab-test')
  ca = await createCa(scratch)
})

afterAll(() => scratch.remove())

describe.each(xmppServers)('$kind', ({ start }) => {
  let server: XmppServer

  beforeAll(async () => {
    server = await start({ scratch, ca, accounts: [{ user: 'pbx-a', password: 'secret' }] })
  })

  afterAll(() => server.stop())

  test('offers a certificate of the lab for its domain after STARTTLS, and takes the password', async () => {
    expect(await login(server, 'pbx-a', 'secret')).toBe('success')
    expect(await login(server, 'pbx-a', 'wrong')).toBe('failure')
  })

  test('takes an account that is added while it runs', async () => {
    await server.addAccount({ user: 'late', password: 'comer' })
    expect(await login(server, 'late', 'comer')).toBe('success')
  })

  test('is found on its ports with its accounts after a restart and after a kill', async () => {
    await server.restart()
    expect(await login(server, 'pbx-a', 'secret')).toBe('success')
    await server.kill()
    expect(server.running.isRunning).toBe(false)
    await server.start()
    expect(await login(server, 'pbx-a', 'secret')).toBe('success')
  })
})

describe('Asterisk', () => {
  const alice = { user: '1001', password: 'alice', mailbox: '1000@default' }
  const bob = { user: '1002', password: 'bob' }
  let a: Asterisk
  let b: Asterisk

  beforeAll(async () => {
    const common = {
      scratch,
      hints: { 1001: 'PJSIP/1001', night: 'Custom:night' },
      queues: { support: ['PJSIP/1001'] },
    }
    ;[a, b] = await Promise.all([
      startAsterisk({
        ...common,
        name: 'pbx-a',
        eid: '02:00:00:00:00:0a',
        phones: [alice, bob],
        mailboxes: ['1000@default'],
      }),
      startAsterisk({ ...common, name: 'pbx-b', eid: '02:00:00:00:00:0b' }),
    ])
  })

  afterAll(() => Promise.all([a.stop(), b.stop()]))

  test('runs twice side by side, each with its own entity ID', async () => {
    expect(await a.cli('core show settings')).toMatch(/Entity ID: +02:00:00:00:00:0a$/m)
    expect(await b.cli('core show settings')).toMatch(/Entity ID: +02:00:00:00:00:0b$/m)
  })

  test('shows a device change in its event stream and in its hint, and only there', async () => {
    const change = a.ami.awaitEvent((event) => event.get('Event') === 'DeviceStateChange')
    await a.setDevice('Custom:night', 'INUSE')
    expect(Object.fromEntries(await change)).toMatchObject({
      Device: 'Custom:night',
      State: 'INUSE',
    })
    await a.awaitHint('night', 'InUse')
    expect(await a.deviceState('Custom:night')).toBe('INUSE')
    expect(await b.hint('night')).toBe('Idle')
  })

  test('carries a call between two phones; hint and queue follow it', async () => {
    const callee = new Phone(scratch, alice, a.sipPort)
    const caller = new Phone(scratch, bob, a.sipPort)
    await callee.register()
    const lamp = await caller.subscribeHint('1001')
    const call = await caller.call('1001', { holdMs: 500 })
    await a.awaitHint('1001', 'InUse')
    await a.awaitQueueMemberStatus('support', 'PJSIP/1001', 'INUSE')
    expect(await call.ended).toEqual({ code: 0, signal: null })
    const states = dialogStates(await lamp.awaitNotifies(({ length }) => length === 4))
    expect(states).toEqual(['terminated', 'early', 'confirmed', 'terminated'])
    await Promise.all([callee.stop(), caller.stop()])
  })

  test('lights and clears the lamp of a phone when messages are laid into its spool and taken away', async () => {
    const phone = new Phone(scratch, alice, a.sipPort)
    const lamp = await phone.subscribeMailbox()
    a.layVoicemail('1000@default', 2)
    const lit = await lamp.awaitNotifies(({ length }) => length === 2)
    expect(lit[1]?.body).toBe('Messages-Waiting: yes\r\nVoice-Message: 2/0 (0/0)\r\n')
    a.clearVoicemail('1000@default')
    const cleared = await lamp.awaitNotifies(({ length }) => length === 3)
    expect(cleared[2]?.body).toBe('Messages-Waiting: no\r\nVoice-Message: 0/0 (0/0)\r\n')
    await phone.stop()
  })

  test('comes back on its ports after a kill', async () => {
    await b.kill()
    await b.start()
    expect(await b.deviceState('Custom:night')).toBe('UNKNOWN')
  })
})

test('no port is claimed twice', async () => {
  const ports = await Promise.all(Array.from({ length: 50 }, () => claimPort()))
  expect(new Set(ports).size).toBe(50)
})

test('nothing is left running when the process that started it is killed hard', async () => {
  const fixture = join(import.meta.dirname, 'fixtures/start-everything.ts')
  const starter = spawn(process.execPath, ['--import', 'tsx', fixture], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(starter.stdout, 'data')) as [Buffer]
  const folder = line.toString().trim()
  const names = programsIn(folder).join(' ')
  for (const name of ['beam.smp', 'lua', 'ld-linux', 'sipp']) expect(names).toContain(name)
  starter.kill('SIGKILL')
  await expect.poll(() => programsIn(folder), { timeout: 5_000 }).toEqual([])
  rmSync(folder, { recursive: true })
})

/** Names of the processes, not yet dead, that work in a folder. */
function programsIn(folder: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        if (!readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)) return []
        return [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()]
      } catch {
        return [] // it ended meanwhile
      }
    })
}

/** STARTTLS and SASL PLAIN by hand (RFC 6120), with the certificate checked for the domain; the answer's element name. */
async function login(server: XmppServer, user: string, password: string): Promise<string> {
  const header = `<stream:stream to='${server.domain}' version='1.0' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>`
  const plain = connect(server.port, '127.0.0.1')
  plain.write(header)
  await answer(plain, /<\/stream:features>/)
  plain.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
  await answer(plain, /<proceed/)
  const secure = connectTls({
    socket: plain,
    servername: server.domain,
    ca: readFileSync(server.caFile),
  })
  await once(secure, 'secureConnect')
  secure.write(header)
  await answer(secure, /<\/stream:features>/)
  const initial = Buffer.from(`\0${user}\0${password}`).toString('base64')
  secure.write(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${initial}</auth>`)
  const [, name = ''] = await answer(secure, /<(success|failure)[ />]/)
  secure.destroy()
  return name
}

/** Reads from a socket until it matches. */
async function answer(socket: NodeJS.ReadableStream, pattern: RegExp): Promise<RegExpExecArray> {
  let text = ''
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    text += chunk.toString()
    const match = pattern.exec(text)
    if (match !== null) return match
  }
}
