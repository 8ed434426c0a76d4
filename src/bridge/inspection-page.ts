/** Picks one page of many names without sorting them all: a look must not hold up the states that pass. */

/** The names from `from` up to `to` (exclusive) of the sorted array; the array is reordered. */
export function sortedSlice(names: string[], from: number, to: number): string[] {
  const end = Math.min(to, names.length)
  if (from >= end) return []
  if (from > 0) partition(names, from)
  if (end < names.length) partition(names, end)
  return names.slice(from, end).sort()
}

/** Quickselect (Hoare): afterwards all before `nth` are at most, and all from it on at least, what belongs there. */
function partition(names: string[], nth: number): void {
  let low = 0
  let high = names.length - 1
  while (low < high) {
    const pivot = names[(low + high) >>> 1] ?? ''
    let left = low
    let right = high
    while (left <= right) {
      while ((names[left] ?? '') < pivot) left += 1
      while ((names[right] ?? '') > pivot) right -= 1
      if (left <= right) {
        const held = names[left] ?? ''
        names[left] = names[right] ?? ''
        names[right] = held
        left += 1
        right -= 1
      }
    }
    if (nth <= right) high = right
    else if (nth >= left) low = left
    else return
  }
}
