/**
 * Whoever holds the bridge's port for a moment challenges Asterisk for a realm that it knows nothing of: its publisher waits for
 * ever. Nobody may have to find that out by the lamps.
 */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { type Cluster, createCluster } from '../../../lab/cluster.js'
import type { Member } from '../../../lab/member.js'
import { startProsody } from '../../../lab/prosody.js'

const events = ['asterisk-devicestate', 'asterisk-mwi']
const key = 'asterisk-unproven'

/** Holds the port until it has challenged one PUBLISH of each event, and answers nothing else. */
async function challengeEach(port: number, events: Iterable<string>): Promise<void> {
  const left = new Set(events)
  const socket = createSocket('udp4')
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  await new Promise<void>((resolve) => {
    socket.on('message', (datagram, { address, port: from }) => {
      const request = datagram.toString()
      const field = (name: string): string =>
        new RegExp(`^${name}: *(.*)\r$`, 'im').exec(request)?.[1] ?? ''
      if (!request.startsWith('PUBLISH') || !left.delete(field('Event'))) return
      const lines = [
        'SIP/2.0 401 Unauthorized',
        `Via: ${field('Via').replace('rport', `rport=${from}`)}`,
        ...['From', 'Call-ID', 'CSeq'].map((name) => `${name}: ${field(name)}`),
        `To: ${field('To')};tag=stray`,
        'WWW-Authenticate: Digest realm="elsewhere", nonce="00", algorithm=MD5, qop="auth"',
        'Content-Length: 0',
      ]
      socket.send(
        `${lines.join('\r\n')}\r\n\r\n`,
        from,
        address,
        () => left.size === 0 && resolve(),
      )
    })
  })
  socket.close()
  await once(socket, 'close')
}

describe('a stray challenge', () => {
  let cluster: Cluster
  let a: Member
  let port: number
  const etc = (): string => join(dirname(a.asterisk.consoleFile), 'etc/pjsip_hintbridge.conf')
  const edit = (change: (text: string) => string): void =>
    writeFileSync(etc(), change(readFileSync(etc(), 'utf8')))
  const console = async (command: string): Promise<void> => {
    await promisify(execFile)(a.asterisk.consoleFile, ['-rx', command])
  }
  const change = async (value: boolean): Promise<void> => {
    a.asterisk.layVoicemail('1000@default', value ? 1 : 0)
    await a.asterisk.setDevice('Custom:night', value ? 'INUSE' : 'NOT_INUSE')
  }

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'stray',
      startServer: startProsody,
      members: { a: { hints: { night: 'Custom:night' }, mailboxes: ['1000@default'] } },
    })
    a = cluster.member('a')
    const settings = parse(readFileSync(a.configFile, 'utf8')) as {
      asterisk: { sip: { listen: string } }
    }
    port = Number(settings.asterisk.sip.listen.split(':').at(-1))
    await cluster.start()
  })
  afterAll(() => cluster.stop())

  it('is named within a minute with its remedy, no reload mends it, and the remedy does', async () => {
    await a.stopBridge()
    const challenged = challengeEach(port, events)
    await change(true)
    await challenged
    await a.startBridge()
    // Where nothing moves Asterisk cannot show itself either; where one kind does, the other is named by its fence.
    const text = await a.awaitProblem(key, true, 60_000)
    expect(text).toContain('has not shown')
    expect((await a.problems()).map((problem) => problem.key)).toEqual([key])

    for (const module of ['', '_outbound_publish', '_publish_asterisk']) {
      await console(`module reload res_pjsip${module}.so`)
    }
    await change(false)
    await expect(a.awaitProblem(key, false, 3_000)).rejects.toThrow(key)

    const command = /'(module reload [^']*)', which ends no call/.exec(text)?.[1] ?? ''
    edit((conf) => conf.replaceAll(/^to_uri = sip:/gm, 'to_uri = sip:again-'))
    await console(command)
    await a.awaitProblem(key, false, 35_000)
    await a.awaitReady()
  }, 120_000)
})
