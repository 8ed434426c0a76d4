/** Reads YAML so that no message shows a piece of it: a password may stand on any line. */
import { type Document, type ErrorCode, isNode, LineCounter, parseDocument, visit } from 'yaml'
import type { ConfigProblem } from './config.js'

export interface YamlFile {
  /** What it holds; an empty section where that is nothing. */
  readonly tree: unknown
  /** Line, from 1, of a key, or of the innermost section of its path that is there. */
  readonly lineOf: (path: readonly string[]) => number | undefined
}

/** A thousand times what a large cluster needs. */
const mostCharacters = 2 ** 20
/** Brackets in brackets; a configuration has three. */
const mostDepth = 100
/** So many syntax errors are told: one is often the cause of the others. */
const mostErrors = 10

/** What a syntax error says of itself, in place of the parser's words, which quote the file. */
const reasons: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS: "an alias (*) has no name: put a text that begins with '*' in quotes",
  BAD_DQ_ESCAPE: "a text in double quotes holds a '\\' that YAML does not know: use single quotes",
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_SCALAR_START:
    'a text begins with a character that YAML keeps for itself: put it in single quotes',
  DUPLICATE_KEY: 'a key stands twice in one section',
  MISSING_CHAR: "a quote, a bracket or a ': ' is missing",
  MULTIPLE_DOCS: "there are several documents ('---'): keep one",
  RESOURCE_EXHAUSTION: 'it nests, more than any configuration',
  TAB_AS_INDENT: 'a tab is no indentation: use spaces',
}
const otherReason = 'something does not belong there: put a text with special characters in quotes'

/** Reads a text as one document of YAML; gives the problems where it is none, or is made to exhaust its reader. */
export function readYaml(text: string): YamlFile | readonly ConfigProblem[] {
  if (text.length > mostCharacters) return [tooMuch(`is of ${text.length} characters`)]
  if (opensDeeperThan(mostDepth, text)) return [tooMuch('nests brackets')]
  // What is no UTF-8 was read as U+FFFD, and UTF-16 has a NUL in nearly each character.
  if (/[\ufffd\0]/.test(text)) return [{ path: '', message: 'is no UTF-8 text: save it as such' }]
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, logLevel: 'error' })
  const problems = syntaxErrors(document, lines)
  if (problems.length > 0) return problems.slice(0, mostErrors)
  try {
    const tree: unknown = document.toJS() ?? {}
    return { tree, lineOf: (path) => lineOf(path, document, lines) }
  } catch (error) {
    // A RangeError is the end of the stack.
    if (error instanceof RangeError) return [tooMuch('nests')]
    const message =
      'has aliases (*) that stand for more than its reader can hold: write out what they stand for'
    return [{ path: '', message }]
  }
}

function tooMuch(does: string): ConfigProblem {
  return { path: '', message: `${does}, more than any configuration: is it another file?` }
}

/** The parser takes seconds over brackets that nobody closes; one that stands in a text is counted too. */
function opensDeeperThan(most: number, text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    if (depth > most) return true
  }
  return false
}

function syntaxErrors(document: Document, lines: LineCounter): ConfigProblem[] {
  const exhausting = document.errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION')
  const errors = (exhausting ? [exhausting] : document.errors).map(({ code, pos }) => ({
    code,
    line: lines.linePos(pos[0]).line,
  }))
  return (errors.length > 0 ? errors : aliasesToNothing(document, lines)).map(({ code, line }) => ({
    path: '',
    line,
    message: `is not YAML: ${reasons[code] ?? otherReason}`,
  }))
}

/** The library finds these late and without their line. */
function aliasesToNothing(
  document: Document,
  lines: LineCounter,
): { readonly code: ErrorCode; readonly line: number }[] {
  const anchors = new Set<string>()
  const found: { code: ErrorCode; line: number }[] = []
  visit(document, {
    Node: (_, { anchor }: { anchor?: string }) => {
      if (anchor !== undefined) anchors.add(anchor)
    },
    Alias: (_, { source, range }) => {
      if (anchors.has(source)) return
      found.push({ code: 'BAD_ALIAS', line: lines.linePos(range?.[0] ?? 0).line })
    },
  })
  return found
}

function lineOf(
  path: readonly string[],
  document: Document,
  lines: LineCounter,
): number | undefined {
  const keys = path.map((key) => (/^\d+$/.test(key) ? Number(key) : key))
  for (; keys.length > 0; keys.pop()) {
    const node: unknown = document.getIn(keys, true)
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
  }
  return undefined
}
