/** Asterisk 22, any number of instances from one unpacked Debian; `lab/prepare` makes that. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { deviceStates, type DeviceState } from '../src/bridge/state.js'
import { AmiClient } from './ami.js'
import { configurationFiles, pjsipConf, type Place } from './asterisk-config.js'
import type { Running } from './running.js'
import { claimPort, labFolder, type Scratch } from './scratch.js'
import { Server } from './server.js'

/** A phone that may register, call, and subscribe to hints and to its mailbox. */
export interface PhoneAccount {
  readonly user: string
  readonly password: string
  /** `mailbox@context` whose lamp the phone may subscribe to; it may be another server's. */
  readonly mailbox?: string
  /** The device is BUSY, no more INUSE, with that many calls. */
  readonly busyAt?: number
}

export interface AsteriskOptions {
  readonly scratch: Scratch
  /** Folder name inside the scratch folder. */
  readonly name: string
  /** Six hex octets, `02:00:00:00:00:0a`. */
  readonly eid: string
  readonly phones?: readonly PhoneAccount[]
  /** Devices by extension; an extension of a `PJSIP/` device also dials it. */
  readonly hints?: Readonly<Record<string, string>>
  /** Members by queue; calling the extension `queue-NAME` enters it. */
  readonly queues?: Readonly<Record<string, readonly string[]>>
  /** Own mailboxes, `1000@default`: their spool is polled every second and their counts are Asterisk's own. */
  readonly mailboxes?: readonly string[]
  /** Text of the `pjsip_hintbridge.conf` that `hintbridge init` writes. */
  readonly hintbridgeConf?: string
  /** More lines for `pjsip.conf`. */
  readonly pjsip?: string
  /** More lines for the context `default` of `extensions.conf`. */
  readonly dialplan?: readonly string[]
  /** Without a TCP transport, as where only UDP phones are. */
  readonly isUdpOnly?: boolean
  /** Modules beyond those that the lab needs, without `.so`. */
  readonly modules?: readonly string[]
  /** Further configuration files by name, such as `xmpp.conf`. */
  readonly files?: Readonly<Record<string, string>>
  /** Claimed before, where a bridge's configuration is written first; else a free one. */
  readonly sipPort?: number
}

/** The folder that holds Asterisk's Debian; throws when `lab/prepare` has not made it. */
export function asteriskRoot(): string {
  const cache =
    process.env['HINTBRIDGE_LAB'] === undefined
      ? '/var/cache/hintbridge-lab'
      : join(labFolder, 'cache')
  const root = join(cache, 'asterisk-22')
  if (!existsSync(root)) throw new Error(`no Asterisk in ${root}: run \`bash lab/prepare true\``)
  return root
}

/** Writes the configuration of an Asterisk of its own, starts it and waits until it has fully booted. */
export async function startAsterisk(options: AsteriskOptions): Promise<Asterisk> {
  const asterisk = await createAsterisk(options)
  await asterisk.start()
  return asterisk
}

/** Writes the configuration without starting: for an Asterisk that comes after its bridge. */
export async function createAsterisk(options: AsteriskOptions): Promise<Asterisk> {
  const root = asteriskRoot()
  const libraries = multiarchFolder(root)
  const place: Place = {
    folder: options.scratch.makeFolder(options.name),
    root,
    modules: join(libraries, 'asterisk/modules'),
    sipPort: options.sipPort ?? (await claimPort()),
    amiPort: await claimPort(),
    amiSecret: randomBytes(12).toString('hex'),
  }
  for (const name of ['etc', 'var', 'spool', 'run', 'log']) {
    mkdirSync(join(place.folder, name), { recursive: true })
  }
  for (const [name, text] of Object.entries(configurationFiles(options, place))) {
    writeFileSync(join(place.folder, 'etc', name), text)
  }
  return new Asterisk(options, place, libraries)
}

function multiarchFolder(root: string): string {
  const triplet = readdirSync(join(root, 'usr/lib')).find((name) =>
    existsSync(join(root, 'usr/lib', name, 'asterisk/modules')),
  )
  if (triplet === undefined) throw new Error(`no Asterisk in ${root}`)
  return join(root, 'usr/lib', triplet)
}

