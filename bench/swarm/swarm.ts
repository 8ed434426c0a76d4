/** Many bridges with scripted Asterisks, in a few processes, around one real server. */
import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Scratch } from '../../lab/scratch.js'
import type { Account, XmppServer } from '../../lab/xmpp-server.js'
import { devices } from '../states.js'
import type { FromSwarm, MemberPlan, ToSwarm } from './messages.js'

/** `npm run bench` compiles it there. */
const processFile = join(import.meta.dirname, '../../.lab/bench/bench/swarm/process.js')

type Told<Word extends FromSwarm['told']> = Extract<FromSwarm, { told: Word }>

export interface SwarmOptions {
  readonly scratch: Scratch
  readonly server: XmppServer
  readonly memberCount: number
  readonly devicesEach: number
  readonly processCount: number
}

/** The accounts of so many members. */
export function swarmAccounts(count: number): Account[] {
  return Array.from({ length: count }, (_, index) => ({
    user: `member-${index}`,
    password: `secret-${index}`,
  }))
}

export class Swarm {
  private constructor(
    readonly options: SwarmOptions,
    private readonly processes: readonly ChildProcess[],
  ) {}

  /** Starts the processes, and in them all members at once; they need not be in sync yet. */
  static start(options: SwarmOptions): Swarm {
    const { memberCount, processCount } = options
    const plans = swarmAccounts(memberCount).map((account, index) => plan(options, account, index))
    const processes = Array.from({ length: processCount }, (_, index) => {
      const child = fork(processFile, { execArgv: [] })
      const share = plans.filter((_plan, member) => member % processCount === index)
      child.send({ do: 'start', plans: share, memberCount } satisfies ToSwarm)
      return child
    })
    return new Swarm(options, processes)
  }

  get pids(): number[] {
    return this.processes.flatMap(({ pid }) => pid ?? [])
  }

  /** What stands in all processes together. */
  async look(): Promise<Omit<Told<'held'>, 'told'>> {
    const all = await this.#askAll({ do: 'look' }, 'held')
    const sum = (key: 'states' | 'injected' | 'deaths' | 'synced'): number =>
      all.reduce((total, held) => total + held[key], 0)
    return {
      states: sum('states'),
      injected: sum('injected'),
      deaths: sum('deaths'),
      synced: sum('synced'),
    }
  }

  /** Resolves when every member holds and has injected all states of all others; throws after `timeoutMs`. */
  async awaitHeld(timeoutMs: number): Promise<void> {
    const { memberCount, devicesEach } = this.options
    const wanted = memberCount * (memberCount - 1) * devicesEach
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const { states, injected, synced } = await this.look()
      if (synced === memberCount && states === wanted && injected === wanted) return
      if (performance.now() > deadline) {
        throw new Error(
          `of ${memberCount} members ${synced} are in sync, ${states}/${wanted} states held`,
        )
      }
      await delay(100)
    }
  }

  /** Every member changes devices by that schedule; gives the delays at all receivers. */
  async change(perSecond: number, seconds: number): Promise<{ delaysMs: number[]; lost: number }> {
    const schedule = { startsAtMs: Date.now() + 500, perSecond, seconds }
    const all = await this.#askAll({ do: 'change', schedule }, 'measured')
    return {
      delaysMs: all.flatMap(({ delaysMs }) => delaysMs),
      lost: all.reduce((sum, { lost }) => sum + lost, 0),
    }
  }

  /** Floods from the first process's first member to the second's; gives the time until the last is injected, ms. */
  async flood(): Promise<number> {
    const [from, to] = this.processes
    if (!from || !to) throw new RangeError('a flood needs two processes')
    const injections = this.options.devicesEach
    const counted = ask(to, { do: 'count', injections }, 'counted')
    const flooded = await ask(from, { do: 'flood' }, 'flooded')
    return (await counted).atMs - flooded.atMs
  }

  async stop(): Promise<void> {
    await this.#askAll({ do: 'stop' }, 'stopped')
    for (const child of this.processes) child.disconnect()
  }

  #askAll<Word extends FromSwarm['told']>(message: ToSwarm, word: Word): Promise<Told<Word>[]> {
    return Promise.all(this.processes.map((child) => ask(child, message, word)))
  }
}

function ask<Word extends FromSwarm['told']>(
  child: ChildProcess,
  message: ToSwarm,
  word: Word,
): Promise<Told<Word>> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
    }
    const onMessage = (answer: FromSwarm): void => {
      if (answer.told !== word) return
      settle()
      resolve(answer as Told<Word>)
    }
    const onExit = (): void => {
      settle()
      reject(new Error('a process of the swarm has ended'))
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.send(message)
  })
}

function plan(
  { scratch, server, devicesEach }: SwarmOptions,
  account: Account,
  index: number,
): MemberPlan {
  const number = (index + 1).toString(16).padStart(4, '0')
  return {
    jid: `${account.user}@${server.domain}`,
    password: account.password,
    eid: `02:00:00:00:${number.slice(0, 2)}:${number.slice(2)}`,
    service: server.service,
    pubsub: server.pubsub,
    caFile: server.caFile,
    stateDir: scratch.makeFolder(`${account.user}-state`),
    devices: devices(account.user, devicesEach),
  }
}
