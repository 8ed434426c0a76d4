/** One member of a cluster: a real Asterisk and a real bridge beside it, set up by `hintbridge init` as a user would. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { parseDocument } from 'yaml'
import { type Asterisk, type AsteriskOptions, createAsterisk } from './asterisk.js'
import type { Running } from './running.js'
import { claimPort } from './scratch.js'
import { Server } from './server.js'
import type { Account, XmppServer } from './xmpp-server.js'

/** The built program. */
export const mainFile = join(import.meta.dirname, '..', 'dist', 'main.js')

export interface MemberOptions extends Omit<AsteriskOptions, 'hintbridgeConf' | 'sipPort'> {
  readonly server: XmppServer
  readonly account: Account
  /** Settings that `init` does not ask for, by their path in the file: `{ 'liveness.grace': '1s' }`. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Added to the environment of the bridge. */
  readonly bridgeEnv?: Readonly<Record<string, string>>
}

/** One counter or gauge of `/metrics`. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One of `/health`. */
export interface Problem {
  readonly key: string
  readonly severity: 'warning' | 'error'
  readonly text: string
}

/** Writes what a member needs; neither its Asterisk nor its bridge is started. */
export async function createMember(options: MemberOptions): Promise<Member> {
  const { scratch, server, account } = options
  const folder = scratch.makeFolder(`${options.name}-bridge`)
  const configFile = join(folder, 'hintbridge.yaml')
  const asteriskFile = join(folder, 'pjsip_hintbridge.conf')
  const [sipPort, listenPort, httpPort] = [await claimPort(), await claimPort(), await claimPort()]
  await hintbridge(
    [
      ...['init', '--yes', '--jid', `${account.user}@${server.domain}`, '--eid', options.eid],
      ...['--service', server.service, '--pubsub', server.pubsub, '--ca', server.caFile],
      ...['--asterisk', `127.0.0.1:${sipPort}`, '--listen', `127.0.0.1:${listenPort}`],
      ...['--http', `127.0.0.1:${httpPort}`, '--state-dir', join(folder, 'state')],
      ...['--config', configFile, '--asterisk-conf', asteriskFile],
    ],
    { HINTBRIDGE_XMPP_PASSWORD: account.password },
  )
  // What runs around both servers so runs by both ways: by TCP around Prosody, by UDP, as by default, around ejabberd.
  const transport = server.kind === 'prosody' ? 'tcp' : 'udp'
  const settings = { name: options.name, 'asterisk.sip.transport': transport, ...options.settings }
  changeSettings(configFile, settings)
  const hintbridgeConf = readFileSync(asteriskFile, 'utf8')
  const isUdpOnly = settings['asterisk.sip.transport'] === 'udp'
  const asterisk = await createAsterisk({ isUdpOnly, ...options, sipPort, hintbridgeConf })
  changeSettings(configFile, { 'asterisk.console': asterisk.consoleFile })
  const { name, bridgeEnv: env = {} } = options
  return new Member(asterisk, { folder, configFile, httpPort, name, env })
}

/** Starts Asterisk and bridge side by side, and waits until the bridge is in sync. */
export async function startMember(options: MemberOptions): Promise<Member> {
  const member = await createMember(options)
  await Promise.all([member.asterisk.start(), member.startBridge()])
  await member.awaitReady()
  return member
}

/** Runs a command of the built `hintbridge`, and gives what it printed; rejects where its exit code is not 0. */
export async function hintbridge(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [mainFile, ...args], {
    env: { ...process.env, ...env },
  })
  return stdout
}

interface Place {
  readonly name: string
  readonly folder: string
  readonly configFile: string
  readonly httpPort: number
  readonly env: Readonly<Record<string, string>>
}

export class Member {
  readonly configFile: string
  readonly logFile: string
  /** `http://127.0.0.1:…`: metrics, health. */
  readonly http: string
  readonly #bridge: Server

