/** Faults of Asterisk: killed, mute, overloaded, restarted (rules 1, 2, 7, 10). */
import { createSocket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import type { Running } from '../../../lab/running.js'
import type { Fault } from './fault.js'
import { silentAsteriskMs } from './settings.js'
import type { Site } from './site.js'

/** How long an overload lasts: a mute Asterisk would be withdrawn within it. */
const overloadMs = silentAsteriskMs + 2_000

const killed: Fault = {
  name: 'Asterisk killed, its port refuses: its devices are withdrawn',
  bound: 'grace + 1 s',
  run: async (site) => {
    const marks = site.marks(site.others(site.a))
    const startMs = performance.now()
    await site.a.asterisk.kill()
    return site.withdrawn(startMs, site.a, marks, site.settings.graceMs + 1_000)
  },
}

const mute: Fault = {
  name: 'Asterisk mute (SIGSTOP): its devices are withdrawn',
  bound: '12 s + grace + 1 s',
  run: (site) => {
    const marks = site.marks(site.others(site.a))
    const startMs = performance.now()
    site.a.asterisk.running.signal('SIGSTOP')
    const boundMs = silentAsteriskMs + site.settings.graceMs + 1_000
    return site.withdrawn(startMs, site.a, marks, boundMs)
  },
}

const overloaded = (what: string, overload: (site: Site) => Promise<void>): Fault => ({
  name: `Asterisk overloaded but alive (${what}): nothing is withdrawn`,
  bound: 'nothing changes',
  run: async (site) => {
    const marks = site.marks(site.members)
    await overload(site)
    return site.changes(marks)
  },
})

/** It gets a twentieth of the time that it wants: answers come late, and requests are sent again. */
async function starve(running: Running): Promise<void> {
  const endMs = performance.now() + overloadMs
  while (performance.now() < endMs) {
    running.signal('SIGSTOP')
    await delay(950)
    running.signal('SIGCONT')
    await delay(50)
  }
}

/** More requests than its socket's queue holds, so that those of the bridge are dropped with the others. */
async function flood(port: number): Promise<void> {
  const socket = createSocket('udp4')
  const endMs = performance.now() + overloadMs
  for (let count = 0; performance.now() < endMs; count++) {
    for (let index = 0; index < 100; index++) socket.send(strangeRequest(port, count, index), port)
    await delay(10)
  }
  socket.close()
}

/** An OPTIONS of nobody that Asterisk knows: it costs a challenge. */
function strangeRequest(port: number, count: number, index: number): string {
  const branch = `z9hG4bK-flood-${count}-${index}`
  return [
    `OPTIONS sip:nobody@127.0.0.1:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:9;branch=${branch}`,
    'Max-Forwards: 70',
    `From: <sip:flood@127.0.0.1>;tag=${count}`,
    `To: <sip:nobody@127.0.0.1:${port}>`,
    `Call-ID: ${branch}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n')
}

/** Everybody is right again: the others about this PBX's devices, and the PBX itself about theirs. */
const restarted = (what: string, restart: (site: Site) => Promise<void>): Fault => ({
  name: `${what} restarted: all see all again`,
  bound: '5 s after it is up',
  run: async (site) => {
    await restart(site)
    return site.agreed(performance.now(), site.members, 5_000)
  },
})

export const asterisksGone: readonly Fault[] = [killed, mute]

export const asterisksRestarted: readonly Fault[] = [
  restarted('Asterisk', async ({ a }) => {
    await a.asterisk.kill()
    await a.asterisk.start()
  }),
  restarted('Asterisk, then its bridge', async ({ a }) => {
    await Promise.all([a.asterisk.kill(), a.killBridge()])
    await a.asterisk.start()
    await a.startBridge()
  }),
  restarted('bridge, then its Asterisk', async ({ a }) => {
    await Promise.all([a.asterisk.kill(), a.killBridge()])
    await a.startBridge()
    await a.asterisk.start()
  }),
]

export const asterisksOverloaded: readonly Fault[] = [
  overloaded('starved of time', ({ a, b }) =>
    Promise.all([starve(a.asterisk.running), starve(b.asterisk.running)]).then(() => undefined),
  ),
  overloaded('flooded with requests', ({ a }) => flood(a.asterisk.sipPort)),
]
