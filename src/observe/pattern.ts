/**
 * Makes a test of ids of a PATTERN, as the inspection API and the commands take it: with `*` (any text) or `?` (one character)
 * a glob over the whole id, without them a text anywhere in it. Case does not count; an empty one matches all.
 */
export function matcher(pattern: string): (id: string) => boolean {
  if (pattern === '' || pattern === '*') return () => true
  const wanted = pattern.toLowerCase()
  if (!/[*?]/.test(wanted)) return (id) => id.toLowerCase().includes(wanted)
  return (id) => isGlobbed(id.toLowerCase(), wanted)
}

/** Goes back to the last `*` only, so that no pattern takes longer than its length times the text's. */
function isGlobbed(text: string, pattern: string): boolean {
  let at = 0
  let next = 0
  let star = -1
  let resumeAt = 0
  while (at < text.length) {
    const token = pattern[next]
    if (token === '*') {
      star = next
      resumeAt = at
      next += 1
    } else if (token === '?' || token === text[at]) {
      at += 1
      next += 1
    } else if (star >= 0) {
      resumeAt += 1
      at = resumeAt
      next = star + 1
    } else {
      return false
    }
  }
  while (pattern[next] === '*') next += 1
  return next === pattern.length
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
