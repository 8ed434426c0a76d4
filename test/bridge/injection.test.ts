import { describe, expect, it } from 'vitest'
import type { StateEntry } from '../../src/bridge/state.js'
import type { Injected } from '../../src/bridge/targets.js'
import { withdrawal } from '../../src/bridge/injection.js'
import {
  Dialogue,
  emptyBatch,
  epochOf,
  failed,
  memberItem,
  statusOf,
  subscribedTo,
  wordOf,
} from './harness.js'
import { device, eidOf, fullJidOf, jidOf, mailbox, settings } from './settings.js'

const b = eidOf(2)

describe('what Asterisk refuses', () => {
  const refused = failed('404', false)

  it('is given again after 30 s, with an alarm until it is taken', () => {
    const dialogue = new Dialogue().ready().joined(2).batch(2, 2, device('PJSIP/1', 'INUSE'))
    const { lane } = dialogue.takeOne('inject')
    dialogue.post({ type: 'InjectionAnswered', lane, failure: refused })
    expect(dialogue.health('injection-refused')).toContain('pjsip_hintbridge.conf')
    dialogue.pass(20_000).batch(2, 3)
    expect(dialogue.pass(9_999).take('inject')).toEqual([])
    expect(dialogue.pass(1).injected()).toEqual([`${b} PJSIP/1 INUSE`])
    expect(dialogue.take('health').map(({ key, text }) => [key, text])).toContainEqual([
      'injection-refused',
      undefined,
    ])
  })

  it('is no alarm any more after 30 s where a later state was taken', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'INUSE')])
    const { lane } = dialogue.takeOne('inject')
    dialogue.post({ type: 'InjectionAnswered', lane, failure: refused })
    dialogue.batch(2, 2, device('PJSIP/1', 'BUSY')).answerInjections()
    dialogue.pass(20_000).batch(2, 3).clear().pass(10_000)
    expect(dialogue.take('health').map(({ key, text }) => [key, text])).toContainEqual([
      'injection-refused',
      undefined,
    ])
  })

  it('is no withdrawal: leave says that Asterisk did not take all back', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'INUSE')])
    dialogue.injected()
    dialogue.post({ type: 'LeaveRequested' }).post({ type: 'OwnNodesDeleted' })
    const { lane } = dialogue.takeOne('inject')
    dialogue.post({ type: 'InjectionAnswered', lane, failure: refused })
    expect(dialogue.take('left')).toEqual([])
    expect(dialogue.pass(11_000).takeOne('left').failures).toHaveLength(1)
  })
})

describe('a withdrawal', () => {
  it.each([
    ['PJSIP/1001', 'INVALID'],
    ['Custom:night', 'UNKNOWN'],
    ['confbridge', 'INVALID'],
    ['Custom:a/b', 'INVALID'],
  ])('of %s is %s (rule 8)', (id, state) => {
    const target = { eid: b, kind: 'device_state', id, isCachable: true } as const
    expect(withdrawal(target)).toEqual(device(id, state as 'INVALID'))
  })

  it('of an uncachable state is NOT_INUSE, of a mailbox 0/0 (rules 4 and 8)', () => {
    expect(withdrawal({ eid: b, kind: 'device_state', id: 'Custom:x', isCachable: false })).toEqual(
      device('Custom:x', 'NOT_INUSE', false),
    )
    expect(
      withdrawal({ eid: b, kind: 'message_waiting', id: '1@default', isCachable: true }),
    ).toEqual(mailbox('1@default', 0))
  })
})

