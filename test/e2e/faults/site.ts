/** A cluster for faults: every member has devices in use, one has voicemail, and all see all of it. */
import { type Cluster, createCluster } from '../../../lab/cluster.js'
import type { Member } from '../../../lab/member.js'
import { changeSettings } from '../../../lab/member.js'
import { type Direction, TcpProxy } from '../../../lab/tcp-proxy.js'
import type { XmppServer, XmppServerOptions } from '../../../lab/xmpp-server.js'
import type { FaultGroup, Measured } from './fault.js'
import { areAll, changesSince, forEach, mark, toldAll, type Mark } from './lamps.js'
import { injectionMs, toFile, type Settings } from './settings.js'

/** Of member A; it has one new message. */
export const mailbox = '1000@default'
/** Asterisk's own device for it. */
export const lamp = `MWI:${mailbox}`
/** After any fault all is right again within this. */
const healMs = 60_000
/** A measurement goes on for so long beyond its bound, to say by how much it was missed. */
const overtimeMs = 20_000

export class Site {
  readonly #cut = new Set<string>()
  /** Streams that end again within 10 s grow the backoff: the next fault must not inherit it. */
  #isBackoffGrown = false
  #isUnreachable = false

  private constructor(
    readonly cluster: Cluster,
    readonly settings: Settings,
    /** By letter. */
    private readonly counts: Readonly<Record<string, number>>,
    /** Between each bridge and the XMPP server, by letter. */
    private readonly proxies: ReadonlyMap<string, TcpProxy>,
  ) {}

  /** Starts server and members; rejects where they do not come to agree. */
  static async start(
    group: FaultGroup,
    startServer: (options: XmppServerOptions) => Promise<XmppServer>,
  ): Promise<Site> {
    const letters = Object.keys(group.devices)
    const cluster = await createCluster({
      label: `faults-${group.name.replaceAll(' ', '-')}`,
      startServer,
      members: Object.fromEntries(
        letters.map((letter) => [
          letter,
          { settings: toFile(group.settings), mailboxes: letter === 'a' ? [mailbox] : [] },
        ]),
      ),
    })
    const proxies = new Map<string, TcpProxy>()
    for (const letter of letters) {
      const proxy = await TcpProxy.start(cluster.server.port)
      proxies.set(letter, proxy)
      const service = `xmpp://127.0.0.1:${proxy.port}`
      changeSettings(cluster.member(letter).configFile, { 'xmpp.service': service })
    }
    const site = new Site(cluster, group.settings, group.devices, proxies)
    await site.#populate()
    return site
  }

  get members(): readonly Member[] {
    return this.cluster.members
  }

  get server(): XmppServer {
    return this.cluster.server
  }

  /** The member on which most faults come. */
  get a(): Member {
    return this.cluster.member('a')
  }

  get b(): Member {
    return this.cluster.member('b')
  }

  others(member: Member): Member[] {
    return this.members.filter((other) => other !== member)
  }

  /** Cuts the network between a bridge and the server without a FIN, one way or both. */
  cut(member: Member, directions?: readonly Direction[]): void {
    const letter = letterOf(member)
    this.proxies.get(letter)?.cut(directions)
    this.#cut.add(letter)
    this.#isBackoffGrown = true
  }

  /** Ends the XMPP server. */
  async endServer(end: 'kill' | 'stop'): Promise<void> {
    this.#isBackoffGrown = true
    await this.server[end]()
  }

