/** Calls at once, then at most every `intervalMs`; a call that comes too early is made at the end of the interval, once. */
export function throttled(act: () => void, intervalMs: number): () => void {
  let isResting = false
  let isWanted = false
  const call = (): void => {
    if (isResting) {
      isWanted = true
      return
    }
    isResting = true
    isWanted = false
    setTimeout(() => {
      isResting = false
      if (isWanted) call()
    }, intervalMs)
    act()
  }
  return call
}
