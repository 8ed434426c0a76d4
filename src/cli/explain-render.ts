import type { ExplainAnswer, InjectionView, MemberView, Remark } from '../observe/api.js'
import type { LocalView } from '../doctor/verdict.js'
import { toneOf, wordOfSum } from './states.js'
import { paint, renderAdvice, renderTable, type TerminalStyle, type Tone } from './table.js'
import { spellAge, spellDelay, spellTime } from './wording.js'

export type Explained = ExplainAnswer & { readonly local: LocalView }

/** The explanation in parts: the sum, the addition, what was given, what this Asterisk answers, and what to do. */
export function renderExplanation(
  explained: Explained,
  members: readonly Pick<MemberView, 'eid' | 'name'>[],
  style: TerminalStyle,
): string {
  const { steps, injections } = explained
  return [
    renderHead(explained, style),
    ...(steps.length > 0 ? [renderSteps(explained, style)] : []),
    ...(injections.length > 0 ? [renderInjections(injections, members, style)] : []),
    ...renderLocal(explained.local, style),
    ...explained.remarks.map((remark) => renderRemark(remark, style)),
  ].join('\n\n')
}

function renderHead(explained: Explained, style: TerminalStyle): string {
  const { id, isKnown, changedAt } = explained
  const sum = wordOfSum(explained)
  if (!isKnown) return `${id}: nobody tells of it`
  return `${id} is ${paint(sum, toneOf(sum), style)}, changed ${spellAge(changedAt)} ago`
}

function renderSteps({ steps, parts }: Explained, style: TerminalStyle): string {
  const changed = new Map(parts.map(({ eid, changedAt }) => [eid, changedAt]))
  return renderTable(
    [
      { title: 'ORIGIN', least: 8 },
      { title: 'SAYS' },
      { title: 'SINCE', isNumber: true },
      { title: 'SUM SO FAR' },
      { title: 'WHY', least: 20, isWrapped: true },
    ],
    steps.map(({ eid, name, state, sumSoFar, why }) => ({
      cells: [
        name,
        { text: state, tone: toneOf(state) },
        spellAge(changed.get(eid)),
        { text: sumSoFar, tone: toneOf(sumSoFar) },
        why,
      ],
    })),
    style,
  )
}

function renderInjections(
  injections: readonly InjectionView[],
  members: readonly Pick<MemberView, 'eid' | 'name'>[],
  style: TerminalStyle,
): string {
  const names = new Map(members.map(({ eid, name }) => [eid, name]))
  return renderTable(
    [
      { title: 'GIVEN TO THIS ASTERISK', least: 8 },
      { title: 'STATE' },
      { title: 'AT' },
      { title: 'ANSWER', least: 20, isWrapped: true },
    ],
    injections.map((injection) => ({
      cells: [
        names.get(injection.eid) ?? injection.eid,
        injection.state ?? '-',
        injection.sentAt === undefined ? 'by an earlier run' : spellTime(injection.sentAt),
        answerOf(injection),
      ],
    })),
    style,
  )
}

function answerOf({ sentAt, acknowledgedAt, status, failure }: InjectionView): string {
  if (failure !== undefined) return failure
  if (sentAt === undefined) return '-'
  if (acknowledgedAt === undefined) return 'none yet'
  const tookMs = Date.parse(acknowledgedAt) - Date.parse(sentAt)
  return `${status ?? '200'} after ${spellDelay(tookMs)}`
}

/** Nothing where it was not asked. */
function renderLocal(
  { state, hasNewMessages, isAsExpected }: LocalView,
  style: TerminalStyle,
): string[] {
  const shown = state ?? (hasNewMessages === true ? 'new messages' : 'no new messages')
  if (state === undefined && hasNewMessages === undefined) return []
  const other = state === undefined ? 'not what the count says' : 'not what the parts add up to'
  const verdict =
    isAsExpected === true ? paint('as it should', 'good', style) : paint(other, 'bad', style)
  const verb = state === undefined ? 'shows' : 'answers'
  const tone = state === undefined ? 'plain' : toneOf(state)
  const said = `This Asterisk ${verb} ${paint(shown, tone, style)}`
  return [isAsExpected === undefined ? said : `${said}: ${verdict}`]
}

const tones: Readonly<Record<Remark['severity'], Tone>> = {
  note: 'plain',
  warning: 'warning',
  error: 'bad',
}

function renderRemark({ severity, text, remedy }: Remark, style: TerminalStyle): string {
  const prefix = severity === 'note' ? '' : `${severity}: `
  return renderAdvice(`${prefix}${text}`, remedy, tones[severity], style)
}