  /** Nobody gets to the XMPP server any more: connections are refused. */
  async hideServer(): Promise<void> {
    this.#isUnreachable = true
    this.#isBackoffGrown = true
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.stop()))
  }

  async showServer(): Promise<void> {
    if (!this.#isUnreachable) return
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.start()))
    this.#isUnreachable = false
  }

  /** The devices of that member, all INUSE. */
  devicesOf(member: Member): string[] {
    const letter = letterOf(member)
    const count = this.counts[letter] ?? 0
    return Array.from({ length: count }, (_, index) => `Custom:${letter}-${index}`)
  }

  devicesOfOthers(member: Member): string[] {
    return this.others(member).flatMap((other) => this.devicesOf(other))
  }

  /** A bound, with what injecting so many devices adds to it (rule 25). */
  bound(ms: number, devices: number): number {
    return ms + injectionMs(devices)
  }

  /** How long after `startMs` all of a member's devices were withdrawn where these marks are. */
  async withdrawn(
    startMs: number,
    member: Member,
    marks: readonly Mark[],
    boundMs: number,
  ): Promise<Measured> {
    const devices = this.devicesOf(member)
    const all = marks.map((since) => ({ since, devices }))
    return this.#withdrawnAll(startMs, all, boundMs)
  }

  /** How long after `startMs` each of these members' Asterisks had withdrawn all that others have. */
  async emptied(startMs: number, marks: readonly Mark[], boundMs: number): Promise<Measured> {
    const all = marks.map((since) => ({
      since,
      devices: this.members
        .filter(({ asterisk }) => asterisk !== since.pbx)
        .flatMap((member) => this.devicesOf(member)),
    }))
    return this.#withdrawnAll(startMs, all, boundMs)
  }

  async #withdrawnAll(
    startMs: number,
    all: readonly { readonly since: Mark; readonly devices: readonly string[] }[],
    boundMs: number,
  ): Promise<Measured> {
    const limitMs = this.bound(boundMs, Math.max(...all.map(({ devices }) => devices.length)))
    const times = await Promise.all(
      all.map(({ since, devices }) => toldAll(since, devices, 'UNKNOWN', limitMs + overtimeMs)),
    )
    return { ms: Math.max(...times) - startMs, boundMs: limitMs }
  }

  /** How long after `startMs` each of these Asterisks saw all that the other members have. */
  async agreed(startMs: number, who: readonly Member[], boundMs: number): Promise<Measured> {
    const devices = who.map((member) => this.devicesOfOthers(member))
    const limitMs = this.bound(boundMs, Math.max(...devices.map(({ length }) => length)))
    const times = await Promise.all(
      who.map((member, index) =>
        areAll(member.asterisk, devices[index] ?? [], 'INUSE', limitMs + overtimeMs),
      ),
    )
    return { ms: Math.max(...times) - startMs, boundMs: limitMs }
  }

  /** Marks of these members' Asterisks. */
  marks(members: readonly Member[]): Mark[] {
    return members.map(({ asterisk }) => mark(asterisk))
  }

  /** What these Asterisks have told of others' devices and of the mailbox since; a later change of each member is awaited first. */
  async changes(marks: readonly Mark[]): Promise<Measured> {
    await this.passFence()
    const watched = [...this.members.flatMap((member) => this.devicesOf(member)), lamp]
    return { changes: marks.flatMap((since) => changesSince(since, watched)) }
  }

  /** Changes a device at each member, and resolves when all others have seen it and all that was to be injected before. */
  async passFence(): Promise<void> {
    for (const origin of this.members) await this.signal(origin)
    for (const member of this.members) {
      await member.awaitMetric('hintbridge_injection_pending', {}, (pending) => pending === 0)
      // Its answer follows what was injected before.
      await member.asterisk.cli('core show uptime')
    }
  }

  /** Changes one device of a member; gives the time at which the last of the others has seen it. */
  async signal(origin: Member, timeoutMs = healMs): Promise<number> {
    const device = `Custom:fence-${letterOf(origin)}`
    const isRaised = (await origin.asterisk.deviceState(device)) === 'INUSE'
    const next = isRaised ? 'NOT_INUSE' : 'INUSE'
    const marks = this.marks(this.others(origin))
    await origin.asterisk.setDevice(device, next)
    return Math.max(
      ...(await Promise.all(marks.map((since) => toldAll(since, [device], next, timeoutMs)))),
    )
  }

  /** What was cut carries again; what lost something is reset, as hosts do when they hear of each other again. */
  mend(): void {
    for (const letter of this.#cut) {
      this.proxies.get(letter)?.heal()
      this.proxies.get(letter)?.reset()
    }
    this.#cut.clear()
  }

  /** Starts what does not run, carries what was cut, and resolves when all see all again. */
  async heal(): Promise<void> {
    const { server } = this.cluster
    if (!server.running.isRunning) await server.start()
    await this.showServer()
    this.mend()
    await Promise.all(this.members.map((member) => revive(member)))
    if (this.#isBackoffGrown) await this.#restartBridges()
    await this.#awaitAgreement()
  }

  async stop(): Promise<void> {
    await this.cluster.stop()
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.stop()))
  }

  async #restartBridges(): Promise<void> {
    await Promise.all(
      this.members.map(async (member) => {
        await member.stopBridge()
        await member.startBridge()
      }),
    )
    this.#isBackoffGrown = false
  }

  async #populate(): Promise<void> {
    await Promise.all(
      this.members.map(async (member) => {
        const { asterisk } = member
        await asterisk.start()
        await forEach(this.devicesOf(member), (device) => asterisk.setDevice(device, 'INUSE'))
        // Its database is written once a second, and at a stop: a kill must not lose these.
        await asterisk.restart()
        await member.startBridge()
      }),
    )
    this.a.asterisk.layVoicemail(mailbox, 1)
    await this.#awaitAgreement()
  }

  async #awaitAgreement(): Promise<void> {
    await Promise.all(
      this.members.map((member) => member.awaitReady(this.members.length - 1, healMs)),
    )
    await this.agreed(0, this.members, healMs)
    await Promise.all(
      this.members.map(({ asterisk }) => asterisk.awaitDeviceState(lamp, 'INUSE', healMs)),
    )
    await this.passFence()
  }
}

function letterOf({ asterisk }: Member): string {
  return asterisk.name.slice('pbx-'.length)
}

async function revive(member: Member): Promise<void> {
  const { asterisk } = member
  if (asterisk.running.isRunning) asterisk.running.signal('SIGCONT')
  else await asterisk.start()
  if (!member.bridge.isRunning) await member.startBridge()
}
