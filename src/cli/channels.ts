import type { CommandModule } from 'yargs'
import { kinds } from '../bridge/state.js'
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
import { readServer, serverNote } from './server-view.js'
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
  const channels = overview?.channels ?? (await readChannels(config))
  const source = overview ? 'bridge' : 'server'
  if (isJson) {
    printJson(output, { source, channels })
    return
  }
  if (!overview) output.note(serverNote)
  output.print(channels.map((channel) => renderChannel(channel, source, output)).join('\n\n'))
}

/** What is configured, and what the server has retained. */
async function readChannels(config: Config): Promise<ChannelView[]> {
  const members = await readServer(config, kinds)
  return kinds.map((kind) => {
    const { publish, subscribe, include, exclude } = config.share[kind]
    const counted = members.map(({ item, entries = [] }) => ({
      jid: item.id,
      name: item.name,
      states: entries.filter((entry) => entry.kind === kind).length,
    }))
    const isOwn = ({ jid }: { readonly jid: string }): boolean => jid === config.xmpp.jid
    return {
      ...{ kind, publish, subscribe, include, exclude },
      own: counted.find(isOwn)?.states ?? 0,
      injected: 0,
      perMember: counted.filter((member) => !isOwn(member)),
    }
  })
}

function renderChannel(
  { kind, publish, subscribe, include, exclude, own, injected, perMember }: ChannelView,
  source: 'bridge' | 'server',
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
      { cells: ['own', String(own)] },
      ...(source === 'bridge' ? [{ cells: ['here', String(injected)] }] : []),
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
