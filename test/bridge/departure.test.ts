/** What `leave` does with the own nodes: it tells that they are gone only where the service has said so (rules 9 and 24). */
import { describe, expect, it } from 'vitest'
import { Dialogue, failed } from './harness.js'
import { device, fullJidOf } from './settings.js'

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
