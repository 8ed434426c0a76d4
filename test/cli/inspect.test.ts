import { describe, expect, it } from 'vitest'
import type { DeviceState } from '../../src/bridge/state.js'
import { judge } from '../../src/doctor/verdict.js'
import { type Explained, renderExplanation } from '../../src/cli/explain-render.js'
import { renderMembers } from '../../src/cli/members.js'
import { renderStates } from '../../src/cli/states.js'
import { renderTable, terminalStyle } from '../../src/cli/table.js'
import { renderChange } from '../../src/cli/watch.js'
import { spellAge, spellDelay, spellDuration } from '../../src/cli/wording.js'
import type {
  DevicePart,
  ExplainAnswer,
  MemberView,
  OverviewAnswer,
} from '../../src/observe/api.js'

const plain = { width: 80, hasColour: false }
const at = '2026-11-21T12:00:00.000Z'
const longName = 'a-very-long-host-name-of-a-branch-office-in-a-far-country'

const widest = (text: string): number => Math.max(...text.split('\n').map((line) => line.length))

function part(
  name: string,
  state: DevicePart['state'],
  changed: Partial<DevicePart> = {},
): DevicePart {
  return {
    ...{ eid: `02:00:00:00:00:0${name.at(-1) ?? '0'}`, jid: `${name}@example.org`, name },
    ...{ isOwn: false, state, cachable: true, changedAt: at, standing: 'injected', ...changed },
  }
}

function answer(changed: Partial<ExplainAnswer> = {}): ExplainAnswer {
  return {
    kind: 'device_state',
    id: 'PJSIP/1',
    sum: 'INUSE',
    changedAt: at,
    isKnown: true,
    leftovers: [],
    parts: [part('pbx-b', 'NOT_INUSE', { isOwn: true, standing: 'own' }), part('pbx-a', 'INUSE')],
    steps: [],
    injections: [],
    remarks: [],
    ...changed,
  } as ExplainAnswer
}

describe('a table', () => {
  const columns = [
    { title: 'NAME', least: 6 },
    { title: 'COUNT', isNumber: true },
    { title: 'WHAT', least: 20, isWrapped: true },
  ]

  it('fits 80 columns: long cells give way, the last goes on below', () => {
    const cells = ['x'.repeat(60), '12', 'word '.repeat(30).trim()]
    const text = renderTable(columns, [{ cells, details: ['detail '.repeat(20).trim()] }], plain)
    expect(widest(text)).toBeLessThanOrEqual(80)
    expect(text.match(/word/g)).toHaveLength(30)
    expect(text.match(/detail/g)).toHaveLength(20)
    expect(text).toContain('x…')
  })

  it('has colour on a terminal only, and not where NO_COLOR says so', () => {
    expect(terminalStyle({ isTTY: true }, {}).hasColour).toBe(true)
    expect(terminalStyle({ isTTY: true }, { NO_COLOR: '1' }).hasColour).toBe(false)
    expect(terminalStyle({}, {}).hasColour).toBe(false)
  })

  it('lets no name from the network steer the terminal', () => {
    const cells = ['\u001b[2J\u202eevil', '1', 'a\nb']
    const text = renderTable(columns, [{ cells }], plain)
    expect(text).toContain(' [2J evil')
    expect(text.split('\n')).toHaveLength(2)
  })
})