describe('the journal', () => {
  const entry: Injected = { eid: b, kind: 'device_state', id: 'PJSIP/1' }

  it('has an entry before it is injected, and until its withdrawal is acknowledged (rule 9)', () => {
    const dialogue = new Dialogue()
      .ready()
      .clear()
      .joined(2, [device('PJSIP/1', 'INUSE')])
    expect(dialogue.names()).toEqual(expect.arrayContaining(['add', 'inject']))
    expect(dialogue.names().indexOf('add')).toBeLessThan(dialogue.names().indexOf('inject'))
    expect(dialogue.takeOne('add')).toMatchObject(entry)
    dialogue.answerInjections()
    dialogue.batch(2, 2, { kind: 'gone', of: 'device_state', id: 'PJSIP/1' })
    expect(dialogue.take('remove')).toEqual([])
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
    expect(dialogue.takeOne('remove')).toMatchObject(entry)
  })

  it('does not grow by what was never sent', () => {
    const dialogue = new Dialogue().online().joined(2, [device('PJSIP/1', 'INUSE')])
    dialogue.batch(2, 2, { kind: 'gone', of: 'device_state', id: 'PJSIP/1' })
    dialogue.found()
    expect(dialogue.take('add')).toEqual([])
    expect(dialogue.injected()).toEqual([])
  })

  it('of an earlier run is withdrawn where no snapshot confirms it in time (rule 9)', () => {
    const dialogue = new Dialogue({ journal: [entry] }).ready().pass(69_999)
    expect(dialogue.injected()).toEqual([])
    dialogue.pass(1)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
    expect(dialogue.takeOne('remove')).toMatchObject(entry)
  })

  it('says which states are uncachable, so that the next run withdraws those as NOT_INUSE (rules 8 and 9)', () => {
    const changed = { sharesUncachable: true }
    const first = new Dialogue({ settings: changed }).ready().clear()
    first.joined(2, [device('PJSIP/1', 'INUSE', false)]).answerInjections()
    const { eid, kind, id, isUncachable = false } = first.takeOne('add')
    expect(isUncachable).toBe(true)
    const second = new Dialogue({ settings: changed, journal: [{ eid, kind, id, isUncachable }] })
    second.ready().pass(70_000)
    expect(second.answerInjections().map(({ entry: sent }) => sent)).toEqual([
      device('PJSIP/1', 'NOT_INUSE', false),
    ])
    expect(second.takeOne('remove')).toMatchObject({ eid, kind, id })
  })

  it('is told when a state is cachable after all: Asterisk holds it in its cache then (rules 8 and 9)', () => {
    const dialogue = new Dialogue().ready().clear()
    dialogue.joined(2, [device('PJSIP/1', 'INUSE', false)]).answerInjections()
    dialogue.batch(2, 2, device('PJSIP/1', 'BUSY')).answerInjections()
    dialogue.batch(2, 3, device('PJSIP/1', 'BUSY', false)).answerInjections()
    expect(dialogue.take('add').map(({ isUncachable = false }) => isUncachable)).toEqual([
      true,
      false,
    ])
    expect(dialogue.take('remove')).toEqual([])
    dialogue.batch(2, 4, { kind: 'gone', of: 'device_state', id: 'PJSIP/1' })
    expect(dialogue.answerInjections().map(({ entry: sent }) => sent)).toEqual([
      device('PJSIP/1', 'INVALID'),
    ])
  })

  it('of a peer whose EID is the own one now is dropped, and nothing injected or withdrawn under it (rules 4 and 9)', () => {
    const own = { ...entry, eid: eidOf(1) }
    const dialogue = new Dialogue({ journal: [own, entry] }).ready().pass(70_000)
    expect(dialogue.take('remove')).toMatchObject([{ eid: eidOf(1), id: 'PJSIP/1' }])
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
  })

  it('of an earlier run is withdrawn when a member should be back that the server says is not there (rules 9, 22, 23)', () => {
    const dialogue = new Dialogue({ journal: [entry] }).ready([], memberItem(2))
    dialogue.post(subscribedTo(2))
    const { token } = dialogue.takeOne('ask')
    dialogue.post({ type: 'AskFailed', token, failure: failed('service-unavailable') })
    expect(dialogue.pass(34_999).injected()).toEqual([])
    expect(dialogue.pass(1).injected()).toEqual([`${b} PJSIP/1 INVALID`])
  })

  it('of an earlier run stays where the snapshot names it, and goes where it does not (rule 9)', () => {
    const journal = [entry, { ...entry, id: 'PJSIP/2' }]
    const dialogue = new Dialogue({ journal }).ready().joined(2, [device('PJSIP/1', 'INUSE')])
    expect(dialogue.injected().sort()).toEqual([`${b} PJSIP/1 INUSE`, `${b} PJSIP/2 INVALID`])
    dialogue.pass(3_000)
    expect(dialogue.injected()).toEqual([])
  })

  it("of an earlier run keeps a count that another member's news does not concern (rule 22)", () => {
    const kept: Injected = { eid: b, kind: 'message_waiting', id: '1@default' }
    const dialogue = new Dialogue({ journal: [kept] }).ready().joined(3, [mailbox('2@default', 1)])
    dialogue.batch(3, 2, { kind: 'gone', of: 'message_waiting', id: '1@default' })
    expect(dialogue.injected()).toEqual([`${eidOf(3)} 2@default 1/0`])
  })
})

