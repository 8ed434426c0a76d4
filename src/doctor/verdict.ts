/** What the own Asterisk answers for a device against what the parts add up to, and why they may differ. */
import type { DeviceState } from '../bridge/state.js'
import { sumStates } from '../bridge/sum.js'
import type { ExplainAnswer, Remark } from '../observe/api.js'
import type { LocalAnswer } from './local-state.js'

export interface LocalView extends Omit<LocalAnswer, 'alternative'> {
  /** Does it answer what the parts add up to? Missing where that cannot be said. */
  readonly isAsExpected?: boolean
}

type DeviceAnswer = Extract<ExplainAnswer, { readonly kind: 'device_state' }>

/** States in which nobody uses the device. */
const idle: ReadonlySet<DeviceState> = new Set(['INVALID', 'UNKNOWN', 'UNAVAILABLE', 'NOT_INUSE'])

/** Compares what is answered with what the parts add up to. */
export function judge(
  answer: ExplainAnswer,
  { alternative, ...given }: LocalAnswer,
): { readonly local: LocalView; readonly remarks: readonly Remark[] } {
  const local = alternative === answer.sum ? { ...given, state: answer.sum } : given
  const { failure, state } = local
  if (failure !== undefined) {
    return {
      local,
      remarks: [{ severity: 'note', text: `what this Asterisk shows was not asked: ${failure}` }],
    }
  }
  if (state === undefined || answer.kind !== 'device_state') return { local, remarks: [] }
  const otherCase = nameInOtherCase(answer)
  if (otherCase !== undefined) {
    const text =
      `${state} is what this Asterisk answers for that name, as its channel drivers and its ` +
      `Custom: provider do not mind the case of their own; the device is ${otherCase}`
    return { local, remarks: [{ severity: 'note', text }] }
  }
  if (state === answer.sum) return { local: { ...local, isAsExpected: true }, remarks: [] }
  const remark = whyDifferent(answer, state)
  const isAsExpected = remark.severity === 'note'
  return { local: { ...local, isAsExpected }, remarks: [remark] }
}

/** The name under which the device is known, where it is that in another case and nothing is held of it in this one. */
function nameInOtherCase({ id, isKnown, alike = [], leftovers }: DeviceAnswer): string | undefined {
  if (isKnown || leftovers.length > 0) return undefined
  const wanted = id.toLowerCase()
  return alike.find((named) => named.kind === 'device_state' && named.id.toLowerCase() === wanted)
    ?.id
}

/** The first reason that holds; a `note` where it is as it should be all the same. */
function whyDifferent(answer: DeviceAnswer, state: DeviceState): Remark {
  const text = `this Asterisk answers ${state}, the parts add up to ${answer.sum}`
  return (
    becauseOfLeftovers(answer, text) ??
    becauseOfWaiting(answer, text) ??
    becauseUnshared(answer, state, text) ??
    becauseOfDriver(answer, state, text) ?? {
      severity: 'error',
      text: `${text}: it holds a state that no member tells of`,
      remedy:
        'that of a bridge that ran before on another state_dir, or of something else that publishes to it, such as ' +
        'Asterisks that publish to each other: end that first. A restart of Asterisk (core restart when convenient) ' +
        'drops the state; all else is given anew',
    }
  )
}

/** What it was given of members that do not say it. */
export function becauseOfLeftovers(
  { leftovers }: Pick<ExplainAnswer, 'leftovers'>,
  text: string,
): Remark | undefined {
  const [leftover] = leftovers
  if (!leftover) return undefined
  const what = leftover.isInherited
    ? `what an earlier run gave it under ${leftover.eid} is not confirmed yet`
    : `what it was given under ${leftover.eid} is not taken back yet`
  return { severity: 'warning', text: `${text}: ${what}`, remedy: 'see the remark on it' }
}

/** What Asterisk has not taken yet. */
export function becauseOfWaiting(
  { parts }: Pick<ExplainAnswer, 'parts'>,
  text: string,
): Remark | undefined {
  const waiting = parts.find(({ standing }) => standing === 'pending' || standing === 'refused')
  if (!waiting) return undefined
  const { name, eid, standing } = waiting
  return {
    severity: 'warning',
    text: `${text}: what ${name ?? eid} says is ${standing === 'pending' ? 'not there yet' : 'refused'}`,
    remedy: 'see the remark on it',
  }
}

/** Its own state is added too, or, where that is not cachable, counts until the next; is that the difference? */
function becauseUnshared(
  answer: DeviceAnswer,
  state: DeviceState,
  text: string,
): Remark | undefined {
  const { id, unshared } = answer
  if (!unshared) return undefined
  const given = statesGiven(answer)
  const isWhy = unshared.cachable
    ? sumStates([...given, unshared.state]) === state
    : given.length === 0
  if (!isWhy) return undefined
  return {
    severity: 'note',
    text: `${text}: its own state of ${id} (${unshared.state}), which it does not share, is added too`,
    remedy: 'this is so for what share keeps in, and for states that Asterisk calls uncachable',
  }
}

/**
 * Of what it has no state, or UNKNOWN, Asterisk asks the channel driver. A device that is in use has told so, and is known.
 * Source: Asterisk `main/devicestate.c`, `_ast_device_state`.
 */
function becauseOfDriver(
  answer: DeviceAnswer,
  state: DeviceState,
  text: string,
): Remark | undefined {
  const isAsked = statesGiven(answer).length === 0 ? idle.has(state) : answer.sum === 'UNKNOWN'
  if (!isAsked) return undefined
  return {
    severity: 'note',
    text: `${text}: of a device without a state, or of a sum of UNKNOWN, Asterisk asks the channel driver, and that is its answer`,
  }
}

/** What Asterisk adds up. */
function statesGiven({ parts }: DeviceAnswer): DeviceState[] {
  return parts.flatMap(({ state, cachable, standing }) =>
    cachable && standing !== 'held' ? [state] : [],
  )
}
