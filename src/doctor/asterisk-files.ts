/** Asterisk's configuration files as Asterisk reads them. Source: Asterisk `main/config.c`, `configs/samples/README`. */
import { readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isGlobbed } from '../bridge/glob.js'
import { readPlainFile } from '../plain-file.js'

/** One `[name]`, with the settings that its templates give it. */
export interface Section {
  readonly name: string
  /** Lower-case keys; of one that stands several times the last. */
  readonly settings: ReadonlyMap<string, string>
}

interface Draft {
  readonly name: string
  readonly settings: Map<string, string>
  readonly isTemplate: boolean
}

/** A file that includes another includes not more than so deep. */
const mostDepth = 10
/** Thousands of endpoints are some megabytes. */
const mostOctets = 67_108_864

/** Reads a file of Asterisk's configuration folder with all that it includes; throws where one cannot be read. */
export function readSections(folder: string, file: string): Section[] {
  const drafts: Draft[] = []
  readInto(drafts, folder, file, 0)
  return drafts.filter(({ isTemplate }) => !isTemplate)
}

function readInto(drafts: Draft[], folder: string, file: string, depth: number): void {
  if (depth > mostDepth) throw new Error(`${file} includes itself`)
  for (const line of linesOf(readPlainFile(resolve(folder, file), mostOctets))) {
    const include = /^#(try)?include\s+["<]?([^">]+)[">]?$/.exec(line)
    if (include) {
      for (const found of filesOf(folder, include[2] ?? '', include[1] !== undefined)) {
        readInto(drafts, folder, found, depth + 1)
      }
      continue
    }
    const header = /^\[([^\]]+)\]\s*(?:\(([^)]*)\))?/.exec(line)
    if (header) begin(drafts, header[1] ?? '', (header[2] ?? '').split(',').map(trim))
    else set(drafts.at(-1), line)
  }
}

/** Lines without comments: `;` to the end unless it is escaped, `;--` to `--;` over lines. */
function linesOf(text: string): string[] {
  return text
    .replace(/;--[^]*?--;/g, '')
    .split(/\r?\n/)
    .map((line) =>
      line
        .replace(/(?<!\\);.*$/, '')
        .replaceAll('\\;', ';')
        .trim(),
    )
    .filter((line) => line !== '')
}

/** A pattern may name several files, or none; a plain name has to be there unless it is only tried. */
function filesOf(folder: string, pattern: string, isTried: boolean): string[] {
  const path = resolve(folder, pattern)
  const isPattern = /[*?[]/.test(basename(path))
  try {
    if (!isPattern && !isTried) return [path]
    const present = readdirSync(dirname(path)).sort()
    return present
      .filter((name) => isGlobbed(name, basename(path), true))
      .map((name) => join(dirname(path), name))
  } catch (error) {
    if (isPattern || isTried) return []
    throw error
  }
}

/** `[name](!)` is a template, `[name](a,b)` takes from others, `[name](+)` goes on with the section of that name. */
function begin(drafts: Draft[], name: string, marks: readonly string[]): void {
  const sameName = drafts.findLast((draft) => draft.name === name)
  if (marks.includes('+') && sameName !== undefined) {
    drafts.push(...drafts.splice(drafts.indexOf(sameName), 1))
    return
  }
  const settings = new Map<string, string>()
  for (const mark of marks) {
    const template = drafts.findLast((draft) => draft.name === mark)
    for (const [key, value] of template?.settings ?? []) settings.set(key, value)
  }
  drafts.push({ name, settings, isTemplate: marks.includes('!') })
}

function set(section: Draft | undefined, line: string): void {
  const assignment = /^([^=]+?)\s*=>?\s*(.*)$/.exec(line)
  if (section && assignment)
    section.settings.set((assignment[1] ?? '').toLowerCase(), assignment[2] ?? '')
}

function trim(text: string): string {
  return text.trim()
}
