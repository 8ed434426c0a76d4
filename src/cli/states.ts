/** What `devices` and `mailboxes` have in common: the sum of each state, and each origin's part. */
import type { CommandModule } from 'yargs'
import type { Kind } from '../bridge/state.js'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import type { Counts, DevicePart, MailboxPart, StatesAnswer, StateView } from '../observe/api.js'
import { matcher } from '../observe/pattern.js'
import {
  askBridge,
  type InspectArguments,
  inspectOptions,
  type Output,
  printJson,
  question,
  standardOutput,
} from './inspect.js'
import { type ServerState, serverStates } from './server-states.js'
import { noteServer, readServer } from './server-view.js'
import { type Cell, type Column, renderTable, type Tone } from './table.js'
import { spellAge, spellCount } from './wording.js'

export interface StatesArguments extends InspectArguments {
  readonly pattern: string | undefined
  readonly busy: boolean
}

export interface StatesWords {
  readonly kind: Kind
  readonly command: 'devices' | 'mailboxes'
  /** `device`, `mailbox`. */
  readonly one: string
  readonly many: string
  readonly describe: string
  /** A pattern that an administrator might give. */
  readonly example: string
  /** What comes first with `--busy`. */
  readonly busy: string
}

/** One kind's command. */
export function statesCommand(words: StatesWords): CommandModule<object, StatesArguments> {
  const { command, describe, example, many, busy } = words
  return {
    command: `${command} [pattern]`,
    describe,
    builder: (yargs) =>
      yargs
        .positional('pattern', {
          type: 'string',
          describe: 'with * or ? a glob over the name, else a part of it',
        })
        .options({
          ...inspectOptions,
          busy: { type: 'boolean', default: false, describe: busy },
        })
        .example(`$0 ${command}`, `all ${many}`)
        .example(`$0 ${command} '${example}'`, 'some of them')
        .epilogue(
          'CHANGED: how long ago this member learnt of it. A part is followed by how it stands where it is not simply so: pending, refused or held. Without a running bridge the XMPP server is asked.',
        ),
    handler: ({ config: file, json, pattern = '', busy: isBusyFirst }) =>
      showStates(words, {
        config: loadConfig(file).config,
        pattern,
        order: isBusyFirst ? 'busy' : 'name',
        isJson: json,
        output: standardOutput(),
      }),
  }
}

export interface ShowStatesOptions {
  readonly config: Config
  readonly pattern: string
  readonly order: 'busy' | 'name'
  readonly isJson: boolean
  readonly output: Output
}

/** Prints the states that match, as the running bridge knows them or else as the XMPP server has them. */
export async function showStates(words: StatesWords, options: ShowStatesOptions): Promise<void> {
  const { config, pattern, isJson, output } = options
  const answer = await askAll(words.kind, options)
  if (answer) {
    const { total, matched, states } = answer
    if (isJson) printJson(output, { source: 'bridge', total, matched, states })
    else output.print(renderStates(words, answer, output))
    return
  }
  const members = await readServer(config, [words.kind])
  const found = serverStates(members, words.kind, matcher(pattern))
  if (isJson) printJson(output, found)
  else {
    noteServer(members, output)
    output.print(renderServerStates(words, found.states, output))
  }
}

/** So many are asked for at a time. */
const pageSize = 1_000

/** All pages, `undefined` where no bridge runs; what changes between two pages may be shown twice or not at all. */
async function askAll(
  kind: Kind,
  { config, pattern, order }: ShowStatesOptions,
): Promise<StatesAnswer | undefined> {
  const states: StateView[] = []
  for (;;) {
    const query = { kind, match: pattern, order, offset: states.length, limit: pageSize }
    const page = await askBridge<StatesAnswer>(config, question('/api/states', query))
    if (!page) return undefined
    states.push(...page.states)
    if (page.states.length < pageSize) return { ...page, states }
  }
}

const partsColumn: Column = { title: 'PARTS', least: 20, isWrapped: true }

/** A line for each state. */
export function renderStates(
  words: StatesWords,
  { total, matched, states }: StatesAnswer,
  { style }: Pick<Output, 'style'>,
): string {
  const columns: Column[] = [
    { title: words.one.toUpperCase(), least: 12 },
    { title: 'SUM' },
    { title: 'CHANGED', isNumber: true },
    partsColumn,
  ]
  const nowMs = Date.now()
  const rows = states.map((state) => ({
    cells: [state.id, sumCell(state), spellAge(state.changedAt, nowMs), partsOf(state)],
  }))
  const counted = matched === total ? '' : ` of ${total}`
  const summary = `${spellCount(matched, words.one, words.many)}${counted}`
  return rows.length === 0 ? summary : `${renderTable(columns, rows, style)}\n${summary}`
}

function renderServerStates(
  { one, many }: StatesWords,
  states: readonly ServerState[],
  { style }: Pick<Output, 'style'>,
): string {
  const summary = spellCount(states.length, one, many)
  if (states.length === 0) return summary
  const columns: Column[] = [{ title: one.toUpperCase(), least: 12 }, { title: 'SUM' }, partsColumn]
  const rows = states.map(({ id, sum, parts }) => ({
    cells: [
      id,
      sum === undefined ? '-' : { text: sum, tone: toneOf(sum) },
      parts.map(({ name, state }) => `${name} ${state}`).join(', '),
    ],
  }))
  return `${renderTable(columns, rows, style)}\n${summary}`
}

function sumCell(state: StateView): Cell {
  const text = wordOfSum(state)
  return { text, tone: toneOf(text) }
}

/** `INUSE`, or `2/0` for new and old messages. */
export function wordOfSum(state: StateView): string {
  return state.kind === 'device_state' ? state.sum : wordOfCounts(state.sum)
}

function wordOfCounts({ newMessages, oldMessages }: Counts): string {
  return `${newMessages}/${oldMessages}`
}

/** The tone of a state, or of counts. */
export function toneOf(word: string): Tone {
  if (/^[1-9]\d*\//.test(word)) return 'busy'
  switch (word) {
    case 'INUSE':
    case 'BUSY':
    case 'RINGING':
    case 'RINGINUSE':
    case 'ONHOLD':
      return 'busy'
    case 'NOT_INUSE':
      return 'good'
    case 'UNAVAILABLE':
      return 'warning'
    default:
      return 'plain'
  }
}

function partsOf(state: StateView): string {
  return state.parts.map(wordOfPart).join(', ')
}

function wordOfPart(part: DevicePart | MailboxPart): string {
  const { name, eid, standing } = part
  const word = 'state' in part ? part.state : wordOfCounts(part)
  const aside = standing === 'own' || standing === 'injected' ? '' : ` (${standing})`
  return `${name ?? eid} ${word}${aside}`
}
