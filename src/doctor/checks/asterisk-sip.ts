import { kinds } from '../../bridge/state.js'
import type { OverviewAnswer } from '../../observe/api.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { type SipTrial, trySip } from '../sip-trial.js'
import { includeFile } from './asterisk-endpoint.js'

const findings = new Findings('asterisk-sip')

/**
 * Do Asterisk and bridge take each other's PUBLISH, so that the fence returns (rule 1)? A running bridge knows; where none runs
 * its port is taken for a moment in its place.
 */
export const asteriskSipCheck: Check = {
  name: 'asterisk-sip',
  async run(context) {
    const overview = await context.overview()
    if (overview !== undefined) return judgeRunning(overview)
    return judgeTrial(await trySip(context.config.asterisk.sip, context.eid()))
  },
}

/** What a running bridge says of its Asterisk. */
export type RunningView = Pick<OverviewAnswer, 'problems'> & {
  readonly self: Pick<OverviewAnswer['self'], 'isAsteriskFound' | 'isFenced'>
}

/** The finding on a bridge that runs; the check `bridge` has told its problems. */
export function judgeRunning({ self, problems }: RunningView): Finding[] {
  if (!self.isAsteriskFound) return []
  if (self.isFenced) return [findings.ok('the bridge and Asterisk take what the other publishes')]
  const isTold = problems.some(({ key }) => /^(asterisk|eid|foreign-eid|fence)/.test(key))
  if (isTold) return []
  return [
    findings.warning(
      'what the bridge sent into Asterisk has not come back yet',
      'ask again in half a minute; then the bridge names the cause',
    ),
  ]
}

/** The findings on what Asterisk did with the stand-in. */
export function judgeTrial(trial: SipTrial): Finding[] {
  if (trial.bindFailure !== undefined) return [findings.broken(trial.bindFailure)]
  const complaints = [...trial.complaints.values()]
  if (!trial.isFound && (complaints.length === 0 || trial.complaints.has('asterisk'))) {
    return [
      findings.broken(
        complaints.join('; ') || 'Asterisk does not answer SIP',
        'start Asterisk; compare asterisk.sip.asterisk with its UDP transport',
      ),
    ]
  }
  const refused = kinds.flatMap((kind) => trial.refusals[kind] ?? [])
  if (complaints.length > 0 || refused.length > 0) {
    const texts = complaints.length > 0 ? complaints : refused
    return texts.map((text) => findings.broken(text))
  }
  return kinds.map((kind) => {
    const ms = trial.fencesMs[kind]
    if (ms !== undefined) {
      return findings.ok(`what is sent to Asterisk comes back in ${ms.toFixed(0)} ms (${kind})`)
    }
    return findings.broken(
      `Asterisk takes what it is sent and publishes nothing (${kind})`,
      `${includeFile}; if it is, see that both sides have one password, and restart Asterisk`,
    )
  })
}
