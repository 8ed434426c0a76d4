/** Thousands of distinct devices at once, as after a reload or at nine o'clock. */
import { setTimeout as delay } from 'node:timers/promises'
import { watchCpu } from '../processes.js'
import type { PairScenario } from '../scenario.js'
import { quantile } from '../statistics.js'
import { devices, stateOf } from '../states.js'
import { within } from '../wait.js'

const lostMs = 30_000
/** Write-behind of the burst before is over by then. */
const restMs = 1_000
/** Both ends are looked at this often. */
const lookMs = 10

export const burst: PairScenario = {
  name: 'burst',
  about: '3,000 devices change at once',
  repeats: 3,
  async measure({ a, b, processes }, round, size) {
    const names = devices('burst', size === 'quick' ? 100 : 3_000)
    const state = stateOf(round)
    const sentAt = new Map<string, number>()
    const shownAt = new Map<string, number>()
    let lastMs = 0
    a.watch((device, now, atMs) => {
      if (now === state && !sentAt.has(device)) sentAt.set(device, atMs)
    }, lookMs)
    const all = new Promise<true>((resolve) => {
      b.watch((device, now, atMs) => {
        if (now !== state || shownAt.has(device) || !device.startsWith('Custom:burst-')) return
        lastMs = atMs
        shownAt.set(device, atMs)
        if (shownAt.size === names.length) resolve(true)
      }, lookMs)
    })
    const cpu = watchCpu(processes)
    const startedMs = performance.now()
    a.set(names.map((device) => [device, state] as const))
    await within(all, lostMs)
    const [firstMs = startedMs] = sentAt.values()
    await delay(size === 'quick' ? 0 : restMs)
    // The two connections are read in any order.
    const lag = [...shownAt].map(([device, atMs]) =>
      Math.max(atMs - (sentAt.get(device) ?? atMs), 0),
    )
    return {
      'changes/s': (shownAt.size / (lastMs - firstMs)) * 1_000,
      'lag median ms': quantile(lag, 0.5),
      'lag max ms': quantile(lag, 1),
      lost: names.length - shownAt.size,
      ...cpuPer(cpu.end(), names.length),
    }
  },
}

/** CPU time of each group by 1,000 changes, ms. */
export function cpuPer(spent: Record<string, number>, changes: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(spent).map(([name, ms]) => [`${name} CPU ms per 1000`, (ms * 1_000) / changes]),
  )
}
