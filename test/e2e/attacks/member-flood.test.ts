/** One member floods the XMPP server as fast as it is read: the others' lamps go on, on the configurations that we ship. */
import xml from '@xmpp/xml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountOf, type Cluster, startCluster } from '../../../lab/cluster.js'
import { Onlooker } from '../../../lab/onlooker.js'
import { bridgeRate } from '../../../lab/xmpp-server.js'
import { createNode } from '../../../src/pubsub/create-node.js'
import { publish } from '../../../src/pubsub/publish.js'
import { shippedConfigurations } from '../shipped-configurations.js'

const flooder = accountOf('e')
const node = 'flood'
const state = xml('state', { xmlns: 'http://asterisk.org' }, 'INUSE')
const domain = 'example.org'

/** What a machine with other work on it may take longer. */
const patience = 4

interface Flood {
  /** Stanzas that the server has not answered yet. */
  left: number
  readonly over: Promise<unknown>
}

/** So many requests at once, none of which awaits the answer of another. */
function flood(count: number, request: (index: number) => Promise<unknown>): Flood {
  const under = { left: count }
  const answers = Array.from({ length: count }, async (_, index) => {
    await request(index)
    under.left--
  })
  return Object.assign(under, { over: Promise.allSettled(answers) })
}

describe.each(shippedConfigurations)(
  'a member that floods $kind',
  ({ kind, startServer, configuration }) => {
    let cluster: Cluster
    let member: Onlooker
    let isBusy = false
    const rate = bridgeRate
    /** So much is read of who was silent before, octets: an ejabberd's burst, and what one read takes. */
    const atOnce = rate + 65_536

    beforeAll(async () => {
      const hints = { night: 'Custom:night' }
      cluster = await startCluster({
        label: `member-flood-${kind}`,
        startServer,
        server: {
          configuration: (setting) => configuration(setting, ['pbx-a', 'pbx-b', flooder.user]),
          guests: [flooder],
        },
        members: { a: { hints }, b: { hints } },
      })
      member = await Onlooker.connect(cluster.server, flooder)
      await createNode(member.pubsub, node, { 'pubsub#persist_items': '1' })
    })

    afterAll(async () => {
      await member.stop()
      await cluster.stop()
    })

    /** A lamp of the others changes, and is followed. */
    async function changeLamp(timeoutMs?: number): Promise<void> {
      isBusy = !isBusy
      const [state, hint] = isBusy
        ? (['INUSE', 'InUse'] as const)
        : (['NOT_INUSE', 'Idle'] as const)
      await cluster.member('a').asterisk.setDevice('Custom:night', state)
      await cluster.member('b').asterisk.awaitHint('night', hint, timeoutMs)
    }

    test('is read at the rate of a bridge, and no faster', async () => {
      const octets = 65_536
      const count = Math.ceil((4 * rate) / octets)
      const padding = '.'.repeat(octets)
      const startedMs = performance.now()
      const ping = `<ping xmlns='urn:xmpp:ping'>${padding}</ping>`
      const { over } = flood(count, () => member.ask(domain, ping))
      await changeLamp()
      await over
      const tookMs = performance.now() - startedMs
      expect(tookMs).toBeGreaterThan(((count * octets - atOnce) * 1_000) / rate)
      // And not at the rate of strangers, at which lamps would be late.
      expect(tookMs).toBeLessThan((patience * count * octets * 1_000) / rate)
    })

    test('with thousands of small questions does not hold up the others', async () => {
      const asked = flood(10_000, () => member.ask(domain, `<ping xmlns='urn:xmpp:ping'/>`))
      // A slow machine takes long for a lamp, and the flood passes within a second.
      await changeLamp()
      expect(asked.left).toBeGreaterThan(0)
      for (let change = 0; change < 2; change++) await changeLamp()
      await asked.over
    })

    test('with items that the server stores holds up the others once: what of it is read at once goes first', async () => {
      const stored = flood(1_600, (index) =>
        publish({ ...member.pubsub, timeoutMs: 120_000 }, node, `PJSIP/${index}`, state),
      )
      await changeLamp(60_000)
      for (let change = 0; change < 3; change++) await changeLamp()
      expect(stored.left).toBeGreaterThan(0)
      await stored.over
    }, 180_000)
  },
)
