import { setFlagsFromString } from 'node:v8'

/**
 * Has V8 collect garbage when the heap has grown by two fifths, not when it has doubled or more: with 100,000 states of peers that
 * is a third of the memory. By a fifth would cost a tenth of the CPU time in a burst (docs/performance.md).
 */
export function keepMemorySmall(): void {
  setFlagsFromString('--heap-growing-percent=40')
}
