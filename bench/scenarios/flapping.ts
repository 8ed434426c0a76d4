/** Few devices that change faster than anybody can follow: the last value counts, the others may be left out. */
import { setTimeout as delay } from 'node:timers/promises'
import type { DeviceState } from '../../src/bridge/state.js'
import type { PairScenario } from '../scenario.js'
import { devices } from '../states.js'
import { within } from '../wait.js'

const flaps: readonly DeviceState[] = ['INUSE', 'RINGING', 'BUSY', 'ONHOLD', 'UNAVAILABLE']
const lostMs = 30_000
const restMs = 500

export const flapping: PairScenario = {
  name: 'flapping',
  about: '50 devices change as fast as Asterisk publishes',
  async measure({ a, b }, _round, size) {
    const names = devices('flapping', 50)
    const times = size === 'quick' ? 4 : 60
    let made = 0
    let shown = 0
    const last = new Map<string, string>()
    a.watch(() => made++)
    const settled = new Promise<true>((resolve) => {
      b.watch((device, state) => {
        if (!names.includes(device)) return
        shown++
        last.set(device, state)
        const isDone = state === 'NOT_INUSE' && names.every((name) => last.get(name) === state)
        if (isDone) resolve(true)
      })
    })
    for (let time = 0; time < times; time++) {
      a.set(names.map((name) => [name, flaps[time % flaps.length] ?? 'INUSE'] as const))
    }
    a.set(names.map((name) => [name, 'NOT_INUSE'] as const))
    await within(settled, lostMs)
    await delay(restMs)
    const states = await Promise.all(names.map((name) => b.asterisk.deviceState(name)))
    return {
      'wrong at the end': states.filter((state) => state !== 'NOT_INUSE').length,
      changes: made,
      'left out %': made === 0 ? NaN : (1 - shown / made) * 100,
    }
  },
}
