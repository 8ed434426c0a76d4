/** What stands now, as gauges. Labels name peers, of which there are only as many as `trust` names and `members` holds. */
import { type MemberOverview, type Overview, unreadiness } from '../bridge/overview.js'
import type { HealthProblem } from './health.js'
import type { GaugeSample } from './metrics.js'

/** Every gauge of the process; `overview` is missing while the EID of Asterisk is not known. */
export function gaugesOf(
  problems: readonly HealthProblem[],
  overview: Overview | undefined,
  nowMs: number,
): GaugeSample[] {
  return [
    ...(['error', 'warning'] as const).map((severity) => ({
      name: 'problems',
      help: 'problems that /health names',
      value: problems.filter((problem) => problem.severity === severity).length,
      labels: { severity },
    })),
    ...(overview ? [...ownGauges(overview), ...membersGauges(overview.members, nowMs)] : []),
  ]
}

function ownGauges(overview: Overview): GaugeSample[] {
  const isReady = unreadiness(overview).length === 0
  return [
    { name: 'ready', help: '1 where /ready says so', value: Number(isReady) },
    {
      name: 'asterisk_up',
      help: '1 while Asterisk answers',
      value: Number(overview.isAsteriskFound),
    },
    {
      name: 'stream_up',
      help: '1 while the XMPP stream is up',
      value: Number(overview.jid !== undefined),
    },
    { name: 'own_states', help: 'own states that the cluster was told', value: overview.ownStates },
    { name: 'feed_sequence', help: 'number of the last own batch', value: overview.sequence },
    { name: 'feed_pending', help: 'changes that wait for a batch', value: overview.feedPending },
    {
      name: 'feed_lag_seconds',
      help: 'from the oldest change of the last batch to the server having it',
      value: overview.feedLagMs / 1_000,
    },
    { name: 'window_pending', help: 'retained items to be written', value: overview.windowPending },
    { name: 'injected', help: "peers' states in the own Asterisk", value: overview.injected },
    {
      name: 'names',
      help: 'different names that the members have given the own Asterisk since that started',
      value: overview.names,
    },
    {
      name: 'injection_pending',
      help: 'states that wait for Asterisk',
      value: overview.injectionPending,
    },
    {
      name: 'injection_lag_seconds',
      help: "from the last injected change to Asterisk's answer",
      value: overview.injectionLagMs / 1_000,
    },
  ]
}

const conditions = ['alive', 'suspected', 'dead', 'unknown', 'refused'] as const

function membersGauges(members: readonly MemberOverview[], nowMs: number): GaugeSample[] {
  const conditionOf = ({ life, refusal }: MemberOverview): string =>
    refusal === undefined ? life : 'refused'
  return [
    ...conditions.map((condition) => ({
      name: 'members',
      help: 'other members by what they are taken for',
      value: members.filter((member) => conditionOf(member) === condition).length,
      labels: { condition },
    })),
    ...members.flatMap((member) => memberGauges(member, nowMs)),
  ]
}

function memberGauges(member: MemberOverview, nowMs: number): GaugeSample[] {
  const { jid: peer, life, states, names, isStale, isSynced, lastHeardMs, delayMs } = member
  const labels = { peer }
  return [
    {
      name: 'member_states',
      help: 'states held of a member',
      value: states,
      labels: { peer, life },
    },
    {
      name: 'member_names',
      help: 'different names that it has given the own Asterisk since that started',
      value: names,
      labels,
    },
    {
      name: 'member_synced',
      help: '1 where what is held of it is complete',
      value: Number(isSynced),
      labels,
    },
    {
      name: 'member_stale',
      help: '1 where its device states are withdrawn, as it has been out of sync for too long',
      value: Number(isStale),
      labels,
    },
    {
      name: 'member_silence_seconds',
      help: 'since it was last heard',
      value: (nowMs - lastHeardMs) / 1_000,
      labels,
    },
    ...(delayMs === undefined
      ? []
      : [
          {
            name: 'member_delay_seconds',
            help: 'from the oldest change of its last batch to its arrival, where the clocks agree',
            value: delayMs / 1_000,
            labels,
          },
        ]),
  ]
}
