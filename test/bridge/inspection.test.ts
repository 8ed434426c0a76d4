import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { whyNeverShared } from '../../src/bridge/never-shared.js'
import type { Kind } from '../../src/bridge/state.js'
import type { Inspection } from '../../src/bridge/inspection.js'
import type { StatesQuery, StatesSeen } from '../../src/bridge/inspection-views.js'
import { sortedSlice } from '../../src/bridge/inspection-page.js'
import { Dialogue, emptyBatch, memberItem, subscribedTo } from './harness.js'
import { device, eidOf, fullJidOf, jidOf, mailbox, settings } from './settings.js'
import { onSeed } from '../search/seed.js'

/** The page, however often it rests. */
function pageOf(inspection: Inspection, query: StatesQuery): StatesSeen {
  const search = inspection.states(query)
  let step = search.next()
  while (step.done !== true) step = search.next()
  return step.value
}

const everything = { matches: () => true, offset: 0, limit: 100, order: 'name' } as const

/** A member with a peer; Asterisk has taken all. */
function pair(): Dialogue {
  const dialogue = new Dialogue().ready([device('PJSIP/1', 'NOT_INUSE')])
  dialogue.answerPublishes()
  dialogue.joined(2, [device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'BUSY'), mailbox('1@x', 2)])
  dialogue.answerInjections()
  return dialogue
}

const partsOf = (dialogue: Dialogue, id: string): string[] =>
  (dialogue.bridge.inspection.look('device_state', id)?.parts ?? []).map(
    ({ name, entry, standing, note }) =>
      [name, entry.kind === 'device_state' && entry.state, standing, note]
        .filter(Boolean)
        .join(' '),
  )

