const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Longest duration taken: what a Node timer holds (2^31 - 1 ms). */
const longestMs = 2_147_483_647

/** Milliseconds of a duration such as `500ms`, `10s`, `1.5m` or `1h`, or `undefined` where the text is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim())
  const unit = unitMs[match?.[2] ?? '']
  if (match === null || unit === undefined) return undefined
  const ms = Math.round(Number(match[1]) * unit)
  return ms <= longestMs ? ms : undefined
}

/** A duration as the configuration spells it: the largest unit that divides it. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  const unit = ['h', 'm', 's'].find((name) => ms % (unitMs[name] ?? 1) === 0) ?? 'ms'
  return `${ms / (unitMs[unit] ?? 1)}${unit}`
}
