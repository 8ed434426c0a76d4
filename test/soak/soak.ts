/**
 * The soak: rounds of a storm of random faults while devices change, each followed by a quiet point at which every hint
 * and lamp of every PBX is compared with what the PBXs themselves hold.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { XmppServer, XmppServerOptions } from '../../lab/xmpp-server.js'
import { randomFrom } from '../bridge/fake-time.js'
import { type Fault, type Part, pause } from './fault.js'
import { faults } from './faults.js'
import { LeakWatch, momentaryMs, useOf } from './leaks.js'
import { keepEvidence, letters, memberOf, type Rig, startRig, stopRig } from './rig.js'
import { Traffic } from './traffic.js'
import { differences, dropEvents } from './truth.js'

export interface SoakOptions {
  readonly startServer: (options: XmppServerOptions) => Promise<XmppServer>
  /** Of what is done to whom, and when; what the servers make of it takes its own time. */
  readonly seed: number
  /** New rounds begin for so long. */
  readonly durationMs: number
  /** How long a storm lasts at least and at most. */
  readonly stormMs: readonly [number, number]
  readonly say: (line: string) => void
  /** Only faults whose name matches strike. */
  readonly only?: RegExp
}

export interface SoakResult {
  readonly rounds: number
  readonly faults: number
  readonly changes: number
  /** The slowest round: from the end of the last fault until all was right. */
  readonly slowestMs: number
}

/** The next fault comes after between these, ms. */
const pauseMs = [300, 3_000] as const
/** All is looked at again after this while it is not right, ms. */
const lookMs = 250
const maxShown = 30
/** Of a quiet point that took longer than this it is said what it waited for. */
const slowMs = 5_000

/** Something was not right at a quiet point; the message says what, and what went before. */
export class SoakFailure extends Error {}