  constructor(
    readonly asterisk: Asterisk,
    { name, folder, configFile, httpPort, env }: Place,
  ) {
    this.configFile = configFile
    this.logFile = join(folder, 'bridge.log')
    this.http = `http://127.0.0.1:${httpPort}`
    this.#bridge = new Server(
      {
        name: `${name}-bridge`,
        command: process.execPath,
        args: [mainFile, 'run', '--config', configFile],
        env,
        cwd: folder,
        logFile: this.logFile,
      },
      (running) => running.answersTcp(httpPort),
    )
  }

  /** The bridge's present process. */
  get bridge(): Running {
    return this.#bridge.running
  }

  /** Starts the bridge; it answers HTTP, but need not be in sync. */
  startBridge(): Promise<void> {
    return this.#bridge.start()
  }

  /** SIGTERM. */
  stopBridge(): Promise<void> {
    return this.#bridge.stop()
  }

  /** SIGKILL. */
  killBridge(): Promise<void> {
    return this.#bridge.kill()
  }

  async stop(): Promise<void> {
    await this.#bridge.stop()
    await this.asterisk.stop()
  }

  /** `hintbridge leave`; gives what it printed, once the bridge that ran has ended. */
  async leave(): Promise<string> {
    const printed = await hintbridge(['leave', '--config', this.configFile])
    await this.#bridge.running.exited
    return printed
  }

  /** Resolves when `/ready` says so and this many peers are alive; throws with the reasons after `timeoutMs`. */
  async awaitReady(peers = 0, timeoutMs = 30_000): Promise<void> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      // In this order: who was alive already is in what readiness speaks of.
      const alive = await this.alivePeers()
      const answer = await fetch(`${this.http}/ready`)
      const text = await answer.text()
      if (answer.ok && alive >= peers) return
      if (!this.bridge.isRunning || performance.now() > deadline) {
        throw new Error(`${this.asterisk.name} is not ready: ${text}, ${alive} peers are alive`)
      }
      await delay(25) // HTTP tells a state, not when it changes
    }
  }

  async alivePeers(): Promise<number> {
    const samples = await this.metrics('hintbridge_member_states')
    return samples.filter(({ labels }) => labels['life'] === 'alive').length
  }

  /** The samples of that name; all without one. */
  async metrics(name?: string): Promise<Sample[]> {
    const text = await (await fetch(`${this.http}/metrics`)).text()
    return parseExposition(text).filter((sample) => name === undefined || sample.name === name)
  }

  /** The sum of all samples of that name whose labels include the given ones; 0 where there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const samples = await this.metrics(name)
    return samples
      .filter((sample) =>
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
      )
      .reduce((sum, { value }) => sum + value, 0)
  }

  /** Resolves with that sum as soon as `isWanted` says so of it; throws after `timeoutMs`. */
  async awaitMetric(
    name: string,
    labels: Readonly<Record<string, string>>,
    isWanted: (sum: number) => boolean,
    timeoutMs = 10_000,
  ): Promise<number> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const sum = await this.metric(name, labels)
      if (isWanted(sum)) return sum
      if (performance.now() > deadline) {
        throw new Error(`${this.asterisk.name}: ${name} ${JSON.stringify(labels)} is ${sum}`)
      }
      await delay(25) // HTTP tells a state, not when it changes
    }
  }

  /** Resolves when the problem of that key stands (with its text), or stands no more; throws after `timeoutMs`. */
  async awaitProblem(key: string, isThere = true, timeoutMs = 10_000): Promise<string> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const problems = await this.problems()
      const found = problems.find((problem) => problem.key === key)
      if ((found !== undefined) === isThere) return found?.text ?? ''
      if (performance.now() > deadline) {
        throw new Error(`${this.asterisk.name}: problems are ${JSON.stringify(problems)}`)
      }
      await delay(25)
    }
  }

  /** The problems that stand. */
  async problems(): Promise<Problem[]> {
    const answer = await fetch(`${this.http}/health`)
    const { problems } = (await answer.json()) as { problems: Problem[] }
    return problems
  }
}

/** Sets values in a configuration file, by their path with dots, or removes them (`undefined`); comments stay. */
export function changeSettings(file: string, settings: Readonly<Record<string, unknown>>): void {
  const document = parseDocument(readFileSync(file, 'utf8'))
  for (const [path, value] of Object.entries(settings)) {
    if (value === undefined) document.deleteIn(path.split('.'))
    else document.setIn(path.split('.'), value)
  }
  writeFileSync(file, document.toString())
}

/** Source: https://prometheus.io/docs/instrumenting/exposition_formats/ */
function parseExposition(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (!match) return []
    const [, name = '', labelText = '', value] = match
    const labels = [...labelText.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)]
    return [
      {
        name,
        labels: Object.fromEntries(labels.map(([, key = '', text = '']) => [key, text])),
        value: Number(value),
      },
    ]
  })
}
