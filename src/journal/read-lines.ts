import { readPlainFileInParts } from '../plain-file.js'

export interface LineBounds {
  /** Of the file: what lies behind them is not read. */
  readonly mostOctets: number
  /** Of a line without its end: one that goes far beyond is given as an empty one. */
  readonly mostLineOctets: number
}

/** How a file ended. */
export interface Ending {
  /** Its last line has no end. */
  readonly isTorn: boolean
  readonly isTooLarge: boolean
}

const lineEnd = 10

/** Calls back with each line of a plain file, in bounded memory; throws what `readPlainFileInParts` throws. */
export function readLines(
  path: string,
  { mostOctets, mostLineOctets }: LineBounds,
  take: (line: string) => void,
): Ending {
  let octets = 0
  let rest: Buffer = Buffer.alloc(0)
  for (const part of readPlainFileInParts(path)) {
    octets += part.length
    if (octets > mostOctets) return { isTorn: false, isTooLarge: true }
    const end = part.lastIndexOf(lineEnd)
    if (end < 0) {
      // Of a line that is too long the beginning is enough: it is none.
      if (rest.length <= mostLineOctets) rest = Buffer.concat([rest, part])
      continue
    }
    const text = Buffer.concat([rest, part.subarray(0, end)]).toString('utf8')
    for (const line of text.split('\n')) take(line)
    rest = part.subarray(end + 1)
  }
  return { isTorn: rest.length > 0, isTooLarge: false }
}
