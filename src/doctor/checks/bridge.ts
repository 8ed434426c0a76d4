import { oneSecretKey } from '../../config/one-secret.js'
import type { MemberView, OverviewAnswer, ProblemView } from '../../observe/api.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'

const findings = new Findings('bridge')

/** Does the bridge run, and which problems does it name itself? */
export const bridgeCheck: Check = {
  name: 'bridge',
  run: async (context) => judgeBridge(await context.overview()),
}

/** Which check's name a problem of `/health` goes under, by the part of its key before the colon. */
const areas: Readonly<Record<string, string>> = {
  asterisk: 'asterisk-sip',
  'asterisk-refuses': 'asterisk-sip',
  'asterisk-tcp': 'asterisk-sip',
  'asterisk-unproven': 'asterisk-sip',
  'injection-refused': 'asterisk-sip',
  fence: 'asterisk-sip',
  'eid-unknown': 'entity-id',
  'foreign-eid': 'entity-id',
  eid: 'entity-id',
  'mailbox-polled': 'mailboxes',
  'mailbox-owners': 'mailboxes',
  'stream-conflict': 'login',
  nodes: 'nodes',
  window: 'nodes',
  'feed-lag': 'rate',
}

/** The problem that the check `login` tells, with what its own logins came to. */
export const streamKey = 'stream'

/** What a check of its own tells, with more than the bridge knows. */
const toldByOthers: ReadonlySet<string> = new Set([streamKey, oneSecretKey])

/** The findings on what a running bridge says of itself; `undefined` where none runs. */
export function judgeBridge(overview: OverviewAnswer | undefined): Finding[] {
  if (overview === undefined) {
    return [findings.warning('it does not run', 'start it: systemctl start hintbridge')]
  }
  const { self, members, problems, readiness } = overview
  const state = readiness.ready
    ? findings.ok(`it runs and is in sync with ${spellPeers(members)}`)
    : findings.warning(`it runs, but is not in sync: ${readiness.reasons.join('; ')}`)
  return [
    ...(self.phase === 'leaving' ? [] : [state]),
    ...members.flatMap(judgePeer),
    ...problems.filter(({ key }) => !toldByOthers.has(key)).map(judgeProblem),
  ]
}

/** What is gone for good is `gone` or forgotten, and no fault. */
function judgePeer({ name, jid, life, reason }: MemberView): Finding[] {
  if (life !== 'dead') return []
  return [
    findings.warning(
      `${name} (${jid}) is dead${reason === undefined ? '' : ` (${reason})`}: what its phones do does not show here`,
      `see whether that machine, its Asterisk and its bridge run; if it is gone for good: hintbridge forget ${jid}`,
    ),
  ]
}

/** `1 of 3 peers (pbx-c dead, pbx-d refused)`: who has left is none. */
function spellPeers(members: readonly MemberView[]): string {
  const peers = members.filter(({ life }) => life !== 'gone')
  const others = peers.flatMap(({ name, life, refusal }) => {
    if (refusal !== undefined) return [`${name} refused`]
    return life === 'alive' ? [] : [`${name} ${life}`]
  })
  const aside = others.length === 0 ? '' : ` (${others.join(', ')})`
  return `${peers.length - others.length} of ${peers.length} peers${aside}`
}

/** The text of a problem says what to do, too. */
function judgeProblem({ key, severity, text }: ProblemView): Finding {
  const [area = ''] = key.split(':')
  const found = new Findings(areas[area] ?? 'bridge')
  return severity === 'error' ? found.broken(text) : found.warning(text)
}