/** One Asterisk, running or not. */
export class Asterisk {
  readonly name: string
  readonly eid: string
  readonly sipPort: number
  /** Where its manager interface listens, for the user `lab`, and that one's secret. */
  readonly manager: { readonly port: number; readonly secret: string }
  /** `127.0.0.1:PORT`, as the bridge's configuration names it. */
  readonly sipAddress: string
  readonly logFile: string
  /** A script that is `asterisk` for this instance: `-r` for its console, `-rx COMMAND`. */
  readonly consoleFile: string
  readonly #server: Server
  #ami: AmiClient | undefined

  constructor(
    private readonly options: AsteriskOptions,
    private readonly place: Place,
    libraries: string,
  ) {
    this.name = options.name
    this.eid = options.eid
    this.sipPort = place.sipPort
    this.manager = { port: place.amiPort, secret: place.amiSecret }
    this.sipAddress = `127.0.0.1:${place.sipPort}`
    this.logFile = join(place.folder, 'log/console.log')
    const loader = readdirSync(libraries).find((name) => /^ld-linux.*\.so\.\d$/.test(name))
    if (loader === undefined) throw new Error(`no dynamic loader in ${libraries}`)
    // Its own dynamic loader runs a program of another Debian without chroot, so that it sees the scratch folder.
    const command = join(libraries, loader)
    const args = [
      ...['--argv0', 'asterisk', '--library-path', libraries],
      ...[join(place.root, 'usr/sbin/asterisk'), '-C', join(place.folder, 'etc/asterisk.conf')],
    ]
    this.consoleFile = join(place.folder, 'asterisk')
    const line = [command, ...args].map((word) => `'${word}'`).join(' ')
    writeFileSync(this.consoleFile, `#!/bin/sh\nexec ${line} "$@"\n`, { mode: 0o755 })
    this.#server = new Server(
      {
        name: options.name,
        command,
        args: [...args, '-f'],
        cwd: place.folder,
        logFile: this.logFile,
      },
      async (running) => {
        await running.logs(/^Asterisk Ready\.$/m) // AMI says FullyBooted before there are console commands
        this.#ami = await AmiClient.connect(place.amiPort, 'lab', place.amiSecret)
      },
    )
  }

  get running(): Running {
    return this.#server.running
  }

  /** The manager interface of the present process: actions and the stream of events. */
  get ami(): AmiClient {
    if (this.#ami === undefined) throw new Error(`${this.name} is not running`)
    return this.#ami
  }

  start(): Promise<void> {
    return this.#server.start()
  }

  async stop(): Promise<void> {
    this.#closeAmi()
    await this.#server.stop()
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#closeAmi()
    await this.#server.kill()
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  #closeAmi(): void {
    this.#ami?.close()
    this.#ami = undefined
  }

  /** Output of a console command. */
  cli(command: string): Promise<string> {
    return this.ami.command(command)
  }

  /** Reloads a module, or all. */
  async reload(module?: string): Promise<void> {
    await this.ami.action('Reload', module === undefined ? {} : { Module: module })
  }

  /** Replaces the phones that it knows; calls go on. */
  async setPhones(phones: readonly PhoneAccount[]): Promise<void> {
    this.writeConfiguration('pjsip.conf', pjsipConf({ ...this.options, phones }, this.place))
    await this.reload('res_pjsip.so')
  }

  /** Replaces one configuration file; `reload` makes it count. */
  writeConfiguration(file: string, text: string): void {
    writeFileSync(join(this.place.folder, 'etc', file), text)
  }

  /** State of a hint as `ast_extension_state2str` says it: `Idle`, `InUse`, `Ringing`, `Unavailable`, `On Hold` … */
  async hint(exten: string): Promise<string> {
    const state = await this.ami.action('ExtensionState', { Exten: exten, Context: 'default' })
    return state.get('StatusText') ?? ''
  }

  /** `DEVICE_STATE(device)`: the sum over all EIDs. */
  async deviceState(device: string): Promise<DeviceState> {
    const answer = await this.ami.action('Getvar', { Variable: `DEVICE_STATE(${device})` })
    return answer.get('Value') as DeviceState
  }

  /** Sets a `Custom:` device; Asterisk lets nobody set UNKNOWN, `lab/own-states.ts` does. */
  async setDevice(device: string, state: DeviceState): Promise<void> {
    const output = await this.cli(`devstate change ${device} ${state}`)
    if (!output.startsWith('Changing')) throw new Error(`failed to set ${device}: ${output}`)
  }

  /** What a queue believes of one of its members. */
  async queueMemberStatus(queue: string, member: string): Promise<DeviceState> {
    const members = await this.ami.list('QueueStatus', { Queue: queue, Member: member })
    const status = members.find((entry) => entry.get('Event') === 'QueueMember')?.get('Status')
    // `enum ast_device_state` in Asterisk's devicestate.h counts in the order of this list.
    const state = deviceStates[Number(status ?? 'NaN')]
    if (state === undefined) throw new Error(`${member} is not in queue '${queue}'`)
    return state
  }

  /** Resolves when a device's summed state is, or becomes, the one wanted. */
  async awaitDeviceState(device: string, state: DeviceState, timeoutMs = 10_000): Promise<void> {
    const since = this.ami.events.length
    if ((await this.deviceState(device)) === state) return
    await this.ami.awaitEvent(
      (event) =>
        event.get('Event') === 'DeviceStateChange' &&
        event.get('Device') === device &&
        event.get('State') === state,
      timeoutMs,
      since,
      `${state} of ${device} at ${this.name}`,
    )
  }

  /** Resolves when a hint is, or becomes, the one wanted, in the words of `hint`. */
  async awaitHint(exten: string, status: string, timeoutMs = 10_000): Promise<void> {
    const since = this.ami.events.length
    if ((await this.hint(exten)) === status) return
    await this.ami.awaitEvent(
      (event) =>
        event.get('Event') === 'ExtensionStatus' &&
        event.get('Exten') === exten &&
        event.get('StatusText') === status,
      timeoutMs,
      since,
      `hint '${status}' of ${exten} at ${this.name}`,
    )
  }

  /** Resolves when a queue believes that of its member; it hears of a change later than the hint does. */
  async awaitQueueMemberStatus(
    queue: string,
    member: string,
    state: DeviceState,
    timeoutMs = 10_000,
  ): Promise<void> {
    const since = this.ami.events.length
    if ((await this.queueMemberStatus(queue, member)) === state) return
    await this.ami.awaitEvent(
      (event) =>
        event.get('Event') === 'QueueMemberStatus' &&
        event.get('Queue') === queue &&
        event.get('Interface') === member &&
        deviceStates[Number(event.get('Status'))] === state,
      timeoutMs,
      since,
      `${state} of ${member} in queue '${queue}' at ${this.name}`,
    )
  }

  /** Ends every call, as if both sides had hung up. */
  async hangUpAll(): Promise<void> {
    await this.cli('channel request hangup all')
  }

  /** Makes an own mailbox hold that many new messages; Asterisk sees it within two seconds. */
  layVoicemail(mailbox: string, count: number): void {
    const inbox = this.#inbox(mailbox)
    rmSync(inbox, { recursive: true, force: true })
    mkdirSync(inbox, { recursive: true })
    for (let index = 0; index < count; index++) {
      const message = join(inbox, `msg${String(index).padStart(4, '0')}`)
      writeFileSync(`${message}.gsm`, '')
      writeFileSync(`${message}.txt`, `[message]\norigmailbox=${mailbox}\nduration=1\n`)
    }
  }

  clearVoicemail(mailbox: string): void {
    this.layVoicemail(mailbox, 0)
  }

  #inbox(mailbox: string): string {
    const [box = '', context = 'default'] = mailbox.split('@')
    return join(this.place.folder, 'spool/voicemail', context, box, 'INBOX')
  }
}