describe('a look at states', () => {
  it('shows the sum and the part of each origin, the own first', () => {
    const dialogue = pair()
    const { total, matched, states } = pageOf(dialogue.bridge.inspection, {
      kind: 'device_state',
      ...everything,
    })
    expect([total, matched]).toEqual([2, 2])
    expect(states.map(({ id, sum }) => [id, sum])).toEqual([
      ['PJSIP/1', device('PJSIP/1', 'INUSE')],
      ['PJSIP/2', device('PJSIP/2', 'BUSY')],
    ])
    expect(partsOf(dialogue, 'PJSIP/1')).toEqual(['pbx-1 NOT_INUSE own', 'pbx-2 INUSE injected'])
  })

  it('has the busiest first where asked, takes a page, and matches', () => {
    const { inspection } = pair()
      .report('PJSIP/3', 'RINGING')
      .report('PJSIP/0', 'UNAVAILABLE').bridge
    const page = (changed: object): string[] =>
      pageOf(inspection, { kind: 'device_state', ...everything, ...changed }).states.map(
        ({ id }) => id,
      )
    expect(page({ order: 'busy' })).toEqual(['PJSIP/2', 'PJSIP/1', 'PJSIP/3', 'PJSIP/0'])
    expect(page({ order: 'busy', offset: 1, limit: 2 })).toEqual(['PJSIP/1', 'PJSIP/3'])
    expect(page({ matches: (id: string) => id.endsWith('2') })).toEqual(['PJSIP/2'])
    expect(page({ offset: 9 })).toEqual([])
  })

  it('rests while it goes through many, and states pass meanwhile', () => {
    const dialogue = pair()
    const entries = Array.from({ length: 500 }, (_, index) => device(`SIP/${index}`, 'BUSY'))
    for (let sequence = 2; sequence < 12; sequence += 1) {
      const renamed = entries.map((entry) => ({ ...entry, id: `${entry.id}-${sequence}` }))
      dialogue.batch(2, sequence, ...renamed)
    }
    const search = dialogue.bridge.inspection.states({ kind: 'device_state', ...everything })
    let rests = 0
    let step = search.next()
    for (; step.done !== true; step = search.next()) {
      rests += 1
      dialogue.batch(2, 11 + rests, device('PJSIP/1', rests % 2 ? 'BUSY' : 'RINGING'))
    }
    expect(rests).toBeGreaterThan(8)
    expect(step.value.total).toBe(5_002)
    expect(step.value.states[0]?.parts.at(-1)?.entry).toEqual(
      device('PJSIP/1', rests % 2 ? 'BUSY' : 'RINGING'),
    )
  })

  it('says since when each part says so; a repetition is no change', () => {
    const dialogue = pair().pass(1_000).batch(2, 2, device('PJSIP/2', 'NOT_INUSE'))
    const changedMs = dialogue.nowMs
    dialogue.pass(1_000).batch(2, 3, device('PJSIP/2', 'NOT_INUSE'))
    expect(dialogue.bridge.inspection.look('device_state', 'PJSIP/2')?.changedMs).toBe(changedMs)
    expect(dialogue.bridge.inspection.look('device_state', 'PJSIP/1')?.changedMs).toBe(
      changedMs - 1_000,
    )
  })

  it('says what waits for Asterisk, and what it refused', () => {
    const dialogue = pair().batch(2, 2, device('PJSIP/2', 'RINGING'))
    expect(partsOf(dialogue, 'PJSIP/2')).toEqual(['pbx-2 RINGING pending'])
    const { lane } = dialogue.takeOne('inject')
    const failure = { condition: '403', reason: 'Asterisk answered 403', isTemporary: false }
    dialogue.post({ type: 'InjectionAnswered', lane, failure })
    expect(partsOf(dialogue, 'PJSIP/2')).toEqual(['pbx-2 RINGING refused Asterisk answered 403'])
  })

  it('says what is held but not given: by filter, and of a member out of sync; the sum leaves it out', () => {
    const dialogue = pair()
    const share = { publish: true, subscribe: true, isShared: (id: string) => id !== 'PJSIP/2' }
    dialogue.bridge.reconfigure(
      settings(1, { share: { device_state: share, message_waiting: share } }),
      dialogue.nowMs,
    )
    expect(partsOf(dialogue, 'PJSIP/2')).toEqual([
      'pbx-2 BUSY held the filters of share.device_state keep it out here',
    ])
    expect(dialogue.bridge.inspection.look('device_state', 'PJSIP/2')?.sum).toEqual(
      device('PJSIP/2', 'INVALID'),
    )
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).pass(70_000)
    expect(partsOf(dialogue, 'PJSIP/1').at(-1)).toBe('pbx-2 INUSE held its member is out of sync')
  })

  it('of a mailbox that several tell, the last change is given and the others are held', () => {
    const dialogue = pair().joined(3, [mailbox('1@x', 5)])
    dialogue.answerInjections()
    const seen = dialogue.bridge.inspection.look('message_waiting', '1@x')
    expect(seen?.parts.map(({ name, standing }) => [name, standing])).toEqual([
      ['pbx-2', 'held'],
      ['pbx-3', 'injected'],
    ])
    expect(seen?.sum).toEqual(mailbox('1@x', 5))
  })

  it('of a mailbox that the own PBX tells too, the last change counts, the own one or not (rule 5)', () => {
    const dialogue = pair()
    const standings = () => {
      const seen = dialogue.bridge.inspection.look('message_waiting', '1@x')
      const parts = seen?.parts.map(({ name, standing }) => `${name} ${standing}`)
      return [...(parts ?? []), seen?.sum]
    }
    dialogue.post({ type: 'StateReported', entry: mailbox('1@x', 4) }).answerInjections()
    expect(standings()).toEqual(['pbx-1 own', 'pbx-2 held', mailbox('1@x', 4)])
    dialogue.batch(2, 2, mailbox('1@x', 3)).answerInjections()
    expect(standings()).toEqual(['pbx-1 held', 'pbx-2 injected', mailbox('1@x', 3)])
  })

  it('of a mailbox that a peer finds empty is held where the count of another stands, which came before (rule 5)', () => {
    const dialogue = pair().joined(3, [mailbox('1@x', 0)])
    const parts = dialogue.bridge.inspection.look('message_waiting', '1@x')?.parts
    expect(parts?.at(-1)).toMatchObject({
      standing: 'held',
      note: 'the count of another member stands',
    })
  })

  it.each([0, 1, 7])('a page from %i on is that of the sorted names', (from) => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 3 })), fc.nat(20), (names, limit) => {
        const sorted = [...names].sort().slice(from, from + limit)
        expect(sortedSlice([...names], from, from + limit)).toEqual(sorted)
      }),
      onSeed(100),
    )
  })
})

