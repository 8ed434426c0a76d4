/** What every PBX should show, from what each PBX itself holds, against what it does show. */
import type { AmiMessage } from '../../lab/ami.js'
import type { Asterisk } from '../../lab/asterisk.js'
import type { Member } from '../../lab/member.js'
import { type DeviceState, isDeviceState } from '../../src/bridge/state.js'
import { sumStates } from '../../src/bridge/sum.js'
import { allDevices, extenOf, type Rig } from './rig.js'

/** How a hint shows the sum. Source: Asterisk `main/pbx.c`, `ast_devstate_to_extenstate`, `extension_states`. */
const hintTexts: Readonly<Record<DeviceState, string>> = {
  NOT_INUSE: 'Idle',
  UNKNOWN: 'Idle',
  INUSE: 'InUse',
  BUSY: 'Busy',
  INVALID: 'Unavailable',
  UNAVAILABLE: 'Unavailable',
  RINGING: 'Ringing',
  RINGINUSE: 'InUse&Ringing',
  ONHOLD: 'Hold',
}

/** More than there are mailboxes, so that each mailbox's last is among them. */
const keptCounts = 500

/** The sum of every device over what the Asterisks themselves hold (`res/func_devstate.c` keeps it in the astdb). */
export async function truth({ cluster }: Rig): Promise<ReadonlyMap<string, DeviceState>> {
  const held = await Promise.all(cluster.members.map(({ asterisk }) => ownStates(asterisk)))
  return new Map(
    allDevices.map((device) => [device, sumStates(held.flatMap((own) => own.get(device) ?? []))]),
  )
}

async function ownStates(asterisk: Asterisk): Promise<Map<string, DeviceState>> {
  const output = await asterisk.cli('database show CustomDevstate')
  const rows = [...output.matchAll(/^\/CustomDevstate\/(\S+)\s*: (\S+)/gm)]
  return new Map(
    rows.flatMap(([, name = '', state = '']) =>
      isDeviceState(state) ? [[`Custom:${name}`, state] as const] : [],
    ),
  )
}

/** What is not as it should be, a line each; none where all is right. `spool`: new messages by mailbox. */
export async function differences(
  rig: Rig,
  spool: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const wanted = await truth(rig)
  const found = await Promise.all(
    rig.cluster.members.map(async (member) => [
      ...(await standing(member)),
      ...(await wrongDevices(member.asterisk, wanted)),
      ...(await wrongLamps(member.asterisk, spool)),
    ]),
  )
  return found.flat()
}

/** A bridge that is not in sync, does not see the others, or names an error where nothing is wrong. */
async function standing(member: Member): Promise<string[]> {
  const { name } = member.asterisk
  const answer = await fetch(`${member.http}/ready`)
  const text = await answer.text()
  const alive = await member.alivePeers()
  return [
    ...(answer.ok ? [] : [`${name} is not ready: ${text}`]),
    ...(alive === 2 ? [] : [`${name} sees ${alive} peers alive`]),
    // Warnings may outlast what they warn of: that of a lag stands for a minute.
    ...(await member.problems())
      .filter(({ severity }) => severity === 'error')
      .map(({ text }) => `${name} complains: ${text}`),
  ]
}

async function wrongDevices(
  asterisk: Asterisk,
  wanted: ReadonlyMap<string, DeviceState>,
): Promise<string[]> {
  const list = await asterisk.ami.list('ExtensionStateList')
  const hints = new Map(list.map((each) => [each.get('Exten') ?? '', each.get('StatusText')]))
  const states = await Promise.all(allDevices.map((device) => asterisk.deviceState(device)))
  return allDevices.flatMap((device, index) => {
    const state = wanted.get(device) ?? 'UNKNOWN'
    const shown = `${states[index] ?? ''}, hint ${hints.get(extenOf(device)) ?? 'missing'}`
    const right = `${state}, hint ${hintTexts[state]}`
    return shown === right ? [] : [`${asterisk.name} shows ${device} ${shown}; it is ${right}`]
  })
}

async function wrongLamps(
  asterisk: Asterisk,
  spool: ReadonlyMap<string, number>,
): Promise<string[]> {
  const wrong = await Promise.all(
    [...spool].map(async ([mailbox, count]) => {
      const lamp = (await asterisk.deviceState(`MWI:${mailbox}`)) === 'INUSE' ? 'lit' : 'dark'
      const shown = `${lamp}, ${toldCount(asterisk, mailbox) ?? count} new`
      const right = `${count > 0 ? 'lit' : 'dark'}, ${count} new`
      return shown === right ? [] : [`${asterisk.name} shows ${mailbox} ${shown}; it is ${right}`]
    }),
  )
  return wrong.flat()
}

/**
 * What an Asterisk told last of a mailbox; nothing where it told that while it booted, before anybody listened. A phone
 * would not do: when its subscription ends, Asterisk 22 forgets to name the mailbox in its next dump.
 */
function toldCount({ ami }: Asterisk, mailbox: string): number | undefined {
  const last = ami.events.findLast((event) => isCount(event) && event.get('Mailbox') === mailbox)
  return last && Number(last.get('New'))
}

const isCount = (event: AmiMessage): boolean => event.get('Event') === 'MessageWaiting'

/** Drops what the Asterisks told before a quiet point, but for the last counts: hours of events are of no use. */
export function dropEvents({ cluster }: Rig): void {
  for (const { asterisk } of cluster.members) {
    const { events } = asterisk.ami
    events.splice(0, events.length, ...events.filter(isCount).slice(-keptCounts))
  }
}