describe('message counts of an earlier run', () => {
  const journal: Injected[] = [{ eid: b, kind: 'message_waiting', id: '1@default' }]

  it('are withdrawn after stale_after where no member item names their EID any more (rule 22)', () => {
    const dialogue = new Dialogue({ journal }).ready([], memberItem(3))
    expect(dialogue.pass(59_999).injected()).toEqual([])
    expect(dialogue.pass(1).injected()).toEqual([`${b} 1@default 0/0`])
    expect(dialogue.takeOne('remove')).toMatchObject({ eid: b, id: '1@default' })
  })

  it('stay where one does, and until a reading has succeeded (rule 22)', () => {
    const named = new Dialogue({ journal }).ready([], memberItem(2)).pass(60_000)
    expect(named.injected()).toEqual([])
    const late = new Dialogue({ journal }).found().pass(60_000)
    expect(late.injected()).toEqual([])
    expect(late.online().injected()).toEqual([`${b} 1@default 0/0`])
  })

  it.each([b, `${jidOf(2)}/${b}`])('are withdrawn when %s is forgotten', (member) => {
    const dialogue = new Dialogue({ journal }).ready()
    dialogue.post({ type: 'ForgetRequested', member })
    expect(dialogue.injected()).toEqual([`${b} 1@default 0/0`])
  })

  it('of another stay when a stranger in the name of its EID is forgotten', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 2)])
    dialogue.answerInjections()
    dialogue.post({ type: 'ForgetRequested', member: `mallory@example.org/${b}` })
    expect(dialogue.injected()).toEqual([])
  })
})

