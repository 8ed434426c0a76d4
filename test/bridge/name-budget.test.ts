import { describe, expect, it } from 'vitest'
import {
  Dialogue,
  type DialogueOptions,
  emptyBatch,
  epochOf,
  memberItem,
  wordOf,
} from './harness.js'
import { device, eidOf, jidOf, mailbox, service } from './settings.js'

const limits = (namesPerMember: number, names = 1_000) => ({
  settings: { limits: { namesPerMember, names } },
})
const dev = 'device_state'

/** So many calls of a technology that names each of them anew. */
const calls = (count: number, from = 1) =>
  Array.from({ length: count }, (_, index) => device(`confbridge:${from + index}`, 'INUSE'))

/** Asterisk has told its states and member 2 its own; what was injected, as `id state`. */
function pair(entries: Parameters<Dialogue['joined']>[1], options: DialogueOptions) {
  const dialogue = new Dialogue(options).ready().joined(2, entries)
  return { dialogue, given: given(dialogue) }
}

const given = (dialogue: Dialogue): string[] =>
  dialogue.answerInjections().map(({ entry }) => wordOf(entry))

/** Asterisk answers all refreshes of devices with that number, and the fences after them. */
function answerDump(dialogue: Dialogue, taken: number): void {
  for (const { kind, token } of dialogue.take('refresh')) {
    dialogue.post({ type: 'RefreshAnswered', kind, token, taken })
  }
  for (const { kind, nonce } of dialogue.take('fence'))
    dialogue.post({ type: 'FenceReturned', kind, nonce })
}

describe('the names that a member gives this Asterisk', () => {
  it('are no more than limits.names_per_member, while known ones go on following', () => {
    const { dialogue, given: first } = pair(calls(3), limits(3))
    expect(first).toHaveLength(3)
    dialogue.batch(
      2,
      2,
      ...calls(1, 4),
      mailbox('1@default', 1),
      device('confbridge:1', 'NOT_INUSE'),
    )
    expect(given(dialogue)).toEqual(['confbridge:1 NOT_INUSE'])
    dialogue.batch(2, 3, { kind: 'gone', of: dev, id: 'confbridge:2' })
    expect(given(dialogue)).toEqual(['confbridge:2 UNKNOWN'])
    expect(dialogue.bridge.overview()).toMatchObject({ names: 3, members: [{ names: 3 }] })
  })

  it('are not freed by their withdrawal, nor by a new epoch', () => {
    const { dialogue } = pair(calls(3), limits(3))
    const epoch = epochOf(2, 2)
    dialogue.clear().receive({ ...emptyBatch(2, 1), epoch }, jidOf(2))
    dialogue.answerPull(2, [...calls(3, 4)], { epoch })
    expect(given(dialogue).sort()).toEqual([1, 2, 3].map((n) => `confbridge:${n} UNKNOWN`))
    dialogue.receive({ ...emptyBatch(2, 2), epoch, entries: calls(1) }, jidOf(2))
    expect(given(dialogue)).toEqual(['confbridge:1 INUSE'])
  })

  it('are counted for its JID, under whatever EID it comes', () => {
    const { dialogue } = pair(calls(3), limits(3))
    const eid = eidOf(9)
    const [jid, publisher] = [`${jidOf(2)}/${eid}`, jidOf(2)]
    dialogue
      .clear()
      .post({ type: 'MemberItemReceived', item: memberItem(2, { eid, jid, publisher }) })
    dialogue.post({ type: 'Subscribed', member: jidOf(2), service, eid })
    const { token } = dialogue.takeOne('ask')
    const status = { eid, epoch: epochOf(2), sequence: 1, phase: 'ready' as const }
    dialogue.post({ type: 'StatusReceived', token, from: jid, status })
    const page = { ...status, entries: calls(3, 4), isLast: true }
    dialogue.post({ type: 'PageReceived', token: dialogue.takeOne('pull').token, from: jid, page })
    const injected = dialogue.answerInjections().filter((each) => each.eid === eid)
    expect(dialogue.bridge.overview().members).toMatchObject([{ eid, states: 3, names: 3 }])
    expect(injected).toEqual([])
  })

  it('of one member leave room for those of another, up to limits.names', () => {
    const { dialogue } = pair(calls(3), limits(3, 5))
    dialogue.joined(3, calls(4, 11))
    expect(given(dialogue)).toEqual(['confbridge:11 INUSE', 'confbridge:12 INUSE'])
    // A name that Asterisk has of another member costs no more.
    dialogue.batch(3, 2, device('confbridge:1', 'RINGING'))
    expect(given(dialogue)).toEqual(['confbridge:1 RINGING'])
    expect(dialogue.health('names')).toContain('new ones are left out')
  })

  it('are warned of from 80 percent on, with the kind of which there are most', () => {
    const { dialogue } = pair([...calls(6), device('PJSIP/1', 'INUSE')], limits(10))
    expect(dialogue.health(`names:${jidOf(2)}`)).toBeUndefined()
    dialogue.batch(2, 2, ...calls(1, 7))
    const said = dialogue.take('health').filter(({ key }) => key === `names:${jidOf(2)}`)
    expect(said.map(({ severity }) => severity)).toEqual(['warning'])
    expect(said[0]?.text).toContain(
      `${jidOf(2)} has given this Asterisk 8 different names of devices and mailboxes, of 10 at most. Most are ` +
        `confbridge:… (7)`,
    )
    expect(said[0]?.text).toContain(
      `share.device_state.exclude, best at that member ('^confbridge:')`,
    )
  })

  it('are an error at the limit, and counted when they are left out', () => {
    const { dialogue } = pair(
      [...calls(2), mailbox('1@default', 1), mailbox('2@default', 1)],
      limits(4),
    )
    const said = dialogue.take('health').filter(({ key }) => key === `names:${jidOf(2)}`)
    expect(said.at(-1)).toMatchObject({ severity: 'error' })
    dialogue.take('count')
    dialogue.batch(2, 2, ...calls(2, 7))
    expect(dialogue.take('count').filter(({ counter }) => counter === 'left_out_names')).toEqual(
      [1, 2].map(() => expect.objectContaining({ labels: { peer: jidOf(2) } }) as unknown),
    )
    expect(dialogue.take('log').filter(({ message }) => message.includes('left out'))).toHaveLength(
      1,
    )
  })

  it('of which there is no room are seen as held back by the limit, with the remedy', () => {
    const { dialogue } = pair(calls(3), limits(2))
    const { seen, remarks } = dialogue.bridge.inspection.explain(dev, 'confbridge:3')
    expect(seen.parts).toMatchObject([{ standing: 'held', limit: 'limits.names_per_member' }])
    expect(remarks).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        remedy: expect.stringContaining('raise limits.names_per_member') as unknown,
      }),
    )
    // Looking gives nothing.
    expect(dialogue.bridge.overview().names).toBe(2)
  })

  it('may be more when the limit is raised, and no more when it is lowered', () => {
    const { dialogue } = pair(calls(4), limits(2))
    dialogue.reload({ limits: { namesPerMember: 3, names: 1_000 } })
    expect(given(dialogue)).toEqual(['confbridge:3 INUSE'])
    dialogue.reload({ limits: { namesPerMember: 1, names: 1_000 } })
    dialogue.batch(2, 2, device('confbridge:2', 'NOT_INUSE'), ...calls(1, 9))
    expect(given(dialogue)).toEqual(['confbridge:2 NOT_INUSE'])
  })

  it('are in the journal before Asterisk has them, and known to the next run', () => {
    const dialogue = new Dialogue(limits(2)).ready().joined(2, calls(3))
    const names = dialogue.take('addName')
    expect(names.map(({ jid, kind, id }) => [jid, kind, id])).toEqual([
      [jidOf(2), dev, 'confbridge:1'],
      [jidOf(2), dev, 'confbridge:2'],
    ])
    const next = new Dialogue({ ...limits(2), names }).ready().joined(2, calls(2, 2))
    expect(given(next)).toEqual(['confbridge:2 INUSE'])
    expect(next.take('addName')).toEqual([])
  })
})

