/** Names for the shell's completion, from the running bridge: a device after `explain`, a member after `forget`. */
import { loadConfig } from '../config/load.js'
import type { OverviewAnswer, StatesAnswer } from '../observe/api.js'
import { defaultConfigFile } from './config-option.js'
import { askBridge, question } from './inspect.js'

/** So many are proposed. */
const most = 100

type Names = 'devices' | 'mailboxes' | 'members'

/** What the first argument of a command names. */
const named: Readonly<Record<string, Names>> = {
  explain: 'devices',
  devices: 'devices',
  watch: 'devices',
  mailboxes: 'mailboxes',
  forget: 'members',
}

interface Words {
  readonly _?: readonly unknown[]
  readonly config?: unknown
}

/** Completes a line: by names where one belongs there and a bridge tells any, else as yargs does. */
export function complete(
  current: string,
  argv: Words,
  asUsual: () => void,
  done: (completions: string[]) => void,
): void {
  const command = argv._?.map(String).find((word) => word in named)
  const names = command === undefined || current.startsWith('-') ? undefined : named[command]
  if (names === undefined) {
    asUsual()
    return
  }
  const file = typeof argv.config === 'string' ? argv.config : defaultConfigFile
  // Who may not ask, or has no bridge, gets no names, and no word about it in the middle of a line.
  namesOf(names, file, current).then(done, () => done([]))
}

async function namesOf(names: Names, file: string, current: string): Promise<string[]> {
  const { config } = loadConfig(file)
  if (names === 'members') {
    const overview = await askBridge<OverviewAnswer>(config, '/api/overview')
    const all = overview?.members.flatMap(({ name, jid }) => [name, jid]) ?? []
    return all.filter((name) => name.startsWith(current))
  }
  const kind = names === 'devices' ? 'device_state' : 'message_waiting'
  const query = { kind, match: `${current}*`, limit: most }
  const answer = await askBridge<StatesAnswer>(config, question('/api/states', query))
  return answer?.states.map(({ id }) => id) ?? []
}