describe('a mailbox in which the own PBX has messages too (rule 5)', () => {
  const own = (count: number) =>
    ({ type: 'StateReported', entry: mailbox('1@default', count) }) as const
  const gone = { kind: 'gone', of: 'message_waiting', id: '1@default' } as const

  /** B's PBX has 3 since so long ago that no report can be from before. */
  const moved = () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.answerInjections()
    return dialogue.pass(2_000).post(own(2))
  }
  /** B's count is in Asterisk, and the own one came before it. */
  const overwritten = () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 1)])
    dialogue.post(own(2)).batch(2, 2, mailbox('1@default', 3))
    dialogue.answerInjections()
    dialogue.answerPublishes()
    return dialogue.clear()
  }

  it.each<[string, (dialogue: Dialogue) => unknown]>([
    [
      'leaves',
      (dialogue) => dialogue.receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2)).pass(10),
    ],
    [
      'is forgotten',
      (dialogue) =>
        dialogue
          .pass(36_000)
          .post({ type: 'ForgetRequested', member: jidOf(2) })
          .pass(10),
    ],
    ['is no longer trusted', (dialogue) => dialogue.reload({ isTrusted: () => false })],
    ['says no more of it', (dialogue) => dialogue.batch(2, 2, gone)],
  ])('shows them when a peer that had it before %s', (_, goes) => {
    const dialogue = moved()
    goes(dialogue)
    expect(dialogue.injected()).toEqual([])
  })

  it('shows them again when the peer goes whose count came later', () => {
    const dialogue = overwritten().batch(2, 3, gone)
    expect(dialogue.injected()).toEqual([`${b} 1@default 2/0`])
    expect(dialogue.takeOne('remove')).toMatchObject({ eid: b, id: '1@default' })
    expect(dialogue.bridge.overview().injected).toBe(0)
  })

  it('shows them again when this member leaves', () => {
    const dialogue = overwritten().post({ type: 'LeaveRequested' })
    expect(dialogue.injected()).toEqual([`${b} 1@default 2/0`])
    expect(dialogue.takeOne('remove')).toMatchObject({ eid: b, id: '1@default' })
  })

  it('shows the own change that crossed a count on the way to Asterisk', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.post(own(2))
    expect(dialogue.injected()).toEqual([`${b} 1@default 3/0`, `${b} 1@default 2/0`])
    expect(dialogue.bridge.overview().injected).toBe(0)
  })

  it('shows the own change that crossed the own count which was given back', () => {
    const dialogue = overwritten().batch(2, 3, gone)
    dialogue.answerInjections()
    dialogue.clear().post(own(1))
    expect(dialogue.names()).toEqual(expect.arrayContaining(['add', 'inject']))
    expect(dialogue.injected()).toEqual([`${b} 1@default 1/0`])
    dialogue.pass(1_999).post(own(0)).answerInjections()
    dialogue.pass(2_000).post(own(1))
    expect(dialogue.injected()).toEqual([])
  })

  it('shows a later change of a peer, with a warning that names this member too', () => {
    const dialogue = moved()
    expect(dialogue.health('mailbox-owners:1@default')).toContain(eidOf(1))
    dialogue.batch(2, 2, mailbox('1@default', 4))
    expect(dialogue.injected()).toEqual([`${b} 1@default 4/0`])
  })

  it('is given no older count of a peer when its Asterisk restarts', () => {
    const dialogue = moved().post({ type: 'RefreshRequested', kind: 'message_waiting' })
    dialogue.fenced(mailbox('1@default', 2))
    expect(dialogue.injected()).toEqual([])
  })

  it.each([0, 3])('is not given the %i of a peer when the bridge restarts', (count) => {
    const journal = [{ eid: b, kind: 'message_waiting', id: '1@default' }] as const
    const dialogue = new Dialogue({ journal }).ready([mailbox('1@default', 2)])
    dialogue.joined(2, [mailbox('1@default', count)])
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.takeOne('remove')).toMatchObject({ eid: b, id: '1@default' })
  })

  it('is given no older count of a peer while its dump is not complete', () => {
    const dialogue = new Dialogue().post({ type: 'AsteriskFound' }).post(own(2)).online()
    dialogue
      .joined(2, [mailbox('1@default', 0)])
      .batch(2, 2, gone)
      .fenced(mailbox('1@default', 2))
    expect(dialogue.injected()).toEqual([])
  })

  it('is not told that a peer has none before it has reported its own', () => {
    // Found by the model search: the retained 0/0 of the peer came first, and nothing was there to give the own count back.
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' }).clear()
    dialogue.joined(2, [mailbox('1@default', 0)])
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.bridge.overview()).toMatchObject({ injected: 0, injectedMailboxes: 0 })
    dialogue.batch(2, 2, mailbox('1@default', 1)).batch(2, 3, mailbox('1@default', 0))
    expect(dialogue.injected()).toEqual([`${b} 1@default 1/0`, `${b} 1@default 0/0`])
  })

  it.each<[string, StateEntry[], string[]]>([
    ['is not given the 0 of a peer before its dump is complete', [mailbox('1@default', 2)], []],
    ['is given the 0 of a peer when its dump does not name it', [], [`${b} 1@default 0/0`]],
  ])('%s when the bridge restarts', (_, dump, given) => {
    const journal = [{ eid: b, kind: 'message_waiting', id: '1@default' }] as const
    const dialogue = new Dialogue({ journal }).online().joined(2, [mailbox('1@default', 0)])
    dialogue.post({ type: 'AsteriskFound' })
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.fenced(...dump).injected()).toEqual(given)
    dialogue.batch(2, 2, gone)
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.takeOne('remove')).toMatchObject({ eid: b, id: '1@default' })
  })

  it('is taken back though the own PBX polled it empty while a count was in flight (rules 5 and 9)', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.answerInjections()
    dialogue.pass(5_000).post(own(0)).answerInjections()
    dialogue.pass(5_000).clear().batch(2, 2, mailbox('1@default', 4))
    const { lane } = dialogue.takeOne('inject')
    dialogue.pass(3_000).post(own(0)).post({ type: 'InjectionAnswered', lane })
    expect(dialogue.take('remove')).toEqual([])
    dialogue.batch(2, 3, mailbox('1@default', 0))
    expect(dialogue.injected()).toEqual([`${b} 1@default 0/0`])
  })

  it('is taken back though a report from before it comes late, out of the queue of an Asterisk that was lost (rules 2 and 9)', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.answerInjections()
    dialogue
      .pass(5_000)
      .post(own(0))
      .post({ type: 'AsteriskLost', reason: 'silence' })
      .post({ type: 'AsteriskFound' })
    dialogue.answerInjections()
    dialogue.pass(3_000).post(own(0)).answerInjections()
    dialogue.fenced().batch(2, 2, mailbox('1@default', 0))
    expect(dialogue.injected()).toEqual([`${b} 1@default 0/0`])
  })

  it('shows the later change of a peer, given again once a minute at most, when the own PBX says again what it has said', () => {
    const dialogue = overwritten()
    for (let poll = 0; poll < 10; poll += 1) dialogue.post(own(2)).pass(1_000)
    expect(dialogue.injected()).toEqual([`${b} 1@default 3/0`])
    dialogue.pass(50_000)
    expect(dialogue.injected()).toEqual([`${b} 1@default 3/0`])
    expect(dialogue.answerPublishes().flatMap(({ entries }) => entries)).toEqual([])
  })

  it('shows what the peer has to which it has moved, though the own PBX finds it empty once more', () => {
    const dialogue = new Dialogue().ready([mailbox('1@default', 2)]).post(own(0))
    dialogue.joined(2, [mailbox('1@default', 3)]).answerInjections()
    dialogue.pass(4_000).clear().post(own(0))
    expect(dialogue.injected()).toEqual([`${b} 1@default 3/0`])
    expect(dialogue.health('mailbox-polled:1@default')).toBeUndefined()
  })

  it('shows what a peer has where the own PBX claims the mailbox and finds it empty', () => {
    const dialogue = new Dialogue({ settings: { isClaimed: () => true } }).ready()
    dialogue.joined(2, [mailbox('1@default', 3)]).answerInjections()
    dialogue.post(own(0))
    expect(dialogue.injected()).toEqual([`${b} 1@default 3/0`])
  })

  it('is empty where the dump of an Asterisk that has restarted does not name it, for nothing of a peer hides it', () => {
    const dialogue = moved().post({ type: 'RefreshRequested', kind: 'message_waiting' }).fenced()
    const seen = dialogue.bridge.inspection.look('message_waiting', '1@default')
    expect(seen?.sum).toEqual(mailbox('1@default', 0))
  })

  it('is empty where the dump of an Asterisk that has restarted does not name it, though the own count is not shared', () => {
    const { share } = settings()
    const message_waiting = { ...share.message_waiting, publish: false }
    const dialogue = new Dialogue({ settings: { share: { ...share, message_waiting } } })
    dialogue.ready([mailbox('1@default', 2)]).joined(2, [mailbox('1@default', 3)])
    dialogue.post({ type: 'RefreshRequested', kind: 'message_waiting' }).fenced()
    dialogue.batch(2, 2, mailbox('1@default', 4)).batch(2, 3, gone)
    expect(dialogue.injected()).toEqual([`${b} 1@default 4/0`, `${b} 1@default 0/0`])
  })

  it.each<[string, string, (dialogue: Dialogue) => unknown, string[]]>([
    ['keeps its count after a reload', 'it was given back under the EID of a peer', () => 0, []],
    [
      'is empty after a restart',
      'Asterisk has forgotten what was given back',
      (dialogue) => dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' }).found(),
      ['1@default 0/0'],
    ],
  ])('%s where the dump does not name it, for %s', (_, __, act, told) => {
    const dialogue = overwritten().batch(2, 3, gone)
    dialogue.answerInjections()
    act(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: 'message_waiting' }).fenced()
    expect(dialogue.answerPublishes().flatMap(({ entries }) => entries.map(wordOf))).toEqual(told)
  })
})

