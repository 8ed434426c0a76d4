/** The own standing in the cluster: nodes first, then the fence, then the announcement (rules 2 and 17). */
import { describe, expect, it } from 'vitest'
import type { MemberItem } from '../../src/bridge/messages.js'
import { unreadiness } from '../../src/bridge/overview.js'
import { Dialogue, failed, memberItem, subscribedTo } from './harness.js'
import { device, eidOf, fullJidOf, jidOf, service } from './settings.js'

const up = { type: 'StreamUp', jid: fullJidOf(1) } as const
const made = { type: 'OwnNodesMade', windowItems: 256 } as const
const read = { type: 'MembersRead', items: [] } as const

describe('a member that comes', () => {
  it('makes its own nodes first, and announces itself when they are there and the fence is back (rules 2 and 17)', () => {
    const dialogue = new Dialogue().post(up)
    expect(dialogue.names()).toEqual(['makeOwnNodes'])
    dialogue.clear().post({ type: 'AsteriskFound' }).fenced(device('PJSIP/1', 'INUSE'))
    expect(dialogue.take('announce')).toEqual([])
    dialogue.post(made).post(read)
    const { item } = dialogue.takeOne('announce')
    expect(item).toMatchObject({ id: jidOf(1), jid: fullJidOf(1), eid: eidOf(1), service })
  })

  it('waits for the fence where the nodes are there sooner (rules 2 and 17)', () => {
    const dialogue = new Dialogue().post(up).post(made).post(read)
    expect(dialogue.take('announce')).toEqual([])
    dialogue.found()
    expect(dialogue.take('announce')).toHaveLength(1)
  })

  it('says why where its nodes cannot be made, follows the others all the same, and tries again (rule 17)', () => {
    const dialogue = new Dialogue().found().clear().post(up).clear()
    dialogue.post({ type: 'OwnNodesFailed', failure: failed('forbidden', false) })
    expect(dialogue.health('nodes')).toBe(
      `the server says forbidden: let ${jidOf(1)} create nodes (Prosody: admins of the pubsub component, then restart ` +
        `Prosody; ejabberd: access_createnode), or, where another account owns the nodes of this EID, say that of a bridge ` +
        `before this one: run 'hintbridge leave' with that account's configuration, or remove that account (ejabberdctl ` +
        `unregister), which deletes its nodes. It is tried again every 30 s`,
    )
    dialogue.post({ type: 'MembersRead', items: [memberItem(2)] })
    expect(unreadiness(dialogue.bridge.overview())).toEqual([
      'the own pubsub nodes are not made',
      `${jidOf(2)} was not heard yet`,
    ])
    expect(dialogue.takeOne('subscribe')).toMatchObject({ member: jidOf(2), isAgain: false })
    expect(dialogue.take('announce')).toEqual([])
    expect(dialogue.clear().pass(30_000).take('makeOwnNodes')).toHaveLength(1)
    dialogue.post(made).post(read)
    expect(dialogue.take('announce')).toHaveLength(1)
    expect(unreadiness(dialogue.bridge.overview())).not.toContain(
      'the own pubsub nodes are not made',
    )
  })

  it('is not ready before it knows who is in, and what each of them says (rule 25)', () => {
    const dialogue = new Dialogue().found().post(up).post(made)
    const reasons = (): string[] => unreadiness(dialogue.bridge.overview())
    expect(reasons()).toEqual(['the list of members was not read yet'])
    dialogue.post({ type: 'MembersRead', items: [memberItem(2)] })
    expect(reasons()).toEqual([`${jidOf(2)} was not heard yet`])
    const subscribed = subscribedTo(2)
    const { token } = dialogue.clear().post(subscribed).takeOne('ask')
    dialogue.post({ type: 'AskFailed', token, failure: failed('service-unavailable') })
    expect(reasons()).toEqual([])
  })

  it('announces itself again soon where it was refused, and then rarely: who made `members` may be opening it (rule 17)', () => {
    const dialogue = new Dialogue().found().post(up).post(made).post(read).clear()
    const refusal = { type: 'AnnounceFailed', failure: failed('forbidden', false) } as const
    expect(dialogue.post(refusal).pass(5_000).take('announce')).toHaveLength(1)
    expect(dialogue.clear().post(refusal).pass(29_000).take('announce')).toEqual([])
    expect(dialogue.pass(1_000).take('announce')).toHaveLength(1)
    dialogue.post({ type: 'Announced' })
    expect(dialogue.health('announce')).toBeUndefined()
  })

  it.each(['remote-server-not-found', 'service-unavailable', 'item-not-found'])(
    'asks whether the service is named right where that answers %s',
    (condition) => {
      const dialogue = new Dialogue().found().post(up).clear()
      const hint = `the server says ${condition}: does xmpp.pubsub name the pubsub service of your server?`
      dialogue.post({ type: 'OwnNodesFailed', failure: failed(condition) })
      expect(dialogue.health('nodes')).toContain(hint)
      dialogue.post({ type: 'MembersUnread', failure: failed(condition) })
      expect(dialogue.health('members-read')).toContain(hint)
      dialogue.post({ type: 'AnnounceFailed', failure: failed(condition) })
      expect(dialogue.health('announce')).toContain(hint)
    },
  )

  it('announces itself once where its item went with the store while the stream was down (rule 17)', () => {
    const dialogue = new Dialogue().ready().post({ type: 'StreamDown', reason: 'cut' }).clear()
    dialogue
      .post(up)
      .post({ ...made, wereMissing: true })
      .post(read)
    expect(dialogue.take('announce')).toHaveLength(1)
    // Missing after it was acknowledged, it is published again.
    dialogue.post({ type: 'Announced' }).passFenced(60_000).post(read)
    expect(dialogue.take('announce')).toHaveLength(1)
  })

  it('looks at its nodes again soon after they were lost, for they may be lost once more before that shows (rule 19)', () => {
    const dialogue = new Dialogue().ready().clear()
    const missed = { ...made, wereMissing: true }
    expect(dialogue.post(missed).take('readWindow')).toHaveLength(2)
    dialogue.clear().pass(1_999)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(0)
    dialogue.pass(1)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
    // Where they are never as they should be, more and more rarely.
    dialogue.post(missed).clear().pass(3_999)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(0)
    dialogue.pass(1).clear()
    // What they retain is read again then.
    expect(dialogue.post(made).take('readWindow')).toHaveLength(2)
    dialogue.clear().pass(200_000)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(0)
    expect(dialogue.post(made).take('readWindow')).toHaveLength(0)
  })

  it('takes nodes for lost whose making had failed, for some of them may have been made by then (rule 19)', () => {
    const dialogue = new Dialogue().ready().clear()
    dialogue.post({ type: 'OwnNodesFailed', failure: failed('item-not-found') })
    expect(dialogue.post(made).take('readWindow')).toHaveLength(2)
    dialogue.clear().pass(2_000)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
    expect(dialogue.post(made).take('readWindow')).toHaveLength(2)
    expect(dialogue.post(made).take('readWindow')).toHaveLength(0)
  })

  it('does not, where it has another stream since: there all is read again at once (rules 19 and 26)', () => {
    const dialogue = new Dialogue().ready().clear()
    dialogue.post({ type: 'OwnNodesFailed', failure: failed('item-not-found') })
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).post(up)
    expect(dialogue.post(made).post(read).take('readWindow')).toHaveLength(2)
    dialogue.clear().pass(200_000)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(0)
  })

  it('leaves nodes that are new to the audit: where all members are, the server has enough to do (rule 17)', () => {
    const dialogue = new Dialogue().post(up).found()
    dialogue
      .post({ ...made, wereMissing: true })
      .post(read)
      .clear()
      .pass(200_000)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(0)
    dialogue.pass(200_000)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
  })

  it('subscribes to the feed of each member that it reads, by what that one says of itself (rule 17)', () => {
    const elsewhere = { ...memberItem(3), service: 'pubsub.example.net' }
    const dialogue = new Dialogue().found().post(up).post(made)
    dialogue.post({ type: 'MembersRead', items: [memberItem(2), elsewhere] })
    const feeds = dialogue.take('subscribe').map((each) => [each.service, each.eid])
    expect(feeds).toEqual([
      [service, eidOf(2)],
      ['pubsub.example.net', eidOf(3)],
    ])
  })
})