/** Soaks until the time is up; throws a `SoakFailure` at the first quiet point that is not right. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const rig = await startRig(options.startServer)
  const run = new Soak(rig, options)
  let isRight = false
  try {
    const result = await run.run()
    isRight = true
    return result
  } finally {
    if (!isRight) {
      await keepEvidence(rig)
      options.say(`configuration, stores and logs stay in ${rig.cluster.scratch.folder}`)
    }
    await stopRig(rig, !isRight)
  }
}

class Soak {
  readonly #faults: readonly Fault[]
  readonly #random: () => number
  readonly #traffic: Traffic
  readonly #leaks = new LeakWatch()
  /** What was done so far, the last at the end. */
  readonly #done: string[] = []
  readonly #busy = new Set<Part>()
  readonly #underWay = new Set<Promise<void>>()
  #round = 0
  #slowestMs = 0
  #settleMs = 0

  constructor(
    private readonly rig: Rig,
    private readonly options: SoakOptions,
  ) {
    const { seed, only } = options
    this.#faults = faults.filter(({ name }) => only === undefined || only.test(name))
    this.#random = randomFrom(seed)
    this.#traffic = new Traffic(rig, randomFrom(seed + 1))
  }

  async run(): Promise<SoakResult> {
    await this.#traffic.fill()
    this.#settleMs = 10_000
    await this.#quietPoint('start')
    const untilMs = performance.now() + this.options.durationMs
    while (performance.now() < untilMs) {
      this.#round += 1
      const before = this.#done.length
      await this.#storm()
      await this.#quietPoint(this.#done.slice(before).join(', '))
    }
    return {
      rounds: this.#round,
      faults: this.#done.length,
      changes: this.#traffic.taken,
      slowestMs: this.#slowestMs,
    }
  }

  /** Faults strike while devices change; all are healed and the changes stopped at its end. */
  async #storm(): Promise<void> {
    this.#settleMs = 0
    this.#traffic.start()
    const over = new AbortController()
    const untilMs = performance.now() + this.#between(this.options.stormMs)
    while (performance.now() < untilMs) {
      await delay(this.#between(pauseMs))
      this.#strike(over.signal)
    }
    over.abort()
    await Promise.all(this.#underWay)
    await this.#traffic.stop()
  }

  #strike(over: AbortSignal): void {
    const isFree = (part: Part): boolean => !this.#busy.has(part)
    const possible = this.#faults.filter(({ parts }) => parts.every(isFree))
    const fault = possible[Math.floor(this.#random() * possible.length)]
    if (!fault) return
    const lastsMs = this.#between(fault.lastsMs)
    this.#done.push(lastsMs > 0 ? `${fault.name} ${(lastsMs / 1_000).toFixed(1)} s` : fault.name)
    this.#settleMs = Math.max(this.#settleMs, fault.settleMs)
    const running = this.#befall(fault, lastsMs, over).finally(() => this.#underWay.delete(running))
    this.#underWay.add(running)
    // A fault that the lab could not bring about ends the storm when it is waited for.
    running.catch(() => undefined)
  }

  async #befall(fault: Fault, lastsMs: number, over: AbortSignal): Promise<void> {
    for (const part of fault.parts) this.#busy.add(part)
    try {
      await fault.run(this.rig, () => pause(lastsMs, over))
    } catch (cause) {
      throw new Error(`failed to bring about '${fault.name}'`, { cause })
    } finally {
      for (const part of fault.parts) this.#busy.delete(part)
    }
  }

  /** Waits until all is right, within the bound of the slowest fault that befell. */
  async #quietPoint(what: string): Promise<void> {
    const { spool } = this.#traffic
    const sinceMs = performance.now()
    const elapsed = (): number => performance.now() - sinceMs
    let wrong = await differences(this.rig, spool)
    let last = wrong
    while (wrong.length > 0 && elapsed() < this.#settleMs) {
      await delay(lookMs)
      last = wrong
      wrong = await differences(this.rig, spool)
    }
    const tookMs = elapsed()
    const use = await this.#use()
    const bound = `${Math.round(this.#settleMs / 1_000)} s`
    this.options.say(
      `${String(this.#round).padStart(3)}  ${what}\n     right after ${(tookMs / 1_000).toFixed(1)} s ` +
        `of ${bound}; ${this.#traffic.taken} changes; ${use.shown}` +
        (tookMs > slowMs ? `\n     last to be right: ${last.slice(0, 3).join('; ')}` : ''),
    )
    this.#slowestMs = Math.max(this.#slowestMs, tookMs)
    this.#expectNone([...wrong, ...use.grown], bound)
    dropEvents(this.rig)
  }

  /** What the bridges use once what is for the moment has ended. */
  async #use(): Promise<{ readonly shown: string; readonly grown: readonly string[] }> {
    const grown: string[] = []
    const shown: string[] = []
    const untilMs = performance.now() + momentaryMs
    for (const letter of letters) {
      const member = memberOf(this.rig, letter)
      let use = await useOf(member)
      let more = this.#leaks.note(member.asterisk.name, use)
      while (more.length > 0 && performance.now() < untilMs) {
        await delay(lookMs)
        use = await useOf(member)
        more = this.#leaks.note(member.asterisk.name, use)
      }
      grown.push(...more)
      shown.push(`${letter} ${use.heapMiB} MiB ${use.handles} handles ${use.timers} timers`)
    }
    return { shown: shown.join(', '), grown }
  }

  #expectNone(wrong: readonly string[], bound: string): void {
    if (wrong.length === 0) return
    const more = wrong.length > maxShown ? [`… and ${wrong.length - maxShown} more`] : []
    throw new SoakFailure(
      [
        `seed ${this.options.seed}, round ${this.#round}: not right ${bound} after the last fault`,
        ...wrong.slice(0, maxShown),
        ...more,
        'the last faults, in order:',
        ...this.#done.slice(-maxShown),
      ].join('\n  '),
    )
  }

  #between([least, most]: readonly [number, number]): number {
    return least + (most - least) * this.#random()
  }
}
