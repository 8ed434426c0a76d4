/** A busy site all day: 300 changes a second. */
import { setTimeout as delay } from 'node:timers/promises'
import type { DeviceState } from '../../src/bridge/state.js'
import { watchCpu } from '../processes.js'
import type { PairScenario } from '../scenario.js'
import { quantile } from '../statistics.js'
import { devices } from '../states.js'
import { watchBoth } from '../tap.js'
import { cpuPer } from './burst.js'

/** Three rounds make the minute. */
const seconds = { full: 20, quick: 1 }
const perTick = 3
const tickMs = 10
/** No device changes again before this many others have; the changes of a round are a multiple of it. */
const deviceCount = { full: 1_500, quick: 300 }
const settleMs = 2_000

export const steady: PairScenario = {
  name: 'steady',
  about: '300 changes a second',
  async measure({ a, b, processes }, round, size) {
    const names = devices('steady', deviceCount[size])
    const ticks = (seconds[size] * 1_000) / tickMs
    const firstSerial = round * ticks * perTick
    const watch = watchBoth(a, b)
    const cpu = watchCpu(processes)
    const startMs = performance.now()
    for (let tick = 0; tick < ticks; tick++) {
      a.set(changesOf(names, firstSerial + tick * perTick))
      const aheadMs = startMs + (tick + 1) * tickMs - performance.now()
      if (aheadMs > 0) await delay(aheadMs)
    }
    const spent = cpu.end()
    await delay(settleMs)
    const { delaysMs, lost } = watch.end()
    return {
      'median ms': quantile(delaysMs, 0.5),
      'p99 ms': quantile(delaysMs, 0.99),
      lost,
      ...cpuPer(spent, ticks * perTick),
    }
  },
}

/** All devices in turn, up and then down. */
function changesOf(names: readonly string[], first: number): (readonly [string, DeviceState])[] {
  return Array.from({ length: perTick }, (_, index) => {
    const serial = first + index
    const turn = Math.floor(serial / names.length)
    return [names[serial % names.length] ?? '', turn % 2 === 0 ? 'INUSE' : 'NOT_INUSE'] as const
  })
}