describe('a mailbox of several peers', () => {
  /** 3 had it and is empty now, 2 has 2 messages. */
  const movedFromThird = () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 1)])
    dialogue.joined(3, [mailbox('1@default', 5)])
    dialogue.batch(3, 2, mailbox('1@default', 0)).batch(2, 2, mailbox('1@default', 2))
    dialogue.answerInjections()
    return dialogue
  }

  it.each<[string, (dialogue: Dialogue) => unknown]>([
    ['SIGHUP', (dialogue) => dialogue.reload({})],
    [
      'a minute without the stream',
      (dialogue) => dialogue.post({ type: 'StreamDown', reason: 'cut' }).pass(61_000),
    ],
  ])('shows the last change after %s too (rule 5)', (_, act) => {
    const dialogue = movedFromThird()
    act(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: 'message_waiting' })
    expect(dialogue.injected()).toEqual([`${b} 1@default 2/0`])
  })
})

describe('an Asterisk that restarts', () => {
  it('is given everything again (rule 10)', () => {
    const states = [device('PJSIP/1', 'INUSE'), mailbox('1@default', 2)]
    const dialogue = new Dialogue().ready().joined(2, states)
    dialogue.answerInjections()
    dialogue.post({ type: 'RefreshRequested', kind: 'device_state' })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INUSE`])
    dialogue.post({ type: 'RefreshRequested', kind: 'message_waiting' })
    expect(dialogue.injected()).toEqual([`${b} 1@default 2/0`])
  })

  it('is given again what it may have taken before and forgotten (rule 10)', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'INUSE')])
    dialogue.post({ type: 'RefreshRequested', kind: 'device_state' })
    expect(dialogue.injected()).toHaveLength(2)
  })

  it('is not given what was withdrawn, nor is that forgotten to be followed afterwards', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'INUSE')])
    dialogue.answerInjections()
    dialogue.batch(2, 2, { kind: 'gone', of: 'device_state', id: 'PJSIP/1' })
    dialogue.post({ type: 'RefreshRequested', kind: 'device_state' })
    expect(dialogue.injected().at(-1)).toBe(`${b} PJSIP/1 INVALID`)
    dialogue.batch(2, 3, device('PJSIP/1', 'BUSY'))
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 BUSY`])
    dialogue.batch(2, 4, { kind: 'gone', of: 'device_state', id: 'PJSIP/1' })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
    expect(dialogue.bridge.overview().injected).toBe(0)
  })
})

