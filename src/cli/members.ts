import type { CommandModule } from 'yargs'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import type { MemberView, OverviewAnswer } from '../observe/api.js'
import {
  askBridge,
  type InspectArguments,
  inspectOptions,
  type Output,
  printJson,
  standardOutput,
} from './inspect.js'
import { noteServer, readServer, type ServerMember } from './server-view.js'
import { type Cell, type Column, renderTable, type Row, type Tone } from './table.js'
import { spellAge, spellDelay } from './wording.js'

export const membersCommand: CommandModule<object, InspectArguments> = {
  command: 'members',
  describe: 'Show who is in the cluster, how long, and how each is followed',
  builder: (yargs) =>
    yargs
      .options(inspectOptions)
      .example('$0 members', 'who is alive, dead, gone or refused, and why')
      .example('$0 members --json', 'the same for a script')
      .epilogue(
        'ALIVE: for how long. HEARD: how long ago. BATCH: number of its last batch. DELAY: from the last change at its Asterisk to its arrival here, where the clocks agree. Without a running bridge the XMPP server is asked.',
      ),
  handler: ({ config: file, json }) => showMembers(loadConfig(file).config, json, standardOutput()),
}

/** Prints the members as the running bridge sees them, or else as the XMPP server has them. */
export async function showMembers(config: Config, isJson: boolean, output: Output): Promise<void> {
  const overview = await askBridge<OverviewAnswer>(config, '/api/overview')
  if (overview) {
    const { at, self, members } = overview
    if (isJson) printJson(output, { source: 'bridge', at, self, members })
    else output.print(renderMembers(overview, output))
    return
  }
  const members = await readServer(config, [])
  if (isJson) printJson(output, { source: 'server', members: members.map(({ item }) => item) })
  else {
    noteServer(members, output)
    output.print(renderServerMembers(members, output))
  }
}

const columns: readonly Column[] = [
  { title: 'NAME', least: 8 },
  { title: 'STATE', least: 8 },
  { title: 'ALIVE', isNumber: true },
  { title: 'HEARD', isNumber: true },
  { title: 'DEVICES', isNumber: true },
  { title: 'BOXES', isNumber: true },
  { title: 'BATCH', isNumber: true },
  { title: 'DELAY', isNumber: true },
]

/** A line for each member, and below it its addresses and what is wrong with it. */
export function renderMembers(
  { at, self, members, readiness }: OverviewAnswer,
  { style }: Pick<Output, 'style'>,
): string {
  const nowMs = Date.parse(at)
  const tone: Tone = readiness.ready ? 'good' : 'warning'
  const own: Row = {
    cells: [
      self.name,
      { text: self.phase === 'ready' && !readiness.ready ? 'not ready' : self.phase, tone },
      spellAge(self.startedAt, nowMs),
      'here',
      String(self.ownDevices),
      String(self.ownMailboxes),
      String(self.sequence),
      '-',
    ],
    details: [
      identity(self.jid, self.eid, self.asterisk, self.version),
      ...readiness.reasons.map((reason): Cell => ({ text: `not ready: ${reason}`, tone })),
    ],
  }
  const byName = [...members].sort((one, other) => (one.name < other.name ? -1 : 1))
  return renderTable(columns, [own, ...byName.map((member) => memberRow(member, nowMs))], style)
}

function memberRow(member: MemberView, nowMs: number): Row {
  const { name, jid, eid, aliveSince, lastHeardAt, delayMs, devices, mailboxes, sequence } = member
  const { word, tone, why } = conditionOf(member)
  return {
    cells: [
      name,
      { text: word, tone },
      spellAge(aliveSince, nowMs),
      spellAge(lastHeardAt, nowMs),
      String(devices),
      String(mailboxes),
      String(sequence),
      spellDelay(delayMs),
    ],
    details: [
      identity(jid, eid, member.pbxVersion, member.version),
      ...why.map((text): Cell => ({ text, tone })),
    ],
  }
}

interface Condition {
  readonly word: string
  readonly tone: Tone
  readonly why: readonly string[]
}

/** What is to be known of a member in a word, and why it is not simply alive. */
function conditionOf(member: MemberView): Condition {
  const { life, reason, refusal, isSynced, isStale } = member
  if (refusal !== undefined) return { word: 'refused', tone: 'bad', why: [`refused: ${refusal}`] }
  const because = reason === undefined ? [] : [`${life}: ${reason}`]
  if (life === 'gone') return { word: life, tone: 'faint', why: because }
  if (life === 'dead') return { word: life, tone: 'bad', why: because }
  const why = [
    ...because,
    ...(isSynced ? [] : ['what it says is not complete yet']),
    ...(isStale ? ['its device states are withdrawn here until it is in sync again'] : []),
  ]
  const word = life === 'alive' && !isSynced ? 'syncing' : life
  return { word, tone: why.length === 0 ? 'good' : 'warning', why }
}

function identity(
  jid: string,
  eid: string | undefined,
  asterisk: string | undefined,
  version: string,
): Cell {
  const pbx = asterisk === undefined ? 'Asterisk ?' : shortVersion(asterisk)
  const parts = [jid, eid ?? 'EID not known yet', pbx, `hintbridge ${version}`]
  return { text: parts.join(', '), tone: 'faint' }
}

/** `Asterisk PBX 22.10.1` of `Asterisk PBX 22.10.1+dfsg+~cs6.17.60671434-1`: what a distribution adds is in the JSON. */
function shortVersion(version: string): string {
  return version.replace(/[+~]\S*$/, '')
}

function renderServerMembers(
  members: readonly ServerMember[],
  { style }: Pick<Output, 'style'>,
): string {
  return renderTable(
    [
      { title: 'NAME', least: 8 },
      { title: 'JID', least: 16 },
      { title: 'EID' },
      { title: 'PBX', least: 6 },
    ],
    members.map(({ item }) => ({
      cells: [item.name, item.id, item.eid, shortVersion(item.pbxVersion ?? '-')],
    })),
    style,
  )
}
