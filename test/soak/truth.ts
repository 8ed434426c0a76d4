/** What every PBX should show, from what each PBX itself holds, against what it does show. */
import type { Asterisk } from '../../lab/asterisk.js'
import type { Member } from '../../lab/member.js'
import { Phone } from '../../lab/phone.js'
import { type DeviceState, isDeviceState } from '../../src/bridge/state.js'
import { sumStates } from '../../src/bridge/sum.js'
import { allDevices, extenOf, lampAccount, type Rig } from './rig.js'

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

const notifyMs = 10_000

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
      const right = count > 0 ? 'lit' : 'dark'
      return lamp === right ? [] : [`${asterisk.name}: ${mailbox} is ${lamp}, has ${count}`]
    }),
  )
  return wrong.flat()
}

/** The same for the counts, as a phone at each PBX is told them (RFC 3842): a subscription each. */
export async function wrongCounts(
  { cluster }: Rig,
  spool: ReadonlyMap<string, number>,
): Promise<readonly string[]> {
  const wrong = await Promise.all(
    cluster.members.flatMap(({ asterisk }) =>
      [...spool].map(async ([mailbox, count]) => {
        const phone = new Phone(cluster.scratch, lampAccount(mailbox), asterisk.sipPort)
        try {
          const lamp = await phone.subscribeMailbox()
          const told = `Voice-Message: ${count}/0`
          await lamp.awaitNotifies((all) => all.at(-1)?.body.includes(told) === true, notifyMs)
          return []
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          return [`${asterisk.name}: a phone is not told ${count} new in ${mailbox}: ${reason}`]
        } finally {
          await phone.stop()
        }
      }),
    ),
  )
  return wrong.flat()
}
