/**
 * Says whether a whole text is matched by a glob: `*` is any text, and where `hasSingle`, `?` any one UTF-16 unit; all else is
 * itself. It goes back to the last `*` only, so that no glob takes longer than its length times the text's: peers and strangers
 * choose the texts.
 */
export function isGlobbed(text: string, glob: string, hasSingle: boolean): boolean {
  let at = 0
  let next = 0
  let star = -1
  let resumeAt = 0
  while (at < text.length) {
    const token = glob[next]
    if (token === '*') {
      star = next
      resumeAt = at
      next += 1
    } else if (token === text[at] || (token === '?' && hasSingle)) {
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
  while (glob[next] === '*') next += 1
  return next === glob.length
}
