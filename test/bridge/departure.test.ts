/** What `leave` says of the own nodes: that they are gone only where the service has said so (rules 9 and 24). */
import { describe, expect, it } from 'vitest'
import { Dialogue } from './harness.js'
import { device } from './settings.js'

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
