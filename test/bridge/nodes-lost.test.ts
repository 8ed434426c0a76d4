/** Nodes that go without a word: found out and made again, with what they retained (rules 19 and 26). */
import { describe, expect, it } from 'vitest'
import { Dialogue, failed } from './harness.js'
import { device, eidOf } from './settings.js'

const missing = { type: 'MembersUnread', failure: failed('item-not-found', false) } as const

describe('a node that went without a word', () => {
  it("is looked for when a peer's feed is silent for 1.5 heartbeats: 'members' is read again (rule 19)", () => {
    const dialogue = new Dialogue().ready().joined(2).clear().pass(14_999)
    expect(dialogue.take('readMembers')).toEqual([])
    dialogue.pass(1).answerAsk(2).pass(500)
    expect(dialogue.take('subscribe')).toMatchObject([{ isAgain: true }])
    expect(dialogue.take('readMembers')).toHaveLength(1)
  })

  it("is made again at once where 'members' is missing, and after 5 s where that did not help (rule 19)", () => {
    const dialogue = new Dialogue().ready().clear().post(missing).pass(0)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 }).post(missing)
    expect(dialogue.pass(4_999).take('makeOwnNodes')).toEqual([])
    expect(dialogue.pass(1).take('makeOwnNodes')).toHaveLength(1)
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 })
    dialogue.post({ type: 'MembersRead', items: [] }).clear().post(missing)
    expect(dialogue.pass(0).take('makeOwnNodes')).toHaveLength(1)
  })

  it("is made again where another has made 'members' again, without the own item (rule 19)", () => {
    const dialogue = new Dialogue().ready().clear().passFenced(60_000)
    expect(dialogue.take('readMembers')).toHaveLength(1)
    dialogue.post({ type: 'MembersRead', items: [] })
    expect(dialogue.take('announce')).toHaveLength(1)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
  })

  it('has its window compared with the table when it had to be made again (rule 26)', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE')]).clear()
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 })
    expect(dialogue.take('readWindow')).toEqual([])
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256, wereMissing: true })
    expect(dialogue.take('readWindow').map(({ kind }) => kind)).toEqual([
      'device_state',
      'message_waiting',
    ])
  })

  it('has its window read again soon where that failed (rule 26)', () => {
    const dialogue = new Dialogue().ready().clear()
    const failure = failed('timeout')
    dialogue.post({ type: 'WindowUnread', eid: eidOf(1), kind: 'device_state', failure })
    expect(dialogue.pass(999).take('readWindow')).toEqual([])
    expect(dialogue.pass(1).take('readWindow')).toHaveLength(2)
  })
})
