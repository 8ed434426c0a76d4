/** Which rows of a long list are made: those in sight and a few around them. */

export interface Range {
  readonly from: number
  /** The first that is not in it. */
  readonly to: number
}

export interface Sight {
  readonly scrollTop: number
  readonly height: number
  readonly rowHeight: number
  readonly count: number
}

/** How many rows are made beyond each edge. */
const margin = 6

/** The rows in sight, with `extra` beyond each edge. */
export function rowsInSight({ scrollTop, height, rowHeight, count }: Sight, extra = margin): Range {
  const first = Math.floor(scrollTop / rowHeight)
  const last = Math.ceil((scrollTop + height) / rowHeight)
  const from = Math.min(Math.max(0, first - extra), count)
  return { from, to: Math.max(from, Math.min(count, last + extra)) }
}

/** Where to scroll so that a row is wholly in sight; where it is already, the same place. */
export function scrollTo(row: number, { scrollTop, height, rowHeight }: Sight): number {
  const top = row * rowHeight
  if (top < scrollTop) return top
  return Math.max(scrollTop, top + rowHeight - height)
}

/** Is all of `inner` in `outer`? */
export function covers(outer: Range, inner: Range): boolean {
  return inner.from >= outer.from && inner.to <= outer.to
}
