/**
 * A manager connection for measuring: sets devices by the hundred without waiting, and tells of each `DeviceStateChange`
 * when its octets arrive. `lab/ami.ts` is for tests: it keeps and parses all events, which costs what is measured here.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Asterisk } from '../lab/asterisk.js'
import type { DeviceState } from '../src/bridge/state.js'

/** A device and the sum of its states at that Asterisk; `atMs` of `performance.now()`. */
export type OnChange = (device: string, state: string, atMs: number) => void

const change = /Event: DeviceStateChange\r\n(?:[^\r]*\r\n)*?Device: ([^\r]*)\r\nState: ([^\r]*)\r\n/

/** All that comes within some ms of a burst. */
const readOctets = 1_048_576

export class Tap {
  #rest = ''
  #onChange: OnChange = () => undefined
  #onResponse: (text: string) => void = () => undefined
  #pauseMs = 0

  private constructor(
    readonly asterisk: Asterisk,
    private readonly socket: Socket,
  ) {}

  /** Logs in, for events of the class of device states only. */
  static async open(asterisk: Asterisk): Promise<Tap> {
    const buffer = Buffer.alloc(readOctets)
    const socket: Socket = connect({
      port: asterisk.manager.port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer, callback: (octets) => tap.#take(buffer.toString('latin1', 0, octets)) },
    })
    socket.on('error', () => undefined)
    const tap: Tap = new Tap(asterisk, socket)
    await once(socket, 'connect')
    const { secret } = asterisk.manager
    const answer = new Promise<string>((resolve) => {
      tap.#onResponse = resolve
    })
    socket.write(`Action: Login\r\nUsername: lab\r\nSecret: ${secret}\r\nEvents: call\r\n\r\n`)
    const text = await Promise.race([answer, once(socket, 'close').then(() => '')])
    if (!text.includes('Success')) throw new Error(`${asterisk.name} does not let the bench in`)
    return tap
  }

  /**
   * Calls back for each change from now on, in place of whoever was called before. So many ms pass between two reads: to read
   * thousands a second as they come takes as much of full cores as a bridge does.
   */
  watch(onChange: OnChange, pauseMs = 0): void {
    this.#onChange = onChange
    this.#pauseMs = pauseMs
  }

  /** Sets `Custom:` devices, in order, as fast as Asterisk takes them; not answered. */
  set(changes: Iterable<readonly [device: string, state: DeviceState]>): void {
    let text = ''
    for (const [device, state] of changes) {
      text += `Action: Setvar\r\nVariable: DEVICE_STATE(${device})\r\nValue: ${state}\r\n\r\n`
    }
    this.socket.write(text)
  }

  close(): void {
    this.socket.destroy()
  }

  /** `false`: no more is to be read for now. */
  #take(text: string): boolean {
    this.#receive(text)
    if (this.#pauseMs === 0) return true
    setTimeout(() => this.socket.resume(), this.#pauseMs)
    return false
  }

  #receive(text: string): void {
    const atMs = performance.now()
    const blocks = (this.#rest + text).split('\r\n\r\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) {
      if (block.startsWith('Event: DeviceStateChange')) {
        const match = change.exec(`${block}\r\n`)
        if (match) this.#onChange(match[1] ?? '', match[2] ?? '', atMs)
      } else if (block.includes('Response: ')) {
        // The first one has Asterisk's greeting before it.
        this.#onResponse(block)
      }
    }
  }
}

export interface Watch {
  /** What A showed and B followed, each with its delay, ms; and how many of A's changes B has not shown. */
  readonly end: () => { readonly delaysMs: number[]; readonly lost: number }
}

/**
 * Watches both ends of a pair. Matched only when all is over: the two connections are read in any order, so that B's
 * event may be seen before A's.
 */
export function watchBoth(a: Tap, b: Tap): Watch {
  const made: { key: string; atMs: number }[] = []
  const shown = new Map<string, number[]>()
  a.watch((device, state, atMs) => made.push({ key: `${device} ${state}`, atMs }))
  b.watch((device, state, atMs) => {
    const key = `${device} ${state}`
    shown.set(key, [...(shown.get(key) ?? []), atMs])
  })
  return {
    end: () => {
      const delaysMs = made.flatMap(({ key, atMs }) => {
        const shownAtMs = shown.get(key)?.shift()
        return shownAtMs === undefined ? [] : [Math.max(shownAtMs - atMs, 0)]
      })
      return { delaysMs, lost: made.length - delaysMs.length }
    },
  }
}
