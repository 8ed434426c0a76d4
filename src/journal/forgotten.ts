import { join } from 'node:path'
import { readPlainFileIfThere, reasonUnread } from '../plain-file.js'
import { writeAtomically } from './write-atomically.js'

/** A member that the administrator has had forgotten, and the epochs in which it was known. */
export interface ForgottenEntry {
  /** Bare JID. */
  readonly jid: string
  readonly epochs: readonly string[]
}

/** So many are kept, the last forgotten last: what an older one left on the server has been taken away by then. */
const mostMembers = 200
/** A member is known by the epoch of its item and that of its states. */
const mostEpochs = 4

/**
 * The forgotten members: a file `forgotten` in `state_dir`, one line for each, the bare JID and its epochs divided by tabs.
 * It is rewritten as a whole: few are ever forgotten.
 */
export class Forgotten {
  readonly #file: string
  readonly #members: Map<string, readonly string[]>

  /** Reads what an earlier run kept; what cannot be read is told to `lost` and left out. */
  constructor(directory: string, lost: (message: string) => void) {
    this.#file = join(directory, 'forgotten')
    this.#members = load(this.#file, lost)
  }

  entries(): ForgottenEntry[] {
    return [...this.#members].map(([jid, epochs]) => ({ jid, epochs }))
  }

  /** That member is forgotten in these epochs, in place of those of before; in none: no more. `write` is to follow. */
  set(jid: string, epochs: readonly string[]): void {
    this.#members.delete(jid)
    if (epochs.length > 0) this.#members.set(jid, epochs.slice(0, mostEpochs))
    const [oldest] = this.#members.keys()
    if (this.#members.size > mostMembers && oldest !== undefined) this.#members.delete(oldest)
  }

  /** Throws the file system's error. */
  write(): void {
    const lines = [...this.#members].map(([jid, epochs]) => `${[jid, ...epochs].join('\t')}\n`)
    writeAtomically(this.#file, lines.join(''))
  }
}

function load(file: string, lost: (message: string) => void): Map<string, readonly string[]> {
  const members = new Map<string, readonly string[]>()
  const lines = readOrTell(file, lost).split('\n')
  let broken = lines.pop() === '' ? 0 : 1
  for (const line of lines) {
    const [jid = '', ...epochs] = line.split('\t')
    if (isBareJid(jid) && areEpochs(epochs) && members.size < mostMembers) members.set(jid, epochs)
    else broken += 1
  }
  if (broken > 0) lost(`${broken} lines of ${file} are no forgotten members and are left out`)
  return members
}

/** As far as a tab and a line end cannot stand in it. Source: RFC 7622 §3.1: 1,023 octets a part. */
export function isBareJid(text: string): boolean {
  return text.length <= 2_047 && /^[^\s/@]+@[^\s/@]+$/u.test(text)
}

function areEpochs(texts: readonly string[]): boolean {
  const areAll = texts.every((text) => /^[0-9a-f]{32}$/.test(text))
  return areAll && texts.length > 0 && texts.length <= mostEpochs
}

function readOrTell(file: string, lost: (message: string) => void): string {
  try {
    return readPlainFileIfThere(file)
  } catch (error) {
    const reason = reasonUnread(error)
    lost(`'${file}' cannot be read (${reason}): members that were forgotten are so no more`)
    return ''
  }
}
