/**
 * Calls at once, then at most every so many ms, which may change from call to call; a call that comes too early is made at the
 * end of the interval, once.
 */
export function throttled(act: () => void, intervalMs: number | (() => number)): () => void {
  let isResting = false
  let isWanted = false
  const call = (): void => {
    if (isResting) {
      isWanted = true
      return
    }
    isResting = true
    isWanted = false
    setTimeout(
      () => {
        isResting = false
        if (isWanted) call()
      },
      typeof intervalMs === 'number' ? intervalMs : intervalMs(),
    )
    act()
  }
  return call
}
