/** An account that no `trust` names, whose name is made to be slow to compare, and who sends what a rate limit lets through. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { accountOf, createCluster, type Cluster } from '../../../lab/cluster.js'
import type { Member } from '../../../lab/member.js'
import { Onlooker } from '../../../lab/onlooker.js'
import { xmppServers } from '../../../lab/xmpp-servers.js'
import { namespace } from '../../../src/nodes/strict.js'
import { StanzaError } from '../../../src/xmpp/errors.js'

/** With the globs below a backtracking engine takes a second for it. */
const eve = { user: 'a'.repeat(200), password: 'secret' }
const trust = ['pbx-*@*', '*a*a*a*a*-pbx@*']
const rounds = 100
/** Of the bridge's CPU time, for a question, a presence and a message; 1 to 2 ms were seen. */
const mostMs = 10

const questions = [
  `<status xmlns='${namespace}'/>`,
  `<snapshot xmlns='${namespace}' epoch='${'f'.repeat(32)}'/>`,
]

describe.each(xmppServers)('$kind', ({ start }) => {
  let cluster: Cluster
  let a: Member
  let stranger: Onlooker

  beforeAll(async () => {
    cluster = await createCluster({
      label: 'stranger-storm',
      startServer: start,
      server: { guests: [eve] },
      members: { a: { settings: { trust } } },
    })
    a = cluster.member('a')
    await cluster.start()
    stranger = await Onlooker.connect(cluster.server, eve)
  })

  afterAll(async () => {
    await stranger.stop()
    await cluster.stop()
  })

  test('is refused at a bounded cost, whatever its name', async () => {
    const bridge = `${accountOf('a').user}@${cluster.server.domain}/${a.asterisk.eid}`
    const before = await a.metric('process_cpu_seconds_total')
    for (let round = 0; round < rounds; round += 1) {
      stranger.send(`<presence to='${bridge}'/>`)
      stranger.send(`<message to='${bridge}'><body>hello</body></message>`)
      const question = questions[round % questions.length] ?? ''
      const refusal = await stranger.ask(bridge, question).catch((error: unknown) => error)
      expect(refusal).toBeInstanceOf(StanzaError)
    }
    const spentMs = ((await a.metric('process_cpu_seconds_total')) - before) * 1_000
    console.log(`${(spentMs / rounds).toFixed(2)} ms of CPU time a round`)
    expect(spentMs / rounds).toBeLessThan(mostMs)
  })
})
