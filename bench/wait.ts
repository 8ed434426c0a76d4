import { setTimeout as delay } from 'node:timers/promises'

/** Resolves with what the promise gives, or `undefined` after so long; never leaves a timer behind. */
export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  const over = new AbortController()
  try {
    return await Promise.race([
      promise,
      delay(timeoutMs, undefined, { signal: over.signal }).catch(() => undefined),
    ])
  } finally {
    over.abort()
  }
}