describe('an explanation', () => {
  const explain = (dialogue: Dialogue, id: string) =>
    dialogue.bridge.inspection.explain('device_state', id)

  it('adds up as Asterisk does, and says why at each step', () => {
    const dialogue = pair()
    dialogue.joined(3, [device('PJSIP/1', 'RINGING')])
    dialogue.joined(4, [device('PJSIP/1', 'UNAVAILABLE')])
    dialogue.answerInjections()
    const { steps } = explain(dialogue, 'PJSIP/1')
    expect(steps.map(({ state, sumSoFar, why }) => [state, sumSoFar, why])).toEqual([
      ['NOT_INUSE', 'NOT_INUSE', 'the first that counts'],
      ['INUSE', 'INUSE', 'stronger than NOT_INUSE: it takes its place'],
      ['RINGING', 'RINGINUSE', 'ringing at one and INUSE at another make RINGINUSE'],
      ['UNAVAILABLE', 'RINGINUSE', 'weaker than RINGINUSE: it changes nothing'],
    ])
  })

  it('names who is to be looked at where a device is busy', () => {
    const { remarks, injections } = explain(pair(), 'PJSIP/1')
    expect(remarks).toEqual([
      {
        severity: 'note',
        text: 'PJSIP/1 is INUSE because pbx-2 says INUSE',
        remedy:
          'if that is wrong, it is wrong there: core show channels on the console of pbx-2 names the call, channel request hangup ends it',
      },
    ])
    expect(injections).toEqual([
      expect.objectContaining({ eid: eidOf(2), entry: device('PJSIP/1', 'INUSE') }),
    ])
    expect(injections[0]?.acknowledgedMs).toBeGreaterThan(0)
  })

  it('says that nobody tells of a device, and what an earlier run left in Asterisk', () => {
    const journal = [{ eid: eidOf(9), kind: 'device_state', id: 'PJSIP/9' }] as const
    const dialogue = new Dialogue({ journal }).ready()
    const { isKnown, leftovers, remarks } = explain(dialogue, 'PJSIP/9')
    expect(isKnown).toBe(false)
    expect(leftovers).toEqual([{ eid: eidOf(9), isInherited: true }])
    expect(explain(pair(), 'PJSIP/2').leftovers).toEqual([])
    expect(remarks.map(({ text }) => text)).toEqual([
      'no member tells of PJSIP/9',
      `an earlier run gave the own Asterisk a state of PJSIP/9 under ${eidOf(9)} that nobody has confirmed yet`,
    ])
  })

  it('remarks on a mailbox with messages on several members, not on one that has moved', () => {
    const remarksAt = (count: number): readonly string[] => {
      const dialogue = pair().joined(3, [mailbox('1@x', count)])
      const explained = dialogue.bridge.inspection.explain('message_waiting', '1@x')
      return explained.remarks.map(({ text }) => text)
    }
    expect(remarksAt(5)).toContain(
      'the mailbox 1@x has messages on several members (pbx-2, pbx-3); the last change counts',
    )
    expect(remarksAt(0)).not.toContainEqual(expect.stringContaining('several'))
  })

  it('tells what the own Asterisk says of a device that is not shared, until Asterisk starts anew', () => {
    const isShared = (id: string): boolean => id !== 'PJSIP/2'
    const share = { publish: true, subscribe: true, isShared }
    const { message_waiting } = settings().share
    const dialogue = new Dialogue({ settings: { share: { device_state: share, message_waiting } } })
    dialogue.ready().report('PJSIP/1', 'BUSY').report('PJSIP/2', 'BUSY')
    dialogue.post({ type: 'StateReported', entry: device('PJSIP/3', 'INUSE', false) })
    const unshared = () =>
      ['PJSIP/1', 'PJSIP/2', 'PJSIP/3'].map((id) => explain(dialogue, id).unshared)
    expect(unshared()).toEqual([
      undefined,
      { state: 'BUSY', cachable: true },
      { state: 'INUSE', cachable: false },
    ])
    dialogue.post({ type: 'RefreshRequested', kind: 'device_state' }).fenced()
    expect(unshared()).toEqual([undefined, undefined, undefined])
  })

  it('says of a name that is never shared why, and advises no setting that cannot help', () => {
    const device_state = {
      publish: true,
      subscribe: true,
      isShared: (id: string) => whyNeverShared('device_state', id) === undefined,
      whyNever: (id: string) => whyNeverShared('device_state', id),
    }
    const { message_waiting } = settings().share
    const dialogue = new Dialogue({
      settings: { share: { device_state, message_waiting } },
    }).ready()
    const remarksOn = (id: string): unknown[] => [...explain(dialogue, id).remarks]
    expect(remarksOn('Queue:sales_avail')).toEqual([
      {
        severity: 'note',
        text: "Queue:sales_avail is computed by each Asterisk from the states of the queue's members, which are shared: no member shares it",
        remedy:
          'give this server the queue with the same members (queues.conf), and it follows them here too',
      },
    ])
    for (const id of ['MWI:1@x', 'hintbridge:fence-1', 'CLIEval/1']) {
      expect(JSON.stringify(remarksOn(id)), id).toMatch(/no member shares it/)
      expect(JSON.stringify(remarksOn(id)), id).not.toMatch(/include|exclude|letter by letter/)
    }
    expect(JSON.stringify(remarksOn('Queue:sales'))).toMatch(/letter by letter/)
  })

  it('says what may be missing: Asterisk, the stream, a member that is not in sync', () => {
    const dialogue = pair().post({ type: 'AsteriskLost', reason: 'refused' })
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3) })
    expect(explain(dialogue, 'PJSIP/2').remarks.map(({ text }) => text)).toEqual(
      expect.arrayContaining([
        'the own Asterisk does not answer: nothing reaches it, and nothing of it is known',
        `what pbx-3 (${jidOf(3)}) says is not complete`,
      ]),
    )
  })
})

