/** Adds "did you mean" to the message about an unknown key where a known one (listed after the colon) is close to it. */
export function suggest(key: string, message: string): string {
  const meant = closest(key, message)
  return meant === undefined ? message : `${message}; did you mean '${meant}'?`
}

/** Of the names that a message lists after its last colon the one that is close to that key. */
export function closest(key: string, message: string): string | undefined {
  const known = message.slice(message.lastIndexOf(':') + 1).split(',')
  return known
    .map((name) => name.trim())
    .map((name) => ({ name, distance: editDistance(key.slice(0, 64), name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]?.name
}

/** Levenshtein's distance: insertions, deletions and replacements. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [index, letter] of Array.from(a).entries()) {
    const next = [index + 1]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (row[column - 1] ?? 0) + (letter === b[column - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[column] ?? 0) + 1, (next[column - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
