import type { CommandModule } from 'yargs'
import { kinds, type StateEntry } from '../bridge/state.js'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import type { ChannelView, OverviewAnswer } from '../observe/api.js'
import {
  askBridge,
  type InspectArguments,
  inspectOptions,
  type Output,
  printJson,
  standardOutput,
} from './inspect.js'
import {
  failuresOf,
  noteServer,
  readServer,
  type ServerFailure,
  type ServerMember,
} from './server-view.js'
import { renderTable } from './table.js'

export const channelsCommand: CommandModule<object, InspectArguments> = {
  command: 'channels',
  describe: 'Show for each kind of state what goes out, what comes in, and how much of it',
  builder: (yargs) =>
    yargs
      .options(inspectOptions)
      .example('$0 channels', 'device states and message counts, per member')
      .epilogue(
        'OWN: states of this Asterisk that the cluster was told. HERE: states of the others that this Asterisk was given. Without a running bridge the XMPP server is asked, for the counts.',
      ),
  handler: ({ config: file, json }) =>
    showChannels(loadConfig(file).config, json, standardOutput()),
}

/** Prints the kinds of state with their filters and counts. */
export async function showChannels(config: Config, isJson: boolean, output: Output): Promise<void> {
  const overview = await askBridge<OverviewAnswer>(config, '/api/overview')
  const print = (channels: readonly ShownChannel[]): void =>
    output.print(channels.map((channel) => renderChannel(channel, output)).join('\n\n'))
  if (overview) {
    const { channels } = overview
    if (isJson) printJson(output, { source: 'bridge', channels })
    else print(channels)
    return
  }
  const members = await readServer(config, kinds)
  const found = serverChannels(config, members)
  if (isJson) printJson(output, found)
  else {
    noteServer(members, output)
    print(found.channels)
  }
}

/** A channel of which not all is known: only a bridge knows what Asterisk was given. */
type ShownChannel = Omit<ChannelView, 'own' | 'injected'> &
  Partial<Pick<ChannelView, 'own' | 'injected'>>

/** What a script is told where no bridge runs. */
export interface ServerChannels {
  readonly source: 'server'
  readonly channels: readonly ShownChannel[]
  /** The members whose counts are not known. */
  readonly failures: readonly ServerFailure[]
}

/** What is configured, and how much of it the server has retained; a member whose nodes could not be read has no count. */
export function serverChannels(
  { share, xmpp }: { readonly share: Config['share']; readonly xmpp: Pick<Config['xmpp'], 'jid'> },
  members: readonly ServerMember[],
): ServerChannels {
  const own = members.find(({ item }) => item.id === xmpp.jid)
  const channels = kinds.map((kind): ShownChannel => {
    const { publish, subscribe, include, exclude } = share[kind]
    const count = (entries: readonly StateEntry[]): number =>
      entries.filter((entry) => entry.kind === kind).length
    return {
      ...{ kind, publish, subscribe, include, exclude },
      ...(own?.failure === undefined && { own: count(own?.entries ?? []) }),
      perMember: members.flatMap((member) => {
        const { id: jid, name } = member.item
        if (member === own || member.entries === undefined) return []
        return [{ jid, name, states: count(member.entries) }]
      }),
    }
  })
  return { source: 'server', channels, failures: failuresOf(members) }
}

function renderChannel(
  { kind, publish, subscribe, include, exclude, own, injected, perMember }: ShownChannel,
  { style }: Pick<Output, 'style'>,
): string {
  const yes = (is: boolean): string => (is ? 'yes' : 'no')
  const patterns = (all: readonly string[]): string => (all.length === 0 ? 'none' : all.join('  '))
  const settings = renderTable(
    [{ title: kind.toUpperCase() }, { title: '', least: 20, isWrapped: true }],
    [
      { cells: ['published', yes(publish)] },
      { cells: ['subscribed', yes(subscribe)] },
      { cells: ['include', patterns(include)] },
      { cells: ['exclude', patterns(exclude)] },
      { cells: ['own', String(own ?? '-')] },
      ...(injected === undefined ? [] : [{ cells: ['here', String(injected)] }]),
    ],
    style,
  )
  if (perMember.length === 0) return settings
  const members = renderTable(
    [
      { title: 'MEMBER', least: 8 },
      { title: 'STATES', isNumber: true },
      { title: 'JID', least: 16 },
    ],
    perMember.map(({ name, states, jid }) => ({ cells: [name, String(states), jid] })),
    style,
  )
  return `${settings}\n${members}`
}
