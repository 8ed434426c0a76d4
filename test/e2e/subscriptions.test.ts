/**
 * Subscriptions whose node was deleted. Prosody 0.12 keeps them, and then answers no request for all subscriptions of that account
 * until it restarts (util/pubsub.lua, `flatten_subscriptions`): no bridge may wait for such an answer.
 */
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accountOf, type Cluster, startCluster } from '../../lab/cluster.js'
import type { Member } from '../../lab/member.js'
import { Onlooker } from '../../lab/onlooker.js'
import { xmppServers } from '../../lab/xmpp-servers.js'
import { feedNode } from '../../src/nodes/names.js'
import { deleteNode } from '../../src/pubsub/delete-node.js'
import { diagnose } from './doctor-process.js'

/** A request that the server does not answer would hold the bridge up for a heartbeat, 10 s. */
const atOnceMs = 4_000

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let b: Member

  beforeEach(async () => {
    const hints = { night: 'Custom:night' }
    cluster = await startCluster({
      label: 'subscriptions',
      startServer: start,
      members: { a: { hints }, b: { hints } },
    })
    ;[a, b] = [cluster.member('a'), cluster.member('b')]
  })

  afterEach(() => cluster.stop())

  /** From the stream to the announcement of the bridge's present process, ms, by its log. */
  const announcedWithin = async ({ bridge }: Member): Promise<number> => {
    const [up] = await bridge.logs(/^.*"msg":"stream is up".*$/m)
    const [announced] = await bridge.logs(/^.*"msg":"announced as a member".*$/m)
    const timeOf = (line: string): number => Date.parse((JSON.parse(line) as { time: string }).time)
    return timeOf(announced) - timeOf(up)
  }

  const expectNoFault = (): void => {
    expect(readFileSync(cluster.server.logFile, 'utf8')).not.toMatch(/traceback|CRASH REPORT/i)
  }

  test('doctor leaves none: the bridge that is restarted after it is announced at once', async () => {
    await diagnose(a.configFile)
    await a.stopBridge()
    await a.startBridge()
    expect(await announcedWithin(a)).toBeLessThan(atOnceMs)
    expectNoFault()
  })

  test('a bridge that followed a node which is deleted while it is away is announced at once', async () => {
    await Promise.all([a.stopBridge(), b.stopBridge()])
    const onlooker = await Onlooker.connect(cluster.server, accountOf('b'))
    // As any XMPP client does it, without ending the subscriptions.
    await deleteNode(onlooker.pubsub, feedNode('asterisk', b.asterisk.eid))
    await onlooker.stop()
    await a.startBridge()
    expect(await announcedWithin(a)).toBeLessThan(atOnceMs)
    expectNoFault()
  })

  test('a bridge whose peer left and came back while it was away follows it at once', async () => {
    await a.stopBridge()
    await b.leave()
    await b.startBridge()
    await b.awaitReady()
    await a.startBridge()
    await a.awaitReady(1)
    await b.asterisk.setDevice('Custom:night', 'INUSE')
    await a.asterisk.awaitHint('night', 'InUse', atOnceMs)
    expectNoFault()
  })
})