describe('members', () => {
  const member = (changed: Partial<MemberView>): MemberView => ({
    ...{ jid: `pbx@${longName}.example.org`, eid: '02:00:00:00:00:0a', name: longName },
    ...{ version: '0.1.0', life: 'alive', isBelieved: true, isSynced: true, isStale: false },
    ...{ sequence: 123_456_789, states: 3, devices: 100_000, mailboxes: 2 },
    ...{ aliveSince: '2026-11-19T09:00:00.000Z', lastHeardAt: at, delayMs: 12.3 },
    ...changed,
  })

  it('fit 80 columns, with the reason for each that is not simply alive', () => {
    const overview = {
      at,
      self: {
        ...{ jid: 'pbx-b@example.org', name: longName, version: '0.1.0', phase: 'syncing' },
        ...{ startedAt: at, ownDevices: 1, ownMailboxes: 2, sequence: 3 },
      },
      members: [
        member({}),
        member({ life: 'dead', reason: 'silence' }),
        member({ refusal: 'the live member pbx-x@example.org holds its EID 02:00:00:00:00:0a' }),
        member({ life: 'gone', reason: 'it said goodbye' }),
        member({ isSynced: false, isStale: true }),
      ],
      readiness: { ready: false, reasons: ['Asterisk does not answer'] },
    } as unknown as OverviewAnswer
    const text = renderMembers(overview, { style: plain })
    expect(widest(text)).toBeLessThanOrEqual(80)
    for (const words of [
      'not ready: Asterisk does not answer',
      'dead: silence',
      'refused: the live member pbx-x@example.org holds its EID',
      'gone: it said goodbye',
      'what it says is not complete yet',
      'EID not known yet, Asterisk ?',
    ]) {
      expect(text).toContain(words)
    }
    expect(text).toMatch(/ alive {2,}2d 3h {2,}0\.0 s {2,}100000 /)
  })

  it('do not call this one ready where it says why it is not', () => {
    const self = {
      ...{ jid: 'pbx-b@example.org', name: 'pbx-b', version: '0.1.0' },
      phase: 'ready',
    }
    const stateOf = (reasons: readonly string[]): string | undefined => {
      const readiness = { ready: reasons.length === 0, reasons }
      const overview = { at, self, members: [], readiness } as unknown as OverviewAnswer
      return /^pbx-b {2,}(\S.*?) {2,}/m.exec(renderMembers(overview, { style: plain }))?.[1]
    }
    expect(stateOf([])).toBe('ready')
    expect(stateOf(['Asterisk does not answer'])).toBe('not ready')
  })
})

describe('states', () => {
  it('fit 80 columns and say how each part stands', () => {
    const words = {
      kind: 'device_state',
      command: 'devices',
      ...{ one: 'device', many: 'devices' },
      ...{ describe: '', example: '', busy: '' },
    } as const
    const parts = [
      part('pbx-a', 'INUSE', { standing: 'pending' }),
      part('pbx-b', 'BUSY', { standing: 'held' }),
      ...Array.from({ length: 8 }, () => part(longName, 'RINGING')),
    ]
    const state = { kind: 'device_state', id: `PJSIP/${longName}`, sum: 'INUSE' } as const
    const states = [{ ...state, changedAt: at, parts }]
    const text = renderStates(words, { total: 7, matched: 1, states }, { style: plain })
    expect(widest(text)).toBeLessThanOrEqual(80)
    expect(text).toContain('pbx-a INUSE (pending), pbx-b')
    expect(text).toContain('BUSY (held)')
    expect(text).toMatch(/\n1 device of 7$/)
  })
})