describe('an explanation where a member is away', () => {
  const why = (dialogue: Dialogue, kind: Kind, id: string) =>
    dialogue.bridge.inspection.explain(kind, id).remarks
  const died = (): Dialogue => {
    const dialogue = pair()
    dialogue.presence(2, false).failAsk()
    dialogue.pass(6_000).answerInjections()
    return dialogue
  }

  it('says who is dead, before it says that nobody tells of a device', () => {
    expect(why(died(), 'device_state', 'PJSIP/2')).toEqual([
      {
        severity: 'warning',
        text: `pbx-2 (${jidOf(2)}) is dead (its stream ended), not heard for 6 s: what it said of devices is withdrawn`,
        remedy: 'where it should tell of this, start its Asterisk and its bridge',
      },
      expect.objectContaining({ text: 'no member tells of PJSIP/2' }),
    ])
    // The own Asterisk tells of that one.
    expect(why(died(), 'device_state', 'PJSIP/1')).toEqual([
      expect.objectContaining({
        severity: 'note',
        text: expect.stringMatching(/ is dead /) as unknown,
      }),
    ])
  })

  it('says of a message count that its member is dead, and names forget', () => {
    expect(why(died(), 'message_waiting', '1@x')).toEqual([
      {
        severity: 'warning',
        text: `2/0 of pbx-2 (${jidOf(2)}) stays as it was: that member is dead (its stream ended), not heard for 6 s`,
        remedy: `a voicemail does not vanish with a server: start its Asterisk and its bridge; where it is gone for good, hintbridge forget ${jidOf(2)} drops its counts`,
      },
    ])
  })

  it('says who is refused, and who has left', () => {
    const dialogue = pair()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3, { eid: eidOf(2) }) })
    dialogue.post(subscribedTo(3, { eid: eidOf(2) })).answerAsk(3, { eid: eidOf(2) })
    const texts = () => why(dialogue, 'device_state', 'PJSIP/9').map(({ text }) => text)
    expect(texts()).toEqual([
      expect.stringMatching(
        /^pbx-3 \(pbx-c@example\.org\) is refused, and nothing is taken of it: /,
      ),
      'no member tells of PJSIP/9',
    ])
    dialogue.receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2)).pass(90_000)
    expect(texts()).toContain(`pbx-2 (${jidOf(2)}) has left 90 s ago: it said goodbye`)
  })

  it('names what is known under a name like that', () => {
    const alike = [{ kind: 'device_state', id: 'PJSIP/2' }] as const
    const { remarks } = pair().bridge.inspection.explain('device_state', 'pjsip/2', alike)
    expect(remarks).toEqual([
      {
        severity: 'warning',
        text: 'no member tells of pjsip/2, but of PJSIP/2',
        remedy: 'names are compared letter by letter, in their case: hintbridge explain PJSIP/2',
      },
    ])
  })
})

