/** Several XMPP services in the list, the nodes of one clustered domain: when the one in use fails, the next is taken. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createCluster, type Cluster } from '../../lab/cluster.js'
import { changeSettings, type Member } from '../../lab/member.js'
import { TcpProxy } from '../../lab/tcp-proxy.js'
import { xmppServers } from '../../lab/xmpp-servers.js'

const liveness = {
  'liveness.heartbeat': '2s',
  'liveness.dead_after': '20s',
  'liveness.grace': '5s',
}

describe.each(xmppServers)('two services of one $kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member
  let first: TcpProxy
  let second: TcpProxy

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'failover',
      startServer: start,
      members: { a: { settings: liveness }, b: { settings: liveness } },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
    const portOf = (service: string): number => Number(new URL(service).port)
    // One is reached by STARTTLS and one by direct TLS, so that both are driven.
    first = await TcpProxy.start(portOf(cluster.server.service))
    second = await TcpProxy.start(portOf(cluster.server.directTlsService))
    changeSettings(a.configFile, {
      'xmpp.service': [`xmpp://127.0.0.1:${first.port}`, `xmpps://127.0.0.1:${second.port}`],
    })
    await cluster.start()
    await a.asterisk.setDevice('Custom:of-a', 'INUSE')
    await b.asterisk.setDevice('Custom:of-b', 'RINGING')
    await Promise.all([
      ...[a, b].map((member) => shows(member, 'Custom:of-a', 'INUSE')),
      ...[a, b].map((member) => shows(member, 'Custom:of-b', 'RINGING')),
    ])
  })

  /** Resolves when Asterisk has said so; asked, it knows it before. */
  const shows = ({ asterisk }: Member, device: string, state: string): Promise<unknown> =>
    asterisk.ami.awaitEvent(
      (event) => event.get('Device') === device && event.get('State') === state,
      10_000,
      0,
      `${state} of ${device} at ${asterisk.name}`,
    )

  afterAll(async () => {
    await cluster.stop()
    await Promise.all([first.stop(), second.stop()])
  })

  /** How often a bridge has said that, and to which service that named. */
  const said = (member: Member, message: string): string[] =>
    readFileSync(member.logFile, 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"${message}"`))
      .map((line) => (JSON.parse(line) as { service?: string }).service ?? '')

  /** Lets a change of each reach the other, and tells what else was seen of the lamps since then. */
  async function follow(states: readonly ['BUSY' | 'ONHOLD', 'BUSY' | 'ONHOLD'], since: number[]) {
    await a.asterisk.setDevice('Custom:next-a', states[0])
    await b.asterisk.setDevice('Custom:next-b', states[1])
    await b.asterisk.awaitDeviceState('Custom:next-a', states[0], 15_000)
    await a.asterisk.awaitDeviceState('Custom:next-b', states[1], 15_000)
    const flickered = [a, b].flatMap(({ asterisk }, index) =>
      asterisk.ami.events
        .slice(since[index])
        .filter((event) => ['Custom:of-a', 'Custom:of-b'].includes(event.get('Device') ?? '')),
    )
    expect(flickered).toEqual([])
    await Promise.all([a.awaitReady(1), b.awaitReady(1)])
  }

  const marks = (): number[] => [a, b].map(({ asterisk }) => asterisk.ami.events.length)

  test('a service that is killed is left for the next; nothing is withdrawn on either side', async () => {
    expect(said(a, 'connected to the XMPP server')).toEqual([`xmpp://127.0.0.1:${first.port}`])
    const since = marks()
    await first.stop()
    await follow(['BUSY', 'ONHOLD'], since)
    expect(said(a, 'connected to the XMPP server').at(-1)).toBe(`xmpps://127.0.0.1:${second.port}`)
    expect(await a.problems()).toEqual([])
  })

  test('a service that falls silent is left for the next within its silence limit (rule 23)', async () => {
    const since = marks()
    first = await TcpProxy.start(Number(new URL(cluster.server.service).port))
    changeSettings(a.configFile, {
      'xmpp.service': [`xmpp://127.0.0.1:${first.port}`, `xmpps://127.0.0.1:${second.port}`],
    })
    await a.stopBridge()
    await a.startBridge()
    await a.awaitReady(1)
    first.cut()
    const began = performance.now()
    await expect
      .poll(() => said(a, 'connected to the XMPP server').at(-1), { timeout: 15_000 })
      .toBe(`xmpps://127.0.0.1:${second.port}`)
    // Its heartbeat, and the time of a login; not the timeout of a connection to the mute one.
    expect(performance.now() - began).toBeLessThan(5_000)
    await follow(['ONHOLD', 'BUSY'], since)
  })
})
