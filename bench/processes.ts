/** What processes cost, as the kernel counts it. Source: proc(5). */
import { readFileSync } from 'node:fs'

/** `_SC_CLK_TCK`: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** User and system time of these processes so far, in ms; 0 for one that has ended. */
export function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuOf(pid), 0)
}

function cpuOf(pid: number): number {
  const stat = readProc(pid, 'stat')
  // The name, in parentheses, may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  return (ticks * 1_000) / ticksPerSecond
}

/** Resident memory of these processes, in MiB. */
export function residentMiB(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(pid, 'status')) ?? []
    return sum + Number(kilobytes) / 1_024
  }, 0)
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

export interface CpuWatch {
  /** CPU time since the watch began, in ms, by the names given. */
  readonly end: () => Record<string, number>
}

/** Watches groups of processes, such as `bridge`, `asterisk`, `server`. */
export function watchCpu(groups: Readonly<Record<string, readonly number[]>>): CpuWatch {
  const read = (): Record<string, number> =>
    Object.fromEntries(Object.entries(groups).map(([name, pids]) => [name, cpuMs(pids)]))
  const before = read()
  return {
    end: () => {
      const after = read()
      return Object.fromEntries(
        Object.entries(after).map(([name, ms]) => [name, ms - (before[name] ?? 0)]),
      )
    },
  }
}