describe('the age of batches', () => {
  const aged = (dialogue: Dialogue, sequence: number, ageMs: number): Dialogue =>
    dialogue.receive(
      {
        ...emptyBatch(2, sequence),
        entries: [device('PJSIP/2', sequence % 2 ? 'BUSY' : 'INUSE')],
        ageMs,
      },
      jidOf(2),
    )
  const delayOf = (dialogue: Dialogue): number | undefined =>
    dialogue.bridge.overview().members[0]?.delayMs
  const clockKey = `clock:${jidOf(2)}`

  it('goes out with a batch: that of its oldest change', () => {
    const dialogue = new Dialogue().ready()
    dialogue.report('PJSIP/1', 'INUSE')
    dialogue.report('PJSIP/2', 'INUSE').pass(300).report('PJSIP/3', 'INUSE')
    const [first] = dialogue.answerPublishes()
    // A publish that took 300 ms is followed by a rest as long.
    const [second] = dialogue.pass(300).answerPublishes()
    expect(first?.ageMs).toBe(0)
    expect([second?.ageMs, second?.entries.length]).toEqual([600, 2])
  })

  it('is the delay of that member, and is measured up to the answer of Asterisk', () => {
    const dialogue = aged(pair(), 2, 7)
    expect(delayOf(dialogue)).toBe(7)
    dialogue.take('measure')
    dialogue.pass(3)
    dialogue.answerInjections()
    expect(dialogue.take('measure')).toEqual([
      expect.objectContaining({ histogram: 'injection_delay_seconds', value: 0.01 }),
    ])
  })

  it('from the future is no figure but a warning that names NTP, which ends two minutes after the clocks agree', () => {
    const dialogue = aged(pair(), 2, -5_000)
    expect(delayOf(dialogue)).toBeUndefined()
    expect(dialogue.health(clockKey)).toMatch(/is 5 s ahead of the one of this machine.* NTP/)
    dialogue.answerInjections()
    expect(dialogue.take('measure').map(({ histogram }) => histogram)).not.toContain(
      'injection_delay_seconds',
    )
    for (let sequence = 3; sequence < 24; sequence += 1) aged(dialogue.pass(6_000), sequence, 2)
    const last = dialogue
      .take('health')
      .filter(({ key }) => key === clockKey)
      .at(-1)
    expect([last?.key, last?.text]).toEqual([clockKey, undefined])
    expect(delayOf(dialogue)).toBe(2)
  })

  it('a little from the future is left out, and no warning', () => {
    const dialogue = aged(pair(), 2, -20)
    expect([delayOf(dialogue), dialogue.health(clockKey)]).toEqual([undefined, undefined])
  })

  it('that was never small for a minute says that the clock is behind; one late batch does not', () => {
    const dialogue = aged(pair(), 2, 3_600_000)
    expect(dialogue.health(clockKey)).toBeUndefined()
    for (let sequence = 3; sequence < 14; sequence += 1)
      aged(dialogue.pass(6_000), sequence, 3_600_005)
    expect(dialogue.health(clockKey)).toMatch(/is 3600 s behind/)
    expect(delayOf(dialogue)).toBeUndefined()
  })
})

