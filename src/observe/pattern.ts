import { isGlobbed } from '../bridge/glob.js'

/**
 * Makes a test of ids of a PATTERN, as the inspection API and the commands take it: with `*` (any text) or `?` (one character)
 * a glob over the whole id, without them a text anywhere in it. Case does not count; an empty one matches all.
 */
export function matcher(pattern: string): (id: string) => boolean {
  if (pattern === '' || pattern === '*') return () => true
  const wanted = pattern.toLowerCase()
  if (!/[*?]/.test(wanted)) return (id) => id.toLowerCase().includes(wanted)
  return (id) => isGlobbed(id.toLowerCase(), wanted, true)
}

/**
 * Makes a test of ids that may be meant by a name which is not known: the same in another case, or without the technology
 * (`1001` for `PJSIP/1001`) or the context (`1000` for `1000@default`).
 */
export function alikeTo(name: string): (id: string) => boolean {
  const wanted = name.toLowerCase()
  return (id) => {
    const known = id.toLowerCase()
    const isLonger = known.endsWith(`/${wanted}`) || known.endsWith(`:${wanted}`)
    return id !== name && (known === wanted || isLonger || known.startsWith(`${wanted}@`))
  }
}
