import { setTimeout as delay } from 'node:timers/promises'
import type { DeviceState } from '../../bridge/state.js'
import type { ExplainAnswer, StatesAnswer } from '../../observe/api.js'
import type { Check } from '../check.js'
import { type DoctorContext, overviewIfAny } from '../context.js'
import { type Finding, Findings } from '../finding.js'
import { type LocalAnswer, shownByEndpoints, shownByHints } from '../local-state.js'
import { askOwnConsole } from '../own-console.js'
import { judge } from '../verdict.js'

const findings = new Findings('asterisk-states')
const pageSize = 1_000
/** So many that differ are looked at one by one. */
const mostSuspects = 50
const mostNames = 5
/** A change that passes while two are asked is no difference, ms. */
const betweenMs = 500

/**
 * Does Asterisk show of each device what it and the members say of it? A state of an origin that is none of them, which no bridge
 * withdraws, shows only where it changes the sum: Asterisk tells nobody whose states it holds.
 */
export const asteriskStatesCheck: Check = {
  name: 'asterisk-states',
  async run(context) {
    const overview = await overviewIfAny(context)
    // That it does not run, or has not got all yet, is told.
    if (overview?.readiness.ready !== true) return []
    const first = await suspectsOf(context)
    if (first.length === 0) return judgeStrange([])
    await delay(betweenMs)
    const again = new Map(await suspectsOf(context, true))
    const strange: Strange[] = []
    for (const [id] of first.slice(0, mostSuspects)) {
      const shown = again.get(id)
      const answer = shown && (await explain(context, id))
      if (shown && answer && isUnexplained(answer, shown)) {
        strange.push({ id, state: shown.state ?? 'UNKNOWN' })
      }
    }
    return judgeStrange(strange)
  },
}

export interface Strange {
  readonly id: string
  readonly state: DeviceState
}

/** The finding on what Asterisk shows and nobody says. */
export function judgeStrange(strange: readonly Strange[]): Finding[] {
  if (strange.length === 0) {
    return [
      findings.ok('Asterisk shows what it and the members say, as far as hints and endpoints tell'),
    ]
  }
  const names = strange.slice(0, mostNames).map(({ id, state }) => `${id} ${state}`)
  const more = strange.length > mostNames ? ` and ${strange.length - mostNames} more` : ''
  return [
    findings.warning(
      `Asterisk holds states that no member tells of: ${names.join(', ')}${more}`,
      'a bridge that ran before on another state_dir, or something else that publishes to it, gave them: end that, have fresh secrets made ' +
        'if nobody knows of it (hintbridge init --renew-sip), and restart Asterisk, which drops them; hintbridge explain DEVICE says more',
    ),
  ]
}

function isUnexplained(answer: ExplainAnswer, shown: LocalAnswer): boolean {
  return judge(answer, shown).remarks.some(({ severity }) => severity === 'error')
}

/** States in which somebody uses a device: nobody's device is in one. */
const idle: ReadonlySet<DeviceState> = new Set(['INVALID', 'UNKNOWN', 'UNAVAILABLE', 'NOT_INUSE'])

/** What Asterisk shows otherwise than the bridge adds it up. */
async function suspectsOf(
  context: DoctorContext,
  isAgain = false,
): Promise<[string, LocalAnswer][]> {
  const ask = (command: string): Promise<string> =>
    isAgain ? context.console(command, 'anew') : askOwnConsole(context, command)
  const shown = new Map([
    ...shownByHints(await ask('core show hints')),
    ...shownByEndpoints(await ask('pjsip show endpoints')),
  ])
  shown.delete(`PJSIP/${context.config.asterisk.sip.resource}`)
  const sums = await sumsOf(context)
  return [...shown].filter(([id, { state, alternative }]) => {
    const sum = sums.get(id)
    if (sum === undefined) return state !== undefined && !idle.has(state)
    return sum !== state && sum !== alternative
  })
}

async function sumsOf(context: DoctorContext): Promise<Map<string, DeviceState>> {
  const sums = new Map<string, DeviceState>()
  for (let offset = 0; ; offset += pageSize) {
    const query = `kind=device_state&offset=${offset}&limit=${pageSize}`
    const page = await context.ask<StatesAnswer>(`/api/states?${query}`)
    for (const state of page?.states ?? []) {
      if (state.kind === 'device_state') sums.set(state.id, state.sum)
    }
    if ((page?.states.length ?? 0) < pageSize) return sums
  }
}

function explain(context: DoctorContext, id: string): Promise<ExplainAnswer | undefined> {
  return context.ask(`/api/explain?kind=device_state&id=${encodeURIComponent(id)}`)
}