describe('a member that leaves and is back at once', () => {
  it('finds its states followed again, though their withdrawal still waited on the lane', () => {
    const states = [device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'INUSE')]
    const dialogue = new Dialogue({ settings: { lanes: 1 } }).ready().joined(2, states)
    dialogue.answerInjections()
    dialogue.receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2))
    dialogue.take('inject')
    dialogue.post({ type: 'InjectionAnswered', lane: 0 })
    const epoch = epochOf(2, 2)
    dialogue.clear().post({ type: 'MemberItemReceived', item: memberItem(2, { epoch }) })
    dialogue.post(subscribedTo(2)).answerAsk(2, { epoch })
    dialogue.answerPull(2, [device('PJSIP/1', 'BUSY')], { epoch })
    dialogue.post({ type: 'InjectionAnswered', lane: 0 })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 BUSY`])
    expect(dialogue.bridge.overview().injected).toBe(1)
  })
})

describe('the lanes to Asterisk', () => {
  it('send the last value of a device that waits, and keep its order', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'RINGING')])
    dialogue.batch(2, 2, device('PJSIP/1', 'INUSE')).batch(2, 3, device('PJSIP/1', 'NOT_INUSE'))
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 RINGING`, `${b} PJSIP/1 NOT_INUSE`])
  })

  it('carry one injection each at a time', () => {
    const many = Array.from({ length: 50 }, (_, index) => device(`PJSIP/${index}`, 'INUSE'))
    const dialogue = new Dialogue().ready().joined(2, many)
    const lanes = dialogue.take('inject').map(({ lane }) => lane)
    expect(lanes.sort()).toEqual([0, 1, 2, 3])
  })

  it('give what has just changed ahead of the states of a member that joins', () => {
    const states = Array.from({ length: 20 }, (_, index) => device(`PJSIP/${index}`, 'INUSE'))
    const dialogue = new Dialogue({ settings: { lanes: 1 } }).ready().joined(2, states)
    dialogue.batch(2, 2, device('PJSIP/19', 'RINGING'), device('PJSIP/new', 'BUSY'))
    const injected = dialogue.injected()
    expect(injected).toHaveLength(21)
    expect(injected.slice(1, 3)).toEqual([`${b} PJSIP/19 RINGING`, `${b} PJSIP/new BUSY`])
  })

  it('give every fourth time what only is to be made up, however much changes', () => {
    const states = Array.from({ length: 3 }, (_, index) => device(`PJSIP/${index}`, 'INUSE'))
    const dialogue = new Dialogue({ settings: { lanes: 1 } }).ready().joined(2, states)
    const changes = Array.from({ length: 9 }, (_, index) => device(`PJSIP/new-${index}`, 'INUSE'))
    dialogue.batch(2, 2, ...changes)
    const isOfSnapshot = dialogue.injected().map((word) => !word.includes('new'))
    const places = isOfSnapshot.flatMap((is, index) => (is ? [index] : []))
    expect(places).toEqual([0, 4, 8])
  })

  it('wait with what a snapshot brings until no more is pulled, but not with what changes', () => {
    const dialogue = new Dialogue().ready([], memberItem(2), memberItem(3))
    dialogue.post(subscribedTo(2)).post(subscribedTo(3))
    for (const { token, jid } of dialogue.take('ask')) {
      const number = jid === fullJidOf(2) ? 2 : 3
      dialogue.post({ type: 'StatusReceived', token, from: jid, status: statusOf(number) })
    }
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'INUSE')])
    expect(dialogue.injected()).toEqual([])
    dialogue.batch(2, 2, device('PJSIP/2', 'BUSY'))
    expect(dialogue.injected()).toEqual([`${b} PJSIP/2 BUSY`])
    expect(dialogue.bridge.overview().injectionPending).toBe(1)
    dialogue.answerPull(3, [])
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INUSE`])
  })

  it('wait with a snapshot, but not with what a batch told before its first page came', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    dialogue.post(subscribedTo(2)).answerAsk(2).batch(2, 2, device('PJSIP/2', 'BUSY'))
    expect(dialogue.injected()).toEqual([])
    const states = [device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'INUSE')]
    dialogue.answerPull(2, states, { isLast: false })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/2 BUSY`])
    dialogue.answerPull(2, [device('PJSIP/3', 'INUSE')], { sequence: 2 })
    expect(dialogue.injected().sort()).toEqual([`${b} PJSIP/1 INUSE`, `${b} PJSIP/3 INUSE`])
  })

  it('tell what waited for a snapshot as late from when it came', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    dialogue.post(subscribedTo(2)).answerAsk(2).pass(500)
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { isLast: false }).pass(1_000)
    dialogue.answerPull(2, []).pass(500)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INUSE`])
    expect(dialogue.bridge.overview().injectionLagMs).toBe(1_500)
  })

  it('tell what another snapshot told anew as late from its first', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    dialogue.post(subscribedTo(2)).answerAsk(2)
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { isLast: false }).pass(1_000)
    dialogue.take('pull')
    // Some are missing before it: the pull starts again.
    dialogue
      .batch(2, 9)
      .answerPull(2, [device('PJSIP/1', 'BUSY')], { sequence: 9 })
      .pass(500)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 BUSY`])
    expect(dialogue.bridge.overview().injectionLagMs).toBe(1_500)
  })

  it('tell a state of a snapshot that changes while it waits as late from its first', () => {
    const states = [device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'INUSE')]
    const dialogue = new Dialogue({ settings: { lanes: 1 } }).ready().joined(2, states)
    dialogue.pass(700).batch(2, 2, device('PJSIP/2', 'BUSY')).pass(300)
    const [first] = dialogue.take('inject')
    expect(first && wordOf(first.entry)).toBe('PJSIP/1 INUSE')
    dialogue.post({ type: 'InjectionAnswered', lane: 0 })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/2 BUSY`])
    expect(dialogue.bridge.overview().injectionLagMs).toBe(1_000)
  })

  it('blame Asterisk for its own share only of what waited for a snapshot over a slow link', () => {
    const answeredAfter = (durationMs: number): Dialogue => {
      const dialogue = new Dialogue().ready([], memberItem(2))
      dialogue.post(subscribedTo(2)).answerAsk(2)
      dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { isLast: false }).pass(5_000)
      dialogue.pass(durationMs).answerInjections()
      return dialogue
    }
    expect(answeredAfter(2_500).health('injection-lag')).toContain('overloaded')
    const inTime = answeredAfter(2_000)
    expect(inTime.health('injection-lag')).toBeUndefined()
    // Nor does it excuse what comes after.
    inTime.batch(2, 2, device('PJSIP/1', 'BUSY')).pass(2_500).answerInjections()
    expect(inTime.health('injection-lag')).toContain('overloaded')
  })

  it('wait no longer than 5 s for a pull over a slow link', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    dialogue.post(subscribedTo(2)).answerAsk(2).pass(2_000)
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { isLast: false }).pass(2_999)
    expect(dialogue.injected()).toEqual([])
    dialogue.pass(1)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INUSE`])
    dialogue.answerPull(2, [device('PJSIP/2', 'INUSE')], { isLast: false })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/2 INUSE`])
  })

  it('wait no longer for a pull that is broken off', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    dialogue.post(subscribedTo(2)).answerAsk(2)
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { isLast: false })
    dialogue.post({ type: 'StreamDown', reason: 'the connection was lost' })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INUSE`])
  })

  it('try again after a growing rest what Asterisk does not take for now, the last value then', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'RINGING')])
    const { lane } = dialogue.takeOne('inject')
    dialogue.post({ type: 'InjectionAnswered', lane, failure: failed('503') })
    dialogue.batch(2, 2, device('PJSIP/1', 'INUSE')).pass(99)
    expect(dialogue.take('inject')).toEqual([])
    dialogue.pass(1)
    expect(wordOf(dialogue.takeOne('inject').entry)).toBe('PJSIP/1 INUSE')
    dialogue.post({ type: 'InjectionAnswered', lane, failure: failed('503') }).pass(199)
    expect(dialogue.take('inject')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.take('inject')).toHaveLength(1)
  })

  it('pass over what Asterisk refuses for good, with a log line', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'RINGING')])
    const { lane } = dialogue.takeOne('inject')
    dialogue.clear().post({ type: 'InjectionAnswered', lane, failure: failed('488', false) })
    expect(dialogue.takeOne('log').message).toBe('Asterisk refused an injection')
    expect(dialogue.bridge.overview().injectionPending).toBe(0)
  })

  it('wait while Asterisk is lost, and drain when it is found', () => {
    const dialogue = new Dialogue().ready().joined(2)
    dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' })
    dialogue.batch(2, 2, device('PJSIP/1', 'INUSE')).pass(2_000)
    expect(dialogue.take('inject')).toEqual([])
    dialogue.post({ type: 'AsteriskFound' })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INUSE`])
  })
})
