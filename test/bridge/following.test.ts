/** Whose feed is not subscribed to is not followed, however well it answers: a change of its would be missed (rule 14). */
import { describe, expect, it } from 'vitest'
import { unreadiness } from '../../src/bridge/overview.js'
import { Dialogue, failed, memberItem } from './harness.js'
import { device, eidOf, fullJidOf, jidOf } from './settings.js'

const busy = device('PJSIP/1', 'BUSY')
const subscribed = { type: 'Subscribed', member: jidOf(2) } as const
const key = `member:${jidOf(2)}`
const incomplete = [`the states of ${jidOf(2)} are not complete`]

function fail(dialogue: Dialogue, condition = 'item-not-found'): Dialogue {
  const failure = failed(condition)
  return dialogue.post({ type: 'SubscribeFailed', member: jidOf(2), failure })
}

const reasons = (dialogue: Dialogue): string[] => unreadiness(dialogue.bridge.overview())

/** In sync with member 2 before the stream ended, and back where the server has lost its store. */
function returned(): Dialogue {
  const dialogue = new Dialogue().ready().joined(2, [busy])
  dialogue.answerInjections()
  dialogue.post({ type: 'StreamDown', reason: 'cut' }).clear()
  dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
  dialogue.post({ type: 'OwnNodesMade', windowItems: 256, wereMissing: true })
  dialogue.post({ type: 'MembersRead', items: [] })
  expect(dialogue.takeOne('subscribe').member).toBe(jidOf(2))
  return dialogue
}

describe('a member whose feed is not there yet', () => {
  it('is not in sync though it answers that nothing is missing, and the problem stands', () => {
    const dialogue = fail(returned()).answerAsk(2)
    expect(reasons(dialogue)).toEqual(incomplete)
    expect(dialogue.health(key)).toContain('item-not-found')
  })

  it('is subscribed to again soon, then more rarely', () => {
    const dialogue = fail(returned())
    const waits: number[] = []
    for (let round = 0; round < 4; round += 1) {
      const sinceMs = dialogue.nowMs
      while (dialogue.take('subscribe').length === 0) dialogue.pass(50)
      waits.push(dialogue.nowMs - sinceMs)
      fail(dialogue)
    }
    expect(waits).toEqual([750, 1_500, 3_000, 6_000])
  })

  it('is subscribed to at once when its item comes, though that says the same as before', () => {
    const dialogue = fail(returned())
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    expect(dialogue.take('subscribe')).toHaveLength(1)
    // One is under way.
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    expect(dialogue.take('subscribe')).toEqual([])
  })

  it('is subscribed to at once when it shows its presence', () => {
    const dialogue = fail(returned())
    dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: true })
    expect(dialogue.take('subscribe')).toHaveLength(1)
  })

  it('is asked once it is subscribed to, and what it said meanwhile is pulled: no change is lost', () => {
    const dialogue = fail(returned()).answerAsk(2).pass(750).post(subscribed)
    expect(dialogue.health(key)).toBeUndefined()
    dialogue.answerAsk(2, { sequence: 2 })
    expect(reasons(dialogue)).toEqual(incomplete)
    dialogue.answerPull(2, [device('PJSIP/1', 'RINGING')], { sequence: 2 })
    expect(dialogue.injected()).toEqual([`${eidOf(2)} PJSIP/1 RINGING`])
    expect(reasons(dialogue)).toEqual([])
  })
})

describe('an answer from before the feed is followed', () => {
  it('does not make it in sync: what was asked is asked anew (rule 14)', () => {
    const dialogue = returned()
    dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: true })
    const before = dialogue.takeOne('ask')
    dialogue.post(subscribed)
    const { token } = dialogue.takeOne('ask')
    const status = { ...memberItem(2), sequence: 1, phase: 'ready' } as const
    const from = fullJidOf(2)
    dialogue.post({ type: 'StatusReceived', token: before.token, from, status })
    expect(reasons(dialogue)).toEqual(incomplete)
    dialogue.post({ type: 'StatusReceived', token, from, status })
    expect(reasons(dialogue)).toEqual([])
  })

  it('does not count for a pull: that starts again (rule 14)', () => {
    const dialogue = returned()
    dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: true })
    dialogue.answerAsk(2, { sequence: 2 })
    const before = dialogue.takeOne('pull')
    dialogue.post(subscribed)
    expect(dialogue.takeOne('pull').token).not.toBe(before.token)
  })
})

describe('a stream that is back', () => {
  it('is no readiness before each feed is followed on it, whatever was held before', () => {
    const dialogue = returned()
    expect(reasons(dialogue)).toEqual(incomplete)
    dialogue.post(subscribed)
    expect(reasons(dialogue)).toEqual(incomplete)
    dialogue.answerAsk(2)
    expect(reasons(dialogue)).toEqual([])
  })
})

describe('a feed that cannot be subscribed to', () => {
  it('leaves its member out of sync, and its states are pulled each time it is tried', () => {
    const dialogue = fail(returned(), 'forbidden').answerAsk(2, { sequence: 2 })
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { sequence: 2 })
    expect(dialogue.injected()).toEqual([`${eidOf(2)} PJSIP/1 INUSE`])
    expect(reasons(dialogue)).toEqual(incomplete)
    expect(dialogue.health(key)).toContain('forbidden')
    expect(dialogue.pass(7_499).take('subscribe')).toEqual([])
    expect(dialogue.pass(1).take('subscribe')).toHaveLength(1)
  })
})