describe('explain', () => {
  it('is content where Asterisk answers the sum', () => {
    expect(judge(answer(), { state: 'INUSE' })).toEqual({
      local: { state: 'INUSE', isAsExpected: true },
      remarks: [],
    })
  })

  it('says why Asterisk answers something else, and what to do', () => {
    const remarkOf = (changed: Partial<ExplainAnswer>) =>
      judge(answer(changed), { state: 'BUSY' }).remarks[0]
    expect(remarkOf({ parts: [part('pbx-a', 'INUSE', { standing: 'pending' })] })).toMatchObject({
      severity: 'warning',
      text: 'this Asterisk answers BUSY, the parts add up to INUSE: what pbx-a says is not there yet',
    })
    const eid = '02:00:00:00:00:09'
    const parts = [part('pbx-a', 'INUSE')]
    for (const own of [{}, { parts }, { parts: [] }]) {
      expect(remarkOf({ ...own, leftovers: [{ eid, isInherited: true }] })).toMatchObject({
        severity: 'warning',
        text: expect.stringContaining(`under ${eid} is not confirmed yet`) as unknown,
      })
      // A bridge that ran on another state_dir, or Asterisks that publish to each other: nobody tells of it.
      expect(remarkOf(own)).toMatchObject({
        severity: 'error',
        text: expect.stringContaining('it holds a state that no member tells of') as unknown,
        remedy: expect.stringContaining('A restart of Asterisk') as unknown,
      })
    }
    expect(remarkOf({ leftovers: [{ eid, isInherited: false }] })?.text).toMatch(
      /under 02:00:00:00:00:09 is not taken back yet$/,
    )
  })

  it('is content with an own state that is not shared only where that is the difference', () => {
    const parts = [part('pbx-a', 'INUSE')]
    const severity = (unshared: ExplainAnswer['unshared'], state: DeviceState) =>
      judge(answer({ parts, ...(unshared && { unshared }) }), { state }).remarks[0]?.severity
    expect(severity({ state: 'BUSY', cachable: true }, 'BUSY')).toBe('note')
    expect(severity({ state: 'RINGING', cachable: true }, 'RINGINUSE')).toBe('note')
    expect(severity({ state: 'NOT_INUSE', cachable: true }, 'BUSY')).toBe('error')
    expect(severity({ state: 'BUSY', cachable: false }, 'BUSY')).toBe('error')
  })

  it("knows the channel driver's word of a device that nobody tells of", () => {
    const severity = (state: DeviceState) =>
      judge(answer({ sum: 'INVALID', isKnown: false, parts: [] }), { state }).remarks[0]?.severity
    expect([severity('NOT_INUSE'), severity('UNAVAILABLE'), severity('BUSY')]).toEqual([
      ...['note', 'note', 'error'],
    ])
  })

  it('advises no restart for a name that is known in another case', () => {
    const alike = [{ kind: 'device_state', id: 'Custom:night' }] as const
    const unknown = answer({ id: 'custom:NIGHT', sum: 'INVALID', isKnown: false, parts: [], alike })
    const { local, remarks } = judge(unknown, { state: 'INUSE' })
    expect(local).toEqual({ state: 'INUSE' })
    expect(remarks).toEqual([
      {
        severity: 'note',
        text: 'INUSE is what this Asterisk answers for that name, as its channel drivers and its Custom: provider do not mind the case of their own; the device is Custom:night',
      },
    ])
    const shown = renderExplanation({ ...unknown, local, remarks }, [], plain)
    expect(shown).toMatch(/^This Asterisk answers INUSE$/m)
  })

  it('takes a word that a hint has for two states for the one that is right', () => {
    const state = (sum: DeviceState) =>
      judge(answer({ sum }), {
        state: 'NOT_INUSE',
        alternative: 'UNKNOWN',
      })
    expect(state('UNKNOWN').local).toEqual({ state: 'UNKNOWN', isAsExpected: true })
    expect(state('BUSY').local).toEqual({ state: 'NOT_INUSE', isAsExpected: false })
  })

  it('says that it could not ask the console', () => {
    expect(judge(answer(), { failure: 'no console; run this as root' }).remarks).toEqual([
      {
        severity: 'note',
        text: 'what this Asterisk shows was not asked: no console; run this as root',
      },
    ])
  })

  it('fits 80 columns', () => {
    const explained: Explained = {
      ...answer({
        steps: [
          {
            ...{ eid: '02:00:00:00:00:0a', name: longName, state: 'RINGINUSE' },
            ...{ sumSoFar: 'RINGINUSE', why: 'ringing at one and INUSE at another make RINGINUSE' },
          },
        ],
        injections: [{ eid: '02:00:00:00:00:0a', state: 'INUSE', sentAt: at, acknowledgedAt: at }],
        remarks: [{ severity: 'error', text: 'text '.repeat(40), remedy: 'remedy '.repeat(40) }],
      }),
      local: { state: 'BUSY', isAsExpected: false },
    }
    const text = renderExplanation(explained, [], plain)
    expect(widest(text)).toBeLessThanOrEqual(80)
    expect(text).toContain('This Asterisk answers BUSY: not what the parts add up to')
    expect(text).toContain('200 after 0.0 ms')
  })
})

describe('watch', () => {
  it('has a line for a change', () => {
    const change = {
      kind: 'device_state',
      ...{ at, id: 'PJSIP/\u001b1', eid: 'x', name: 'pbx-a', isOwn: false },
      ...{ before: 'NOT_INUSE', sum: 'INVALID', delayMs: 1.25 },
    } as const
    expect(renderChange(change, plain)).toMatch(
      /^\d\d:\d\d:\d\d\.000 {2}pbx-a {2}PJSIP\/ 1 {2}NOT_INUSE → - {2}sum INVALID {2}1\.[23] ms$/,
    )
  })
})

describe('times', () => {
  it('are short', () => {
    expect([400, 12_300, 125_000, 7_500_000, 180_000_000].map(spellDuration)).toEqual([
      ...['0.4 s', '12 s', '2m 5s', '2h 5m', '2d 2h'],
    ])
    expect([undefined, 1.25, 250, 2_400].map(spellDelay)).toEqual([
      '-',
      '1.3 ms',
      '250 ms',
      '2.4 s',
    ])
    expect(spellAge(undefined)).toBe('-')
  })
})
