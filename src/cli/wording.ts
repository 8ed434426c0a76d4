/** How the commands write times and counts. */

/** `2h 5m`, `12 s`, `0.4 s`: two units at most. */
export function spellDuration(ms: number): string {
  const seconds = Math.max(ms, 0) / 1_000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${Math.floor(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours}h ${minutes % 60}m`
  return `${Math.floor(hours / 24)}d ${hours % 24}h`
}

/** How long ago that was, by the clock of `nowMs`. */
export function spellAge(iso: string | undefined, nowMs = Date.now()): string {
  return iso === undefined ? '-' : spellDuration(nowMs - Date.parse(iso))
}

/** `1.3 ms`, `2.4 s`, or `-` where it is not known. */
export function spellDelay(ms: number | undefined): string {
  if (ms === undefined) return '-'
  return ms < 1_000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : spellDuration(ms)
}

/** The time of day of this machine: `14:03:05.120`. */
export function spellTime(iso: string): string {
  const date = new Date(iso)
  const part = (value: number, digits = 2): string => String(value).padStart(digits, '0')
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map((value) => part(value))
  return `${clock.join(':')}.${part(date.getMilliseconds(), 3)}`
}

/** `1 device`, `2 devices`. */
export function spellCount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
