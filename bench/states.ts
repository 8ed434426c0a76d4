/** Devices and states for measurements: every round turns all over, so that each change is one. */

/** In use in even rounds, free in odd ones. */
export function stateOf(round: number): 'INUSE' | 'NOT_INUSE' {
  return round % 2 === 0 ? 'INUSE' : 'NOT_INUSE'
}

/** `Custom:NAME-0` … */
export function devices(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `Custom:${name}-${index}`)
}