describe('the names of an Asterisk that has restarted', () => {
  it('are forgotten, as its answer is numbered lower than what it had taken', () => {
    const { dialogue } = pair(calls(3), limits(2))
    dialogue.clear().post({ type: 'RefreshRequested', kind: dev })
    answerDump(dialogue, 0)
    expect(dialogue.take('clearNames')).toHaveLength(1)
    // What was given before goes on, and is counted anew.
    expect(dialogue.take('addName').map(({ id }) => id)).toEqual(['confbridge:1', 'confbridge:2'])
    dialogue.batch(2, 2, { kind: 'gone', of: dev, id: 'confbridge:1' })
    given(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: dev })
    answerDump(dialogue, 1)
    expect(given(dialogue)).toContain('confbridge:3 INUSE')
  })

  it('keep their place where it has been given them again before it was known', () => {
    // Found by the model search: another member's name took the place, and Asterisk had one more than the limit.
    const { dialogue } = pair([], limits(5, 1))
    dialogue.joined(3, calls(1)).batch(2, 2, device('PJSIP/1', 'INUSE'))
    given(dialogue)
    dialogue.clear().post({ type: 'RefreshRequested', kind: dev })
    answerDump(dialogue, 0)
    expect(given(dialogue)).toEqual(['confbridge:1 INUSE'])
    expect(dialogue.bridge.overview().members).toMatchObject([{ names: 0 }, { names: 1 }])
  })

  it('stay where it has merely reloaded a module', () => {
    const { dialogue } = pair(calls(3), limits(2))
    dialogue.clear().post({ type: 'RefreshRequested', kind: dev })
    answerDump(dialogue, 2)
    expect(dialogue.take('clearNames')).toEqual([])
  })

  it('are forgotten too where that was while no bridge ran', () => {
    const names = [1, 2].map(
      (n) => ({ jid: jidOf(2), kind: dev, id: `confbridge:${n}`, taken: 40 }) as const,
    )
    const dialogue = new Dialogue({ ...limits(2), names }).online().post({ type: 'AsteriskFound' })
    answerDump(dialogue, 3)
    dialogue.joined(2, calls(2, 11))
    expect(given(dialogue)).toEqual(['confbridge:11 INUSE', 'confbridge:12 INUSE'])
  })
})
