/** What goes on at the PBXs meanwhile: devices and mailboxes change at random, at a steady rate. */
import type { DeviceState } from '../../src/bridge/state.js'
import {
  devicesOf,
  type Letter,
  letters,
  mailboxes,
  memberOf,
  postOffice,
  type Rig,
} from './rig.js'

const changesPerSecond = 50
const tickMs = 100
/** Voicemail comes and goes this often, in ticks. */
const ticksPerVoicemail = 20

/** Asterisk lets nobody set UNKNOWN. */
const settable: readonly DeviceState[] = [
  ...(['NOT_INUSE', 'INUSE', 'BUSY', 'UNAVAILABLE', 'RINGING', 'RINGINUSE', 'ONHOLD'] as const),
]

export class Traffic {
  /** How many changes were asked for, and how many an Asterisk took. */
  asked = 0
  taken = 0
  /** New messages by mailbox, as they lie in the spool. */
  readonly spool = new Map<string, number>()
  readonly #underWay = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined
  #ticks = 0

  constructor(
    private readonly rig: Rig,
    private readonly random: () => number,
  ) {
    for (const mailbox of mailboxes) this.spool.set(mailbox, 0)
  }

  /** Gives every device of every member a state of its own, for a start. */
  async fill(): Promise<void> {
    for (const letter of letters) {
      const { asterisk } = memberOf(this.rig, letter)
      await Promise.all(
        devicesOf(letter).map((device) => asterisk.setDevice(device, this.#anyOf(settable))),
      )
    }
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), tickMs)
  }

  /** Resolves when every change that was asked for has been taken, or lost with its Asterisk. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await Promise.all(this.#underWay)
  }

  #tick(): void {
    this.#ticks += 1
    for (let count = 0; count < (changesPerSecond * tickMs) / 1_000; count += 1) this.#change()
    if (this.#ticks % ticksPerVoicemail === 0) this.#layVoicemail()
  }

  #change(): void {
    const letter: Letter = this.#anyOf(letters)
    const device = this.#anyOf(devicesOf(letter))
    const state = this.#anyOf(settable)
    this.asked += 1
    const change = this.#set(letter, device, state).finally(() => this.#underWay.delete(change))
    this.#underWay.add(change)
  }

  /** An Asterisk that is down or stands still takes nothing; what it holds is asked later. */
  async #set(letter: Letter, device: string, state: DeviceState): Promise<void> {
    const { asterisk } = memberOf(this.rig, letter)
    try {
      await asterisk.setDevice(device, state)
      this.taken += 1
    } catch {
      // `asked` and `taken` tell.
    }
  }

  #layVoicemail(): void {
    const mailbox = this.#anyOf(mailboxes)
    const count = Math.floor(this.random() * 4)
    memberOf(this.rig, postOffice).asterisk.layVoicemail(mailbox, count)
    this.spool.set(mailbox, count)
  }

  #anyOf<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.random() * choices.length)]
    if (choice === undefined) throw new RangeError('nothing to choose from')
    return choice
  }
}
