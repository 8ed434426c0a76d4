/** What may befall the XMPP server, and the networks between it and the bridges. */
import type { Direction } from '../../lab/tcp-proxy.js'
import { type Fault, mendedMs, reconnectMs } from './fault.js'
import type { Letter } from './rig.js'

export function linkFaults(letter: Letter): Fault[] {
  const parts = [`link ${letter}`] as const
  const cut = (name: string, ways: readonly Direction[]): Fault => ({
    ...{ name: `network of ${letter} ${name}`, parts, settleMs: mendedMs },
    lastsMs: [500, 14_000],
    run: async ({ links }, over) => {
      links.get(letter)?.cut(ways)
      await over()
      links.get(letter)?.heal()
    },
  })
  return [
    cut('cut', ['toServer', 'toClient']),
    cut('cut on the way out', ['toServer']),
    cut('cut on the way in', ['toClient']),
    {
      ...{ name: `connection of ${letter} reset`, parts, settleMs: reconnectMs, lastsMs: [0, 0] },
      run: ({ links }) => {
        links.get(letter)?.reset()
        return Promise.resolve()
      },
    },
  ]
}

export function serverFaults(): Fault[] {
  const down = (name: string, end: 'kill' | 'stop'): Fault => ({
    ...{ name: `XMPP server ${name}`, parts: ['server'], settleMs: reconnectMs },
    lastsMs: [100, 13_000],
    run: async ({ cluster: { server } }, over) => {
      await server[end]()
      await over()
      await server.start()
    },
  })
  const robbed: Fault = {
    ...down('stopped, its pubsub store lost', 'stop'),
    run: async ({ cluster: { server } }, over) => {
      await server.stop()
      await server.losePubsubStore()
      await over()
      await server.start()
    },
  }
  const forgetful: Fault = {
    ...{ name: 'XMPP server loses its pubsub store while it runs', parts: ['server'] },
    ...{ lastsMs: [0, 0], settleMs: reconnectMs },
    run: ({ cluster: { server } }) => server.losePubsubStore(),
  }
  return [down('killed', 'kill'), down('stopped', 'stop'), robbed, forgetful]
}
