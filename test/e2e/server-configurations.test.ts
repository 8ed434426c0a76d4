/** The server configurations that we ship and document: real servers run on them, and bridges have a rate of their own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCa } from '../../lab/ca.js'
import { accountOf, type Cluster, startCluster } from '../../lab/cluster.js'
import { startEjabberd } from '../../lab/ejabberd.js'
import { Onlooker } from '../../lab/onlooker.js'
import { createScratch } from '../../lab/scratch.js'
import type { XmppServer } from '../../lab/xmpp-server.js'
import { createNode } from '../../src/pubsub/create-node.js'
import { diagnose } from './doctor-process.js'
import { mergedEjabberd, shippedConfigurations } from './shipped-configurations.js'

const stranger = { user: 'stranger', password: 'secret' }
const pings = 10
const padding = 'x'.repeat(8_000)

/** Sends pings of 8 kB at once; counts the answers as they come, and says when all are there. */
function burst(onlooker: Onlooker): { answers: number; readonly all: Promise<unknown> } {
  // Not in an attribute: Debian's libexpat may put off the last tag as long as that until more comes.
  const ping = `<ping xmlns='urn:xmpp:ping'>${padding}</ping>`
  const count = { answers: 0 }
  const asked = Array.from({ length: pings }, async () => {
    await onlooker.ask('example.org', ping)
    count.answers++
  })
  return Object.assign(count, { all: Promise.allSettled(asked) })
}

const connectBoth = (server: XmppServer): Promise<[Onlooker, Onlooker]> =>
  Promise.all([Onlooker.connect(server, accountOf('a')), Onlooker.connect(server, stranger)])

async function expectMoreForBridges(server: XmppServer): Promise<void> {
  const [bridge, other] = await connectBoth(server)
  const held = burst(other)
  const free = burst(bridge)
  await free.all
  expect(free.answers).toBe(pings)
  expect(held.answers).toBeLessThan(pings)
  await Promise.all([bridge.stop(), other.stop()])
}

describe.each(shippedConfigurations)(
  'the configuration for $kind',
  ({ kind, startServer, configuration }) => {
    let cluster: Cluster

    beforeAll(async () => {
      const hints = { night: 'Custom:night' }
      cluster = await startCluster({
        label: `shipped-${kind}`,
        startServer,
        server: { configuration, guests: [stranger] },
        members: { a: { hints }, b: { hints } },
      })
    })
    afterAll(() => cluster.stop())

    it('carries a cluster without a problem', async () => {
      await cluster.member('a').asterisk.setDevice('Custom:night', 'INUSE')
      await cluster.member('b').asterisk.awaitHint('night', 'InUse')
      expect(await cluster.member('a').problems()).toEqual([])
      expect(await cluster.member('b').problems()).toEqual([])
    })

    it('leaves doctor nothing to complain of, and nothing unchecked', async () => {
      const { findings } = await diagnose(cluster.member('a').configFile)
      const unsure = findings.filter(({ severity }) => severity !== 'ok')
      expect(unsure).toEqual([])
    })

    it('lets no stranger create a node', async () => {
      const onlooker = await Onlooker.connect(cluster.server, stranger)
      await expect(createNode(onlooker.pubsub, 'mine', {})).rejects.toThrow('forbidden')
      await onlooker.stop()
    })

    it('answers all of a bridge’s burst while it still holds a stranger back', () =>
      expectMoreForBridges(cluster.server))
  },
)

describe('the lines for an ejabberd that is there', () => {
  let server: XmppServer
  const scratch = createScratch('merged-ejabberd')

  beforeAll(async () => {
    const ca = await createCa(scratch)
    const accounts = [accountOf('a')]
    const configuration = mergedEjabberd
    server = await startEjabberd({ scratch, ca, accounts, guests: [stranger], configuration })
  })
  afterAll(async () => {
    await server.stop()
    scratch.remove()
  })

  it('let bridges alone create nodes', async () => {
    const [bridge, other] = await connectBoth(server)
    await createNode(bridge.pubsub, 'ours', {})
    await expect(createNode(other.pubsub, 'mine', {})).rejects.toThrow('forbidden')
    await Promise.all([bridge.stop(), other.stop()])
  })

  it('let bridges send more, and nobody else', () => expectMoreForBridges(server))
})
