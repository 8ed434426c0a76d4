/** What hintbridge has set itself, as ratios within one run. */
import type { Result } from './scenario.js'
import { quantile } from './statistics.js'

export interface Target {
  readonly what: string
  /** Such as `≤ 0.4`. */
  readonly wanted: string
  readonly got: number
  readonly isMet: boolean
}

const onProsody = 'hintbridge, Prosody'
const onEjabberd = 'hintbridge, ejabberd'
const resXmpp = 'res_xmpp, Prosody'
const direct = 'SIP PUBLISH, direct'

/** The median over the rounds; `NaN` where it was not measured. */
export function medianOf(
  results: readonly Result[],
  scenario: string,
  subject: string,
  metric: string,
): number {
  return quantile(roundsOf(results, scenario, subject, metric), 0.5)
}

function roundsOf(
  results: readonly Result[],
  scenario: string,
  subject: string,
  metric: string,
): number[] {
  const result = results.find((each) => each.scenario === scenario && each.subject === subject)
  return result?.rounds.map((round) => round[metric] ?? NaN) ?? []
}

/** All targets whose figures were measured. */
export function judgeTargets(results: readonly Result[]): Target[] {
  const rest = (subject: string): number => medianOf(results, 'rest', subject, 'median ms')
  const burst = (subject: string): number => medianOf(results, 'burst', subject, 'changes/s')
  const steady = (subject: string): number => medianOf(results, 'steady', subject, 'p99 ms')
  const at = (scenario: string, metric: string) => (subject: string) =>
    medianOf(results, scenario, subject, metric)
  const coldStart = at('cluster', 'cold start s')
  const feed = at('feed', 'changes/s')
  const targets = [
    atMost('rest on Prosody / res_xmpp', rest(onProsody) / rest(resXmpp), 0.4),
    atMost('rest on Prosody − direct, ms', rest(onProsody) - rest(direct), 0.8),
    atMost('rest on ejabberd − direct, ms', rest(onEjabberd) - rest(direct), 1.2),
    atLeast('burst on Prosody / res_xmpp', burst(onProsody) / burst(resXmpp), 8),
    atLeast('burst on Prosody / direct', burst(onProsody) / burst(direct), 1.2),
    atLeast('burst on ejabberd / direct', burst(onEjabberd) / burst(direct), 1),
    ...[onProsody, onEjabberd].flatMap((subject) => [
      atMost(
        `burst, lost, ${subject}`,
        quantile(roundsOf(results, 'burst', subject, 'lost'), 1),
        0,
      ),
      atMost(`steady p99, ${subject} / res_xmpp`, steady(subject) / steady(resXmpp), 1),
      atMost(`idle CPU % of a core, ${subject}`, at('idle', 'CPU % of a core')(subject), 0.5),
      atMost(`RSS MiB at rest, ${subject}`, at('idle', 'RSS MiB')(subject), 90),
    ]),
    atLeast('feed alone on Prosody, changes/s', feed('Prosody'), 15_000),
    atLeast('feed alone on ejabberd, changes/s', feed('ejabberd'), 20_000),
    ...['Prosody', 'ejabberd'].flatMap((server) => [
      atMost(`join, 10,000 injected, ${server}, s`, at('join', '10,000 injected s')(server), 6),
      atMost(`join, 100,000 held, ${server}, s`, at('join', '100,000 held s')(server), 5),
      atMost(`RSS MiB with 100,000, ${server}`, at('join', 'RSS MiB, 100,000')(server), 200),
      atMost(`cold start, false deaths, ${server}`, at('cluster', 'false deaths')(server), 0),
    ]),
    atMost('cold start of 50 × 1,000 on Prosody, s', coldStart('Prosody'), 240),
    atMost('cold start of 50 × 1,000 on ejabberd, s', coldStart('ejabberd'), 120),
  ]
  return targets.filter(({ got }) => !Number.isNaN(got))
}

function atMost(what: string, got: number, bound: number): Target {
  return { what, wanted: `≤ ${bound}`, got, isMet: got <= bound }
}

function atLeast(what: string, got: number, bound: number): Target {
  return { what, wanted: `≥ ${bound}`, got, isMet: got >= bound }
}
