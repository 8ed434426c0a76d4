/** What the own Asterisk answers for a device, asked on its console in the way that leaves the least behind. */
import { type DeviceState, isDeviceState } from '../bridge/state.js'

/** What Asterisk answered on its console. */
export interface LocalAnswer {
  readonly state?: DeviceState
  /** A hint has one word for it and the state. */
  readonly alternative?: DeviceState
  /** Of a mailbox, in place of a state. */
  readonly hasNewMessages?: boolean
  /** Why it could not be asked. */
  readonly failure?: string
}

type Run = (command: string) => Promise<string>

/** What may stand in a function's argument on the console: no comma, no parenthesis, no quote, no white space. */
const askable = /^[\w/:@.+*#~-]+$/

/** Asks the console for a device's state, by commands of one line; never throws. */
export async function askLocally(device: string, run: Run): Promise<LocalAnswer> {
  if (!askable.test(device)) return { failure: 'its name cannot be asked for on the console' }
  try {
    return (
      (await askEndpoint(device, run)) ?? (await askHint(device, run)) ?? (await ask(device, run))
    )
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

/** Source: Asterisk `main/devicestate.c`, `ast_devstate2str`. */
const spoken: Readonly<Record<string, DeviceState>> = {
  Unknown: 'UNKNOWN',
  'Not in use': 'NOT_INUSE',
  'In use': 'INUSE',
  Busy: 'BUSY',
  Invalid: 'INVALID',
  Unavailable: 'UNAVAILABLE',
  Ringing: 'RINGING',
  'Ring+Inuse': 'RINGINUSE',
  'On Hold': 'ONHOLD',
}

/** Of its own endpoint Asterisk shows the sum, as `DEVICE_STATE()` does. Source: `ast_sip_get_device_state`. */
async function askEndpoint(device: string, run: Run): Promise<LocalAnswer | undefined> {
  const endpoint = /^PJSIP\/(.+)$/.exec(device)?.[1]
  if (endpoint === undefined) return undefined
  const output = await run(`pjsip show endpoint ${endpoint}`)
  const words = /^ Endpoint: {2}[^<\n].* {2}(\S.*?)\s+\d+ of \S+\s*$/m.exec(output)?.[1] ?? ''
  const state = spoken[words]
  return state && { state }
}

/** Source: Asterisk `main/pbx.c`, `ast_extension_state2str` and `ast_devstate_to_extenstate`. */
const shown: Readonly<Record<string, LocalAnswer>> = {
  Idle: { state: 'NOT_INUSE', alternative: 'UNKNOWN' },
  InUse: { state: 'INUSE' },
  Busy: { state: 'BUSY' },
  Unavailable: { state: 'UNAVAILABLE', alternative: 'INVALID' },
  Ringing: { state: 'RINGING' },
  'InUse&Ringing': { state: 'RINGINUSE' },
  Hold: { state: 'ONHOLD' },
}

/** A hint of the device alone, wherever it stands in the dialplan. */
async function askHint(device: string, run: Run): Promise<LocalAnswer | undefined> {
  return shownByHints(await run('core show hints')).get(device)
}

/** What `core show hints` shows of each device that has a hint of its own. */
export function shownByHints(output: string): Map<string, LocalAnswer> {
  const found = new Map<string, LocalAnswer>()
  for (const [, device = '', word = ''] of output.matchAll(/: (\S+) +State:(\S+) +Presence:/g)) {
    const answer = shown[word]
    if (answer && !device.includes('&')) found.set(device, answer)
  }
  return found
}

/** What `pjsip show endpoints` shows of each endpoint's device. */
export function shownByEndpoints(output: string): Map<string, LocalAnswer> {
  const found = new Map<string, LocalAnswer>()
  for (const [, name = '', words = ''] of output.matchAll(
    /^ Endpoint: {2}([^/<\s]+)\S* {2,}(\S.*?)\s+\d+ of \S+\s*$/gm,
  )) {
    const state = spoken[words]
    if (state) found.set(`PJSIP/${name}`, { state })
  }
  return found
}

/**
 * Asterisk makes a channel for it, and a device `CLIEval/N` stays behind in its memory (seen on 22.10): hence the last resort.
 * The configuration never shares those.
 */
async function ask(device: string, run: Run): Promise<LocalAnswer> {
  const output = await run(`dialplan eval function DEVICE_STATE(${device})`)
  const word = /^Result: (\w+)\s*$/m.exec(output)?.[1] ?? ''
  return isDeviceState(word)
    ? { state: word }
    : { failure: `the console says: ${output.trim().slice(0, 200)}` }
}
