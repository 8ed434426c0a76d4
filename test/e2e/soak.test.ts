/** A short soak (`npm run soak` is the long one): random faults on real servers, and every hint right after each storm. */
import { describe, expect, test } from 'vitest'
import { xmppServers } from '../../lab/xmpp-servers.js'
import { seed } from '../search/seed.js'
import { soak } from '../soak/soak.js'

describe.each(xmppServers)('a cluster on $kind', ({ start }) => {
  test(`shows the truth on every PBX after storms of random faults, and leaks nothing (seed ${seed})`, async () => {
    const said: string[] = []
    const result = await soak({
      ...{ startServer: start, seed, durationMs: 20_000, stormMs: [10_000, 14_000] },
      say: (line) => said.push(line),
    }).catch((error: unknown) => {
      throw new Error(`seed ${seed}\n${said.join('\n')}`, { cause: error })
    })
    expect(result.rounds).toBeGreaterThan(0)
    expect(result.faults).toBeGreaterThan(5)
    expect(result.changes).toBeGreaterThan(100)
  }, 180_000)
})
