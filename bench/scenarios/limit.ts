/** What the server itself can do: bare publishes from one client, with one subscriber and no rate. */
import { Onlooker } from '../../lab/onlooker.js'
import type { Batch } from '../../src/bridge/messages.js'
import { feedCodec } from '../../src/nodes/feed.js'
import { createNode } from '../../src/pubsub/create-node.js'
import { publish } from '../../src/pubsub/publish.js'
import { subscribe } from '../../src/pubsub/subscribe.js'
import type { ServerScenario } from '../scenario.js'

const accounts = ['publisher', 'subscriber'].map((user) => ({ user, password: `secret-${user}` }))
const node = 'limit'
const perBatch = 200
const secondsOf = { full: 4, quick: 0.3 }

export const limit: ServerScenario = {
  name: 'limit',
  about: 'bare publishes, one client and one subscriber',
  async measure(site, size) {
    const server = await site.startServer(accounts, { rate: 'none' })
    const [publisher, subscriber] = await Promise.all(
      accounts.map((account) => Onlooker.connect(server, account)),
    )
    if (!publisher || !subscriber) throw new RangeError('two accounts make two clients')
    try {
      await createNode(publisher.pubsub, node, {
        'pubsub#persist_items': '0',
        'pubsub#access_model': 'open',
      })
      await subscribe(subscriber.pubsub, node, subscriber.jid)
      const one = await publishFor(publisher, secondsOf[size], 1)
      const many = await publishFor(publisher, secondsOf[size], perBatch)
      await subscriber.awaitNotifications(({ length }) => length >= one.publishes + many.publishes)
      return {
        'publishes/s': one.perSecond,
        'states/s in batches of 200': many.perSecond * perBatch,
      }
    } finally {
      await Promise.all([publisher.stop(), subscriber.stop()])
      await server.stop()
    }
  },
}

/** One publish after the other. */
async function publishFor(
  { pubsub }: Onlooker,
  seconds: number,
  entries: number,
): Promise<{ publishes: number; perSecond: number }> {
  const startedMs = performance.now()
  let publishes = 0
  while (performance.now() - startedMs < seconds * 1_000) {
    publishes++
    await publish(pubsub, node, 'batch', feedCodec.encode(batchOf(publishes, entries)))
  }
  return { publishes, perSecond: (publishes / (performance.now() - startedMs)) * 1_000 }
}

function batchOf(sequence: number, count: number): Batch {
  return {
    eid: '02:00:00:00:00:01',
    epoch: '0'.repeat(32),
    sequence,
    isBye: false,
    entries: Array.from({ length: count }, (_, index) => ({
      ...{ kind: 'device_state', id: `PJSIP/${1_000 + index}`, state: 'INUSE', cachable: true },
    })),
  }
}
