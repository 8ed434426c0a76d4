/** The cluster that is soaked: three members on a real XMPP server, each reached through a proxy that can be cut. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cluster, createCluster } from '../../lab/cluster.js'
import { changeSettings, type Member } from '../../lab/member.js'
import { TcpProxy } from '../../lab/tcp-proxy.js'
import type { XmppServer, XmppServerOptions } from '../../lab/xmpp-server.js'
import { bridgeEnv } from './leaks.js'

export const letters = ['a', 'b', 'c'] as const
export type Letter = (typeof letters)[number]

/** Its bridge is never restarted, so that what it leaks shows. */
export const witness: Letter = 'c'
/** Has the mailboxes; the others only show their lamps. */
export const postOffice: Letter = 'a'
export const mailboxes = ['1000@default', '1001@default'] as const

/** Every member has a state of its own for these … */
const sharedDevices = Array.from({ length: 24 }, (_, index) => `Custom:shared-${index}`)

/** … and for some that are its alone. */
const ownDevicesOf = (letter: Letter): string[] =>
  Array.from({ length: 8 }, (_, index) => `Custom:${letter}-${index}`)

/** The devices that a member's Asterisk has. */
export const devicesOf = (letter: Letter): readonly string[] => [
  ...sharedDevices,
  ...ownDevicesOf(letter),
]

export const allDevices: readonly string[] = [...sharedDevices, ...letters.flatMap(ownDevicesOf)]

/** The extension whose hint shows the device. */
export const extenOf = (device: string): string => device.replace('Custom:', '')

export interface Liveness {
  readonly heartbeatMs: number
  readonly deadAfterMs: number
  readonly graceMs: number
  readonly staleAfterMs: number
  /** `members` is read this often. */
  readonly membersMs: number
}

/** Shorter than by default, so that a minute holds many lives and deaths. */
export const liveness: Liveness = {
  heartbeatMs: 2_000,
  deadAfterMs: 6_000,
  graceMs: 2_000,
  staleAfterMs: 10_000,
  membersMs: 20_000,
}

export interface Rig {
  readonly cluster: Cluster
  /** Between each bridge and the server. */
  readonly links: ReadonlyMap<Letter, TcpProxy>
}

/** Starts all of it; resolves when every member is in sync with the others. */
export async function startRig(
  startServer: (options: XmppServerOptions) => Promise<XmppServer>,
): Promise<Rig> {
  const hints = Object.fromEntries(allDevices.map((device) => [extenOf(device), device]))
  const plan = (letter: Letter) => ({
    hints,
    bridgeEnv,
    settings: {
      'log.level': 'debug',
      'liveness.heartbeat': `${liveness.heartbeatMs}ms`,
      'liveness.dead_after': `${liveness.deadAfterMs}ms`,
      'liveness.grace': `${liveness.graceMs}ms`,
      'liveness.stale_after': `${liveness.staleAfterMs}ms`,
      'liveness.members': `${liveness.membersMs}ms`,
    },
    ...(letter === postOffice && { mailboxes }),
  })
  const cluster = await createCluster({
    label: 'soak',
    startServer,
    members: Object.fromEntries(letters.map((letter) => [letter, plan(letter)])),
  })
  const links = new Map<Letter, TcpProxy>()
  for (const letter of letters) {
    const link = await TcpProxy.start(cluster.server.port)
    links.set(letter, link)
    const { configFile } = cluster.member(letter)
    changeSettings(configFile, { 'xmpp.service': `xmpp://127.0.0.1:${link.port}` })
  }
  await cluster.start()
  return { cluster, links }
}

/** Ends all of it; the files stay where `isKept`. */
export async function stopRig({ cluster, links }: Rig, isKept: boolean): Promise<void> {
  await Promise.all(cluster.members.map((member) => member.stop()))
  await cluster.server.stop()
  await Promise.all([...links.values()].map((link) => link.stop()))
  if (!isKept) cluster.scratch.remove()
}

/** Keeps beside the logs what each bridge tells of itself now, or why it does not. */
export async function keepEvidence({ cluster }: Rig): Promise<void> {
  for (const { asterisk, http } of cluster.members) {
    const told = ['/ready', '/health', '/metrics'].map(async (path) => {
      const answer = await fetch(http + path).then(
        (response) => response.text(),
        (error: unknown) => String(error),
      )
      return `${path}\n${answer}`
    })
    const file = join(cluster.scratch.folder, `${asterisk.name}-at-the-end.txt`)
    writeFileSync(file, (await Promise.all(told)).join('\n'))
  }
}

/** The member of that letter. */
export const memberOf = ({ cluster }: Rig, letter: Letter): Member => cluster.member(letter)
