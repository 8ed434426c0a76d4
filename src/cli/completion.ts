/** Names for the shell's completion, from the running bridge: a device after `explain`, a member after `forget` and `watch --from`. */
import { loadConfig } from '../config/load.js'
import type { OverviewAnswer, StatesAnswer } from '../observe/api.js'
import { defaultConfigFile } from './config-option.js'
import { askBridge, question } from './inspect.js'

/** So many are proposed. */
const most = 100

/**
 * A name means nothing to a shell: a shell inserts it as it is, and it may come from any member. No quote, no `$`, no white space; at its
 * start no `-` of an option, no `~`, no `#`.
 */
const harmless = /^[\w/:@.+*][\w/:@.+*#~-]*$/

/** `members` are the others, `allMembers` has this one too. */
type Names = 'devices' | 'mailboxes' | 'members' | 'allMembers'

/** What the first argument of a command names. */
const named: Readonly<Record<string, Names>> = {
  explain: 'devices',
  devices: 'devices',
  watch: 'devices',
  mailboxes: 'mailboxes',
  forget: 'members',
}

/**
 * The names that may come next on a line, given by its words; `undefined` where no name belongs there. Who may not ask the
 * bridge, or has none, gets no names, and no word about it in the middle of a line.
 */
export async function proposeNames(words: readonly string[]): Promise<string[] | undefined> {
  const current = words.at(-1) ?? ''
  const names = namesAfter(words.slice(0, -1))
  if (names === undefined || current.startsWith('-')) return undefined
  try {
    const found = await namesOf(names, configFile(words), current)
    return proposable(found, current)
  } catch {
    return []
  }
}

/** What the next word names. */
function namesAfter(words: readonly string[]): Names | undefined {
  const option = words.at(-1) ?? ''
  const command = words.find((word) => Object.hasOwn(named, word))
  if (command === 'watch' && option === '--from') return 'allMembers'
  return command === undefined || option.startsWith('-') ? undefined : named[command]
}

/** The names that begin with what stands there and can do no harm in a shell. */
export function proposable(names: readonly string[], current: string): string[] {
  return names.filter((name) => name.startsWith(current) && harmless.test(name))
}

function configFile(words: readonly string[]): string {
  const at = words.findIndex((word) => word === '--config' || word === '-c')
  return (at < 0 ? undefined : words[at + 1]) ?? defaultConfigFile
}

/** Rejects where no bridge can be asked. */
async function namesOf(names: Names, file: string, current: string): Promise<string[]> {
  const { config } = loadConfig(file)
  if (names === 'members' || names === 'allMembers') {
    const overview = await askBridge<OverviewAnswer>(config, '/api/overview')
    if (!overview) return []
    const members = names === 'members' ? overview.members : [overview.self, ...overview.members]
    return members.flatMap(({ name, jid }) => [name, jid])
  }
  const kind = names === 'devices' ? 'device_state' : 'message_waiting'
  const query = { kind, match: `${current}*`, limit: most }
  const answer = await askBridge<StatesAnswer>(config, question('/api/states', query))
  return answer?.states.map(({ id }) => id) ?? []
}
