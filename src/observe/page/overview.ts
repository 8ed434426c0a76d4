/** What surrounds the list: this server, the other members, what is shared, problems, refused items. */
import type { MemberView, OverviewAnswer, RefusedAnswer, SelfView } from '../api.js'
import { element, setText, the, timeElement, type Content } from './dom.js'
import { asteriskVersion, duration, lifeBadge, type Names, number } from './wording.js'

const kindNames = { device_state: 'Device states', message_waiting: 'Message counts' } as const

export function showOverview(overview: OverviewAnswer, names: Names): void {
  const { self, members, problems } = overview
  const own = names.of(self)
  setText(the('self', HTMLElement), own)
  setText(the('self-eid', HTMLElement), self.eid ?? '')
  const errors = problems.filter(({ severity }) => severity === 'error').length
  document.title = `${errors > 0 ? `(${errors}) ` : ''}${own} · hintbridge`
  showReadiness(overview)
  if (isNews('problems', problems)) showProblems(overview)
  if (isNews('own', self)) the('own', HTMLElement).replaceChildren(...ownFacts(self))
  if (isNews('members', [members, own])) showMembers(overview, names)
  if (isNews('channels', overview.channels)) showChannels(overview)
}

/** What was shown last of each part: one that says the same is left alone, with what somebody selects in it. */
const shown = new Map<string, string>()

function isNews(part: string, value: unknown): boolean {
  const text = JSON.stringify(value)
  if (shown.get(part) === text) return false
  shown.set(part, text)
  return true
}

function showMembers({ members }: OverviewAnswer, names: Names): void {
  the('no-members', HTMLElement).hidden = members.length > 0
  the('members', HTMLElement).hidden = members.length === 0
  fill(
    'members',
    [...members]
      .sort((a, b) => names.of(a).localeCompare(names.of(b)))
      .flatMap((member) => memberRows(member, names)),
  )
}

function showChannels({ channels }: OverviewAnswer): void {
  fill(
    'channels',
    channels.map((channel) =>
      element(
        'tr',
        {},
        element('th', { scope: 'row' }, kindNames[channel.kind], directions(channel)),
        count(channel.own),
        count(channel.injected),
      ),
    ),
  )
}

function directions(channel: { readonly publish: boolean; readonly subscribe: boolean }): Content {
  if (channel.publish && channel.subscribe) return undefined
  const says = channel.publish
    ? 'the others’ are not taken'
    : channel.subscribe
      ? 'the own are not told'
      : 'not shared'
  return element('div', { class: 'muted small' }, says)
}

function showReadiness({ readiness }: OverviewAnswer): void {
  const badge = the('readiness', HTMLElement)
  badge.dataset['tone'] = readiness.ready ? 'good' : 'bad'
  setText(badge, readiness.ready ? 'In sync' : `Not in sync: ${readiness.reasons.join('; ')}`)
}

function showProblems({ problems }: OverviewAnswer): void {
  the('problems', HTMLElement).hidden = problems.length === 0
  the('problem-list', HTMLElement).replaceChildren(
    ...problems.map(({ key, severity, text, since }) =>
      element(
        'li',
        { class: 'remark', 'data-severity': severity },
        element('strong', {}, severity === 'error' ? 'Error' : 'Warning'),
        element('span', { class: 'mono muted small' }, ` ${key} `),
        element('span', { class: 'muted small' }, 'since ', timeElement(since)),
        element('p', {}, text),
      ),
    ),
  )
}

function ownFacts(self: SelfView): Node[] {
  const version = self.asterisk === undefined ? 'answers' : asteriskVersion(self.asterisk)
  const asterisk = self.isAsteriskFound ? version : 'does not answer'
  const waiting = self.feedPending + self.injectionPending
  return [
    ...fact('Asterisk', asterisk, self.isAsteriskFound),
    ...fact('XMPP stream', self.isStreamUp ? 'up' : 'down', self.isStreamUp),
    ...fact('Devices', number(self.ownDevices)),
    ...fact('Mailboxes', number(self.ownMailboxes)),
    ...fact('Lag out', duration(self.feedLagMs)),
    ...fact('Lag in', duration(self.injectionLagMs)),
    ...fact('Waiting', number(waiting)),
    ...fact('Last batch', number(self.sequence)),
    ...fact('Since', timeElement(self.startedAt)),
    ...fact('hintbridge', self.version),
  ]
}

function fact(name: string, value: Content, isGood = true): Node[] {
  const tone = isGood ? undefined : 'bad'
  return [element('dt', {}, name), element('dd', { 'data-tone': tone }, value)]
}

/** What counts in one row, what else is known of the member in a second. */
function memberRows(member: MemberView, names: Names): HTMLElement[] {
  const { refusal, reason, isSynced } = member
  const why = refusal ?? reason ?? (isSynced ? undefined : 'its states are not complete')
  const { tone, word } = lifeBadge(member)
  return [
    element(
      'tr',
      {},
      element(
        'th',
        { scope: 'row' },
        element('span', { class: 'name' }, names.of(member)),
        ' ',
        element('span', { class: 'badge', 'data-tone': tone }, word),
      ),
      count(member.devices),
      count(member.mailboxes),
      element('td', { class: 'number' }, duration(member.delayMs)),
    ),
    element(
      'tr',
      { class: 'details' },
      element(
        'td',
        { colspan: '4' },
        why === undefined ? undefined : element('div', { class: 'why' }, why),
        ...details(member),
      ),
    ),
  ]
}

function details({ name, eid, pbxVersion, lastHeardAt, aliveSince, sequence }: MemberView): Node[] {
  const version = pbxVersion === undefined ? '' : ` · Asterisk ${asteriskVersion(pbxVersion)}`
  const heard = timeElement(lastHeardAt)
  const since = timeElement(aliveSince)
  return [
    element('div', {}, element('span', { class: 'mono' }, eid), ` · ${name}`, version),
    element(
      'div',
      {},
      ...(heard === undefined ? [] : ['heard ', heard, ' · ']),
      ...(since === undefined ? [] : ['alive since ', since, ' · ']),
      `batch ${number(sequence)}`,
    ),
  ]
}

function count(value: number): HTMLElement {
  return element('td', { class: 'number' }, number(value))
}

function fill(table: string, rows: readonly HTMLElement[]): void {
  the(table, HTMLTableElement).tBodies[0]?.replaceChildren(...rows)
}

export function showRefused({ refused }: RefusedAnswer): void {
  const [newest] = refused
  the('no-refused', HTMLElement).hidden = newest !== undefined
  the('refused', HTMLElement).hidden = newest === undefined
  if (newest === undefined) return
  const items = refused.length === 1 ? 'item' : 'items'
  the('refused-summary', HTMLElement).replaceChildren(
    `${refused.length}${refused.length === 100 ? ' or more' : ''} ${items}, the last at `,
    timeElement(newest.at) ?? '',
  )
  the('refused-list', HTMLElement).replaceChildren(
    ...refused.map(({ at, reason, from, what }) =>
      element(
        'li',
        {},
        timeElement(at),
        ' ',
        element('span', { class: 'name' }, from),
        element('div', { class: 'small' }, `${what}: ${reason}`),
      ),
    ),
  )
}
