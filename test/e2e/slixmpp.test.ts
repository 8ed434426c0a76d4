/** The cluster as slixmpp sees it: an XMPP client that nobody here wrote, of Debian's package python3-slixmpp. */
import { once } from 'node:events'
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startCluster, type Cluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const script = join(import.meta.dirname, 'slixmpp/look.py')
const looker = { user: 'looker', password: 'secret' }
/** A name that XML has to escape. */
const device = 'Custom:Tür&<1>'

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let python: ChildProcessWithoutNullStreams
  let output: Interface
  const lines: unknown[] = []

  beforeAll(async () => {
    cluster = await startCluster({
      label: 'slixmpp',
      startServer: start,
      server: { guests: [looker] },
      // It is an account that nobody trusts, and that may read at A.
      members: { a: { settings: { inspectors: [`${looker.user}@example.org`] } }, b: {} },
    })
    a = cluster.member('a')
    await a.asterisk.setDevice(device, 'RINGING')
    await cluster.member('b').asterisk.awaitDeviceState(device, 'RINGING')
    await a.awaitMetric('hintbridge_window_pending', {}, (pending) => pending === 0)
    const { server } = cluster
    python = spawn('/usr/bin/python3', [
      ...[script, '127.0.0.1', String(server.port), server.caFile],
      ...[`${looker.user}@${server.domain}`, looker.password, server.pubsub],
      ...['asterisk', a.asterisk.eid, device],
    ])
    output = createInterface(python.stdout)
    output.on('line', (line) => lines.push(JSON.parse(line)))
    python.stderr.pipe(process.stderr)
  })

  afterAll(async () => {
    python.stdin.end()
    await once(python, 'exit')
    await cluster.stop()
  })

  /** The first line that has that key, now or later. */
  async function said(key: string, match: (line: object) => boolean = () => true): Promise<object> {
    for (;;) {
      const found = lines.find(
        (line): line is object =>
          typeof line === 'object' && line !== null && key in line && match(line),
      )
      if (found) return found
      await once(output, 'line', { signal: AbortSignal.timeout(20_000) })
    }
  }

  test('it finds all nodes of the cluster', async () => {
    const { nodes } = (await said('nodes')) as { nodes: string[] }
    const own = (eid: string) =>
      ['device_state', 'feed', 'message_waiting'].map((name) => `asterisk/${eid}/${name}`)
    expect(nodes.sort()).toEqual([
      ...own('02:00:00:00:00:0a'),
      ...own('02:00:00:00:00:0b'),
      'asterisk/members',
    ])
  })

  const state = (text: string) => ({
    id: device,
    name: '{http://asterisk.org}state',
    attributes: { eid: '02:00:00:00:00:0a', cachable: '1' },
    text,
    children: [],
  })

  test('it reads the state of a device by the name of the device', async () => {
    expect(await said('found')).toEqual({ found: [state('RINGING')] })
  })

  test('it is told of a change, by the feed at once and by the retained node', async () => {
    await said('subscribed')
    await a.asterisk.setDevice(device, 'INUSE')
    const isOn = (name: string) => (line: object) =>
      'node' in line && line.node === `asterisk/${a.asterisk.eid}/${name}`
    const isFeed = (line: object): boolean =>
      isOn('feed')(line) && JSON.stringify(line).includes('"INUSE"')
    expect(await said('item', isFeed)).toMatchObject({
      item: {
        name: '{urn:hintbridge:1}batch',
        attributes: { eid: a.asterisk.eid },
        children: [['{urn:hintbridge:1}state', { id: device }, 'INUSE']],
      },
    })
    expect(await said('item', isOn('device_state'))).toMatchObject({ item: state('INUSE') })
  })
})