describe('the nodes of the EID that this PBX had before', () => {
  const formerEid = eidOf(9)
  const former = `${jidOf(1)}/${formerEid}`
  const moved = (...members: MemberItem[]): Dialogue =>
    new Dialogue({ settings: { formerEid } }).ready([], ...members)

  it('are deleted once nobody answers under it, its own item notwithstanding (rule 17)', () => {
    const dialogue = moved(memberItem(1, { eid: formerEid, jid: former }))
    const { jid, token } = dialogue.takeOne('ask')
    expect(jid).toBe(former)
    expect(dialogue.take('deleteNodesOf')).toEqual([])
    dialogue.post({ type: 'AskFailed', token, failure: failed('service-unavailable') })
    expect(dialogue.takeOne('deleteNodesOf').eid).toBe(formerEid)
    dialogue.post({ type: 'MembersRead', items: [] })
    expect(dialogue.take('ask')).toEqual([])
  })

  it.each(['forbidden', 'timeout'])(
    'stay while somebody may live under it: the answer is %s, and is asked for again (rule 18)',
    (condition) => {
      const dialogue = moved()
      const { token } = dialogue.takeOne('ask')
      dialogue.post({ type: 'AskFailed', token, failure: failed(condition) })
      dialogue.post({ type: 'MembersRead', items: [] })
      expect(dialogue.takeOne('ask').jid).toBe(former)
      expect(dialogue.take('deleteNodesOf')).toEqual([])
    },
  )

  it('stay where it is that of another member now (rule 18)', () => {
    const dialogue = moved(memberItem(2, { eid: formerEid, jid: `${jidOf(2)}/${formerEid}` }))
    dialogue.post(subscribedTo(2, { eid: formerEid }))
    expect(dialogue.take('ask').map(({ jid }) => jid)).toEqual([`${jidOf(2)}/${formerEid}`])
    expect(dialogue.take('deleteNodesOf')).toEqual([])
  })
})

describe('an injection that takes its time', () => {
  it('is ready only when nothing waits for Asterisk any more (rule 25)', () => {
    const dialogue = new Dialogue().ready().joined(2, [device('PJSIP/1', 'BUSY')])
    expect(dialogue.bridge.overview().injectionPending).toBe(1)
    dialogue.answerInjections()
    expect(dialogue.bridge.overview().injectionPending).toBe(0)
  })
})
