/** Devices and states for measurements: every round turns all over, so that each change is one. */

const states = ['INUSE', 'BUSY', 'NOT_INUSE'] as const

/** Three in turn: what was lost in one round must not be what the next one waits for. */
export function stateOf(round: number): (typeof states)[number] {
  return states[round % states.length] ?? 'INUSE'
}

/** `Custom:NAME-0` … */
export function devices(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `Custom:${name}-${index}`)
}
