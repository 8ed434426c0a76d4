/** What the own Asterisk answers for a device against what the parts add up to, and why they may differ. */
import { type DeviceState, isDeviceState } from '../bridge/state.js'
import type { ExplainAnswer, Remark } from '../observe/api.js'

/** What Asterisk answered on its console. */
export interface LocalAnswer {
  readonly state?: DeviceState
  /** Why it could not be asked. */
  readonly failure?: string
}

export interface LocalView extends LocalAnswer {
  /** Does it answer what the parts add up to? Missing where that cannot be said. */
  readonly isAsExpected?: boolean
}

/** What may stand in a function's argument on the console: no comma, no parenthesis, no quote, no white space. */
const askable = /^[\w/:@.+*#~-]+$/

/** Asks the console for a device's state, by a function that runs one command; never throws. */
export async function askLocally(
  device: string,
  run: (command: string) => Promise<string>,
): Promise<LocalAnswer> {
  if (!askable.test(device)) return { failure: 'its name cannot be asked for on the console' }
  try {
    const output = await run(`dialplan eval function DEVICE_STATE(${device})`)
    const word = /^Result: (\w+)\s*$/m.exec(output)?.[1] ?? ''
    return isDeviceState(word)
      ? { state: word }
      : { failure: `the console says: ${output.trim().slice(0, 200)}` }
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) }
  }
}

/** Compares what is answered with what the parts add up to. */
export function judge(
  answer: ExplainAnswer,
  local: LocalAnswer,
): { readonly local: LocalView; readonly remarks: readonly Remark[] } {
  const { failure, state } = local
  if (failure !== undefined) {
    return {
      local,
      remarks: [{ severity: 'note', text: `what this Asterisk shows was not asked: ${failure}` }],
    }
  }
  if (state === undefined || answer.kind !== 'device_state') return { local, remarks: [] }
  if (state === answer.sum) return { local: { ...local, isAsExpected: true }, remarks: [] }
  const remark = whyDifferent(answer, state)
  const isAsExpected = remark.severity === 'note'
  return { local: { ...local, isAsExpected }, remarks: [remark] }
}

/** The first reason that holds; a `note` where it is as it should be all the same. */
function whyDifferent(answer: ExplainAnswer, state: DeviceState): Remark {
  const { id, parts } = answer
  const sum = answer.kind === 'device_state' ? answer.sum : ''
  const text = `this Asterisk answers ${state}, the parts add up to ${sum}`
  const waiting = parts.find(({ standing }) => standing === 'pending' || standing === 'refused')
  if (waiting) {
    const { name, eid, standing } = waiting
    return {
      severity: 'warning',
      text: `${text}: what ${name ?? eid} says is ${standing === 'pending' ? 'not there yet' : 'refused'}`,
      remedy: 'see the remark on it',
    }
  }
  if (!parts.some(({ isOwn }) => isOwn)) {
    return {
      severity: 'note',
      text: `${text}: its own state of ${id}, which it does not share, is added too`,
      remedy:
        'this is so for what share keeps in, for Queue: devices, and for what Asterisk computes when it is asked',
    }
  }
  if (sum === 'UNKNOWN') {
    return {
      severity: 'note',
      text: `${text}: of a sum of UNKNOWN Asterisk asks the channel driver, and that is its answer`,
    }
  }
  return {
    severity: 'error',
    text: `${text}: it holds a state that no member tells of`,
    remedy:
      'that of a bridge that ran before on another state_dir, or of something else that publishes to it. A restart of ' +
      'Asterisk (core restart when convenient) drops it; all else is given anew',
  }
}
