/** Makes a text of that length; no two salts give the same, so that nothing is answered from memory. */
export type TextOf = (length: number, salt: number) => string

/**
 * How much more a test costs for each character of a long text than of a short one: about 1 where its time is linear in the
 * text, the lengths' ratio where it is quadratic. Stops at the first length that is out of proportion, so that one of exponential
 * time ends too. The least of several rounds counts, which a busy machine does not disturb.
 */
export function costGrowth(
  test: (text: string) => unknown,
  text: TextOf,
  lengths: readonly number[],
): number {
  let salt = 0
  const msPerCharacter = (length: number): number => {
    let leastMs = Infinity
    for (let round = 0; round < 5; round += 1) {
      const texts = Array.from({ length: 20 }, () => text(length, (salt += 1)))
      const start = performance.now()
      for (const each of texts) test(each)
      leastMs = Math.min(leastMs, performance.now() - start)
    }
    return leastMs / 20 / length
  }
  const [shortest = 0] = lengths
  msPerCharacter(shortest) // warms up
  const base = msPerCharacter(shortest)
  let growth = 1
  for (const length of lengths) {
    growth = Math.max(growth, msPerCharacter(length) / base)
    if (growth > 50) break
  }
  return growth
}
