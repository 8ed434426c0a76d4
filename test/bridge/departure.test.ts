/** What `leave` does with the own nodes: it tells that they are gone only where the service has said so (rules 9 and 24). */
import { describe, expect, it } from 'vitest'
import { Dialogue, failed, memberItem, subscribedTo, wordOf } from './harness.js'
import { device, eidOf, fullJidOf, mailbox } from './settings.js'

/** Leaving, with the deletion of the own nodes sent. */
function deleting(dialogue = new Dialogue().ready()): Dialogue {
  dialogue.post({ type: 'LeaveRequested' })
  dialogue.answerPublishes()
  dialogue.pass(1_000)
  expect(dialogue.take('deleteOwnNodes')).toHaveLength(1)
  return dialogue
}

const failures = (dialogue: Dialogue): readonly string[] => dialogue.takeOne('left').failures

describe('the own nodes of a member that leaves', () => {
  it('are gone where the service says so', () => {
    expect(failures(deleting().post({ type: 'OwnNodesDeleted', failures: [] }))).toEqual([])
  })

  it('are told as left behind where the stream is back only just before the end', () => {
    const dialogue = new Dialogue().ready().post({ type: 'StreamDown', reason: 'cut' })
    dialogue.post({ type: 'LeaveRequested' }).pass(4_999)
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) }).pass(1)
    expect(failures(dialogue)).toEqual([
      'the XMPP server was not reached in time, the own nodes remain there: run leave again when it answers',
    ])
  })

  it('are told of where the service keeps them', () => {
    const kept = ['a/feed: forbidden: ask its owner']
    expect(failures(deleting().post({ type: 'OwnNodesDeleted', failures: kept }))).toEqual(kept)
  })

  it('are not told as gone where nothing is answered within 5 s', () => {
    const dialogue = deleting().pass(4_999)
    expect(dialogue.take('left')).toEqual([])
    expect(failures(dialogue.pass(1))).toEqual([
      'the XMPP server did not say within 5 s that the own nodes are deleted: run leave again when it answers',
    ])
  })

  it('are told as gone where that is said late, while Asterisk still takes back its states', () => {
    const member = new Dialogue().ready().joined(2, [device('PJSIP/1', 'BUSY')])
    member.answerInjections()
    const dialogue = deleting(member).pass(6_000)
    dialogue.post({ type: 'OwnNodesDeleted', failures: [] })
    expect(dialogue.take('left')).toEqual([])
    dialogue.answerInjections()
    expect(failures(dialogue)).toEqual([])
  })
})

describe('a member that leaves is done when Asterisk has taken back all', () => {
  /** Peer 2 is being pulled, and what came of it so far is held; what peer 3 has just told is in Asterisk. */
  const halfPulled = (): Dialogue => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) }).post(subscribedTo(2))
    dialogue.answerAsk(2).answerPull(2, [])
    dialogue
      .joined(3)
      .batch(2, 3)
      .answerPull(2, [device('PJSIP/1', 'INUSE')], { isLast: false })
    dialogue.batch(3, 2, device('PJSIP/9', 'INUSE'))
    expect(dialogue.injected()).toEqual([`${eidOf(3)} PJSIP/9 INUSE`])
    return dialogue
  }

  /** A peer's 0/0, of which Asterisk is told nothing, then its other counts. */
  const emptyFirst = (): Dialogue => {
    const dialogue = new Dialogue().ready()
    dialogue.joined(2, [mailbox('1@default', 0), mailbox('2@default', 3), mailbox('3@default', 4)])
    expect(dialogue.injected()).toHaveLength(2)
    return dialogue
  }

  it.each<[string, Dialogue, string[]]>([
    ['a state of an unfinished pull', halfPulled(), [`${eidOf(3)} PJSIP/9 INVALID`]],
    ['an empty mailbox', emptyFirst(), [`${eidOf(2)} 2@default 0/0`, `${eidOf(2)} 3@default 0/0`]],
  ])('though %s of which it holds nothing comes first', (_, member, withdrawn) => {
    const dialogue = member.post({ type: 'LeaveRequested' }).post({ type: 'OwnNodesDeleted' })
    const withdrawals = dialogue.take('inject')
    const [last, ...others] = withdrawals
    for (const { lane } of others) dialogue.post({ type: 'InjectionAnswered', lane })
    expect(dialogue.take('left')).toEqual([])
    expect(withdrawals.map(({ eid, entry }) => `${eid} ${wordOf(entry)}`).sort()).toEqual(withdrawn)
    if (last) dialogue.post({ type: 'InjectionAnswered', lane: last.lane })
    expect(failures(dialogue)).toEqual([])
  })

  it('at once where Asterisk was given nothing', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 0)])
    dialogue.post({ type: 'LeaveRequested' }).post({ type: 'OwnNodesDeleted' })
    expect(failures(dialogue)).toEqual([])
  })
})

describe('a member that has said goodbye publishes nothing that could make its nodes again (rule 24)', () => {
  const fenceIsOut = (): Dialogue =>
    new Dialogue().ready().post({ type: 'RefreshRequested', kind: 'device_state' })

  it.each<[string, Dialogue, (dialogue: Dialogue) => unknown]>([
    ['the fence comes back', fenceIsOut(), (dialogue) => dialogue.fenced()],
    [
      'members is read',
      new Dialogue().ready(),
      (dialogue) => dialogue.post({ type: 'MembersRead', items: [] }),
    ],
  ])('when %s', (_, member, act) => {
    const dialogue = deleting(member).report('PJSIP/1', 'BUSY')
    act(dialogue)
    expect(dialogue.pass(10_000).take('publishBatch')).toEqual([])
  })

  it('not even the goodbye, where the server refused it until they were deleted', () => {
    const dialogue = new Dialogue().ready().clear().post({ type: 'LeaveRequested' })
    const { batch } = dialogue.takeOne('publishBatch')
    const failure = failed('resource-constraint')
    const refuse = (): void => {
      dialogue.post({ type: 'BatchFailed', sequence: batch.sequence, failure })
    }
    refuse()
    dialogue.pass(4_999)
    expect(dialogue.take('publishBatch')).toHaveLength(1)
    refuse()
    dialogue.pass(1)
    expect(dialogue.take('deleteOwnNodes')).toHaveLength(1)
    expect(dialogue.pass(10_000).take('publishBatch')).toEqual([])
  })
})
