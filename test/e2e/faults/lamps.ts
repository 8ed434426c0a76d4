/** What a real Asterisk tells of device states by its manager interface, and when. */
import type { AmiClient, AmiMessage } from '../../../lab/ami.js'
import type { Asterisk } from '../../../lab/asterisk.js'
import type { DeviceState } from '../../../src/bridge/state.js'

/** A place in what one Asterisk process has told. */
export interface Mark {
  readonly pbx: Asterisk
  readonly ami: AmiClient
  readonly index: number
}

/** All that is told after this. */
export function mark(pbx: Asterisk): Mark {
  return { pbx, ami: pbx.ami, index: pbx.ami.events.length }
}

/** How many questions are put to one Asterisk at a time. */
const questions = 200

/** Asks or tells one thing for each, a limited number at a time, in order. */
export async function forEach(
  devices: readonly string[],
  act: (device: string) => Promise<unknown>,
): Promise<void> {
  for (let start = 0; start < devices.length; start += questions) {
    await Promise.all(devices.slice(start, start + questions).map(act))
  }
}

function isChangeOf(event: AmiMessage, devices: { has(device: string): boolean }): boolean {
  return event.get('Event') === 'DeviceStateChange' && devices.has(event.get('Device') ?? '')
}

/** The time at which each of these devices had told, since the mark, that it now has that state. */
export async function toldAll(
  since: Mark,
  devices: readonly string[],
  state: DeviceState,
  timeoutMs: number,
): Promise<number> {
  const missing = new Set(devices)
  const all = new Set(devices)
  const follow = (event: AmiMessage): boolean => {
    if (!isChangeOf(event, all)) return false
    const device = event.get('Device') ?? ''
    if (event.get('State') === state) missing.delete(device)
    else missing.add(device)
    return missing.size === 0
  }
  try {
    await since.ami.awaitEvent(follow, timeoutMs, since.index)
  } catch (error) {
    const [example] = missing
    const text = `${since.pbx.name}: ${missing.size} of ${devices.length} devices, such as ${example}, are not ${state}`
    throw new Error(text, { cause: error })
  }
  return performance.now()
}

/** The time at which all these devices have that state: some may have had it all the time. */
export async function areAll(
  pbx: Asterisk,
  devices: readonly string[],
  state: DeviceState,
  timeoutMs: number,
): Promise<number> {
  const since = mark(pbx)
  const wrong: string[] = []
  await forEach(devices, async (device) => {
    if ((await pbx.deviceState(device)) !== state) wrong.push(device)
  })
  return wrong.length === 0 ? performance.now() : toldAll(since, wrong, state, timeoutMs)
}

/** What was told of these devices since the mark, as text. */
export function changesSince({ pbx, ami, index }: Mark, devices: readonly string[]): string[] {
  const all = new Set(devices)
  return ami.events
    .slice(index)
    .filter((event) => isChangeOf(event, all))
    .map((event) => `${pbx.name}: ${event.get('Device')} ${event.get('State')}`)
}
