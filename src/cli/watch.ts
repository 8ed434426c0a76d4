import type { CommandModule } from 'yargs'
import { parseEntityId } from '../bridge/state.js'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import type { ApiEvents, ChangeEvent, OverviewAnswer } from '../observe/api.js'
import { followControl } from '../observe/control-events.js'
import {
  askBridge,
  type InspectArguments,
  inspectOptions,
  noBridge,
  type Output,
  question,
  standardOutput,
} from './inspect.js'
import { toneOf } from './states.js'
import { clean, paint, type TerminalStyle } from './table.js'
import { spellDelay, spellTime } from './wording.js'

export interface WatchArguments extends InspectArguments {
  readonly pattern: string | undefined
  readonly from: string | undefined
}

export const watchCommand: CommandModule<object, WatchArguments> = {
  command: 'watch [pattern]',
  describe: 'Show changes as they pass, with their origin and delay',
  builder: (yargs) =>
    yargs
      .positional('pattern', {
        type: 'string',
        describe: 'with * or ? a glob over the name, else a part of it',
      })
      .options({
        ...inspectOptions,
        json: { type: 'boolean', default: false, describe: 'print a JSON document a line' },
        from: {
          type: 'string',
          requiresArg: true,
          describe: 'only changes of this member: its name, JID or EID',
        },
      })
      .example('$0 watch', 'all that passes, until ^C')
      .example("$0 watch 'PJSIP/10*' --from pbx-b", 'some devices, of one member')
      .epilogue(
        'A line has the time, the member whose Asterisk says so, the device or mailbox, what it said before and says now, the sum of all, and how long the change took to arrive here, where the clocks agree.',
      ),
  handler: async ({ config: file, pattern = '', from, json }) => {
    const stop = new AbortController()
    const abort = (): void => stop.abort()
    process.once('SIGINT', abort)
    process.once('SIGTERM', abort)
    await watch({
      config: loadConfig(file).config,
      pattern,
      ...(from !== undefined && { from }),
      isJson: json,
      output: standardOutput(),
      signal: stop.signal,
    })
  },
}

export interface WatchOptions {
  readonly config: Config
  readonly pattern: string
  readonly from?: string
  readonly isJson: boolean
  readonly output: Output
  readonly signal: AbortSignal
}

/** Prints changes until the signal is aborted; throws where no bridge runs or it ends, and where no member is called so. */
export async function watch(options: WatchOptions): Promise<void> {
  const { config, pattern, isJson, output, signal } = options
  const from = options.from === undefined ? undefined : await findOrigin(options.from, options)
  const path = question('/api/events', { match: pattern === '' ? undefined : pattern })
  const show = (change: ChangeEvent): void => {
    if (from !== undefined && !isFrom(change, from)) return
    output.print(isJson ? JSON.stringify(change) : renderChange(change, output.style))
  }
  const isThere = await followControl(
    config.controlSocket,
    path,
    ({ event, data }) => {
      if (event === 'change') show(JSON.parse(data) as ApiEvents['change'])
      if (event !== 'lost') return
      const { events } = JSON.parse(data) as ApiEvents['lost']
      output.note(`${events} events were left out: this terminal reads too slowly`)
    },
    signal,
  )
  if (!isThere) throw noBridge(config, 'what passes')
  if (!signal.aborted) throw new Error('the bridge has ended')
}

/** Whom `--from` means; an EID may be that of a member to come. Throws an Error where no member is called so. */
async function findOrigin(
  from: string,
  { config, output }: Pick<WatchOptions, 'config' | 'output'>,
): Promise<string> {
  const overview = await askBridge<OverviewAnswer>(config, '/api/overview')
  if (!overview) throw noBridge(config, 'what passes')
  const eid = parseEntityId(from)
  const wanted = eid ?? from
  if ([overview.self, ...overview.members].some((member) => isFrom(member, wanted))) return wanted
  if (eid === undefined) {
    throw new Error(`no member is called ${from}: 'hintbridge members' names them`)
  }
  output.note(`no member has the EID ${eid} yet`)
  return wanted
}

type Origin = Pick<ChangeEvent, 'name' | 'jid' | 'eid'>

function isFrom({ name, jid, eid }: Partial<Origin>, member: string): boolean {
  const wanted = member.toLowerCase()
  return [name, jid, eid].some((each) => each?.toLowerCase() === wanted)
}

/** One change on one line. */
export function renderChange(change: ChangeEvent, style: TerminalStyle): string {
  const { at, name, eid, id, before = '-', after = '-', sum, delayMs } = change
  const paintState = (word: string): string => paint(word, toneOf(word), style)
  return [
    paint(spellTime(at), 'faint', style),
    clean(name ?? eid),
    clean(id),
    `${before} → ${paintState(after)}`,
    `sum ${paintState(sum)}`,
    ...(delayMs === undefined ? [] : [paint(spellDelay(delayMs), 'faint', style)]),
  ].join('  ')
}