describe('members', () => {
  it('have told which Asterisk they have, again when it changes', () => {
    const dialogue = new Dialogue()
    dialogue.post({ type: 'AsteriskVersionLearnt', version: 'Asterisk PBX 22.1' }).found()
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 })
    dialogue.post({ type: 'MembersRead', items: [] })
    expect(dialogue.takeOne('announce').item.pbxVersion).toBe('Asterisk PBX 22.1')
    dialogue.post({ type: 'Announced' })
    dialogue.post({ type: 'AsteriskVersionLearnt', version: 'Asterisk PBX 22.2' })
    expect(dialogue.takeOne('announce').item.pbxVersion).toBe('Asterisk PBX 22.2')
  })

  it('that said goodbye are told of for an hour, with their reason', () => {
    const dialogue = pair()
    dialogue.receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2))
    expect(dialogue.bridge.overview().departed).toEqual([
      expect.objectContaining({ jid: jidOf(2), reason: 'it said goodbye' }),
    ])
    dialogue.pass(3_600_001).post({ type: 'DeadlinePassed' })
    expect(dialogue.bridge.overview().departed).toEqual([])
  })

  it('are kept where anything is: known, or only in the journal', () => {
    const journal = [{ eid: eidOf(9), kind: 'message_waiting', id: '9@x' }] as const
    const { bridge } = new Dialogue({ journal }).ready([], memberItem(2))
    expect([jidOf(2), fullJidOf(2), eidOf(2), eidOf(9)].map((who) => bridge.keeps(who))).toEqual([
      true,
      true,
      true,
      true,
    ])
    expect([jidOf(7), eidOf(7)].map((who) => bridge.keeps(who))).toEqual([false, false])
  })
})

describe('changes as they pass', () => {
  it('are told only while somebody watches, with what stood there before', () => {
    const dialogue = pair().batch(2, 2, device('PJSIP/2', 'INUSE')).report('PJSIP/1', 'BUSY')
    expect(dialogue.take('changed')).toEqual([])
    dialogue.bridge.watch(true)
    dialogue.receive(
      { ...emptyBatch(2, 3), entries: [device('PJSIP/2', 'RINGING')], ageMs: 4 },
      jidOf(2),
    )
    dialogue.batch(2, 4, { kind: 'gone', of: 'device_state', id: 'PJSIP/2' })
    dialogue.report('PJSIP/1', 'INUSE')
    expect(dialogue.take('changed').map(({ change }) => change)).toEqual([
      {
        ...{ eid: eidOf(2), jid: jidOf(2), name: 'pbx-2', isOwn: false, delayMs: 4 },
        ...{ kind: 'device_state', id: 'PJSIP/2' },
        before: device('PJSIP/2', 'INUSE'),
        after: device('PJSIP/2', 'RINGING'),
      },
      {
        ...{ eid: eidOf(2), jid: jidOf(2), name: 'pbx-2', isOwn: false },
        ...{ kind: 'device_state', id: 'PJSIP/2' },
        before: device('PJSIP/2', 'RINGING'),
      },
      {
        ...{ eid: eidOf(1), jid: jidOf(1), name: 'pbx-1', isOwn: true },
        ...{ kind: 'device_state', id: 'PJSIP/1' },
        before: device('PJSIP/1', 'BUSY'),
        after: device('PJSIP/1', 'INUSE'),
      },
    ])
    dialogue.bridge.watch(false)
    dialogue.report('PJSIP/1', 'NOT_INUSE')
    expect(dialogue.take('changed')).toEqual([])
  })
})
