/** Whose feed is not subscribed to is not followed, however well it answers: a change of its would be missed (rule 14). */
import { describe, expect, it } from 'vitest'
import type { Command } from '../../src/bridge/commands.js'
import type { NodeChange } from '../../src/bridge/events.js'
import type { MemberItem, Status } from '../../src/bridge/messages.js'
import { unreadiness } from '../../src/bridge/overview.js'
import {
  Dialogue,
  emptyBatch,
  epochOf,
  failed,
  feedAt,
  memberItem,
  statusOf,
  subscribedTo,
} from './harness.js'
import { device, eidOf, fullJidOf, jidOf, service, settings } from './settings.js'

const busy = device('PJSIP/1', 'BUSY')
const subscribed = subscribedTo(2)
const key = `member:${jidOf(2)}`
const incomplete = [`the states of ${jidOf(2)} are not complete`]

function fail(dialogue: Dialogue, condition = 'item-not-found'): Dialogue {
  const failure = failed(condition)
  return dialogue.post({ type: 'SubscribeFailed', ...feedAt(2), failure })
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
    dialogue.presence(2, true)
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
    dialogue.presence(2, true)
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
    dialogue.presence(2, true)
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
    const dialogue = fail(returned(), 'bad-request').answerAsk(2, { sequence: 2 })
    dialogue.answerPull(2, [device('PJSIP/1', 'INUSE')], { sequence: 2 })
    expect(dialogue.injected()).toEqual([`${eidOf(2)} PJSIP/1 INUSE`])
    expect(reasons(dialogue)).toEqual(incomplete)
    expect(dialogue.health(key)).toContain('bad-request')
    expect(dialogue.pass(7_499).take('subscribe')).toEqual([])
    expect(dialogue.pass(1).take('subscribe')).toHaveLength(1)
  })
})

describe('an answer to what was asked of a feed of before', () => {
  const settle = (dialogue: Dialogue, status: Status): void => {
    const from = fullJidOf(2)
    for (const { token } of dialogue.take('ask'))
      dialogue.post({ type: 'StatusReceived', token, from, status })
    for (const { token } of dialogue.take('pull')) {
      const page = { ...status, entries: [], isLast: true }
      dialogue.post({ type: 'PageReceived', token, from, page })
    }
  }

  it.each<[string, Partial<MemberItem>]>([
    ['at another service', { service: 'pubsub.elsewhere.org' }],
    ['of another EID', { eid: eidOf(4) }],
  ])('is none where the item names one %s meanwhile', (_, changed) => {
    const item = memberItem(2, { ...changed, epoch: epochOf(2, 2) })
    const { service, eid, epoch } = item
    const dialogue = new Dialogue().ready([], memberItem(2)).clear()
    dialogue.post({ type: 'MemberItemReceived', item })
    expect(dialogue.takeOne('subscribe')).toMatchObject({ service, eid })
    dialogue.post(subscribed)
    dialogue.presence(2, true)
    settle(dialogue, statusOf(2, { eid, epoch }))
    expect(reasons(dialogue)).toEqual(incomplete)
    // Nor does its failure say anything of the new one.
    fail(dialogue.clear())
    expect(dialogue.health(key)).toBeUndefined()
    expect(dialogue.pass(10_000).take('subscribe')).toEqual([])
    dialogue.post(subscribedTo(2, { service, eid }))
    settle(dialogue, statusOf(2, { eid, epoch }))
    expect(reasons(dialogue)).toEqual([])
  })
})

describe('a member that is refused while its feed is asked for', () => {
  it('is not asked for it again where that fails, and why it is refused stays said', () => {
    const eid = eidOf(2)
    const rival = memberItem(3, { eid, jid: `${jidOf(3)}/${eid}` })
    const dialogue = new Dialogue().ready().joined(2, [busy]).clear()
    dialogue.post({ type: 'MemberItemReceived', item: rival })
    dialogue.post({ type: 'PresenceReceived', from: rival.jid, isAvailable: true })
    const { token } = dialogue.takeOne('ask')
    const status = statusOf(2, { epoch: rival.epoch })
    dialogue.post({ type: 'StatusReceived', token, from: rival.jid, status }).take('subscribe')
    dialogue.post({ type: 'SubscribeFailed', ...feedAt(3, { eid }), failure: failed('timeout') })
    expect(dialogue.health(`member:${jidOf(3)}`)).toContain('it is refused')
    // Once when its item was seen, and once when it was admitted.
    expect(dialogue.names()).toEqual(['present', 'present'])
    expect(dialogue.pass(14_000).take('subscribe')).toEqual([])
  })
})

describe('a node that is disturbed', () => {
  const disturb = (node: string, change: NodeChange): Dialogue => {
    const dialogue = new Dialogue().ready().joined(2, [busy]).joined(3)
    dialogue.answerInjections()
    return dialogue.clear().post({ type: 'NodeDisturbed', node, change })
  }

  it.each(['feed', 'device_state'])('does not matter where its %s is no member’s', (what) => {
    const dialogue = disturb(`asterisk/${eidOf(9)}/${what}`, 'deleted').pass(500)
    expect(dialogue.names()).toEqual([])
    expect(reasons(dialogue)).toEqual([])
  })

  it('does not matter once its member has said goodbye (rule 24)', () => {
    const dialogue = new Dialogue().ready().joined(2).joined(3)
    dialogue.receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2)).clear()
    dialogue.post({
      type: 'NodeDisturbed',
      node: `asterisk/${eidOf(2)}/feed`,
      change: 'deleted',
    })
    expect(dialogue.pass(500).names()).toEqual([])
    expect(reasons(dialogue)).toEqual([])
  })

  it.each(['deleted', 'unsubscribed'] as const)(
    'is followed again, and the others stay in sync: a feed that is %s (rules 17 and 19)',
    (change) => {
      const dialogue = disturb(`asterisk/${eidOf(2)}/feed`, change)
      expect(reasons(dialogue)).toEqual(incomplete)
      dialogue.pass(400).post({
        type: 'NodeDisturbed',
        node: `asterisk/${eidOf(2)}/feed`,
        change: 'deleted',
      })
      expect(dialogue.pass(499).take('subscribe')).toEqual([])
      dialogue.pass(1)
      expect(dialogue.takeOne('subscribe')).toMatchObject({ member: jidOf(2), isAgain: true })
      expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
      dialogue.post(subscribed).answerAsk(2)
      expect(reasons(dialogue)).toEqual([])
    },
  )

  it.each([
    ['the list of members', 'asterisk/members', 'deleted'],
    ['the list of members, for this one', 'asterisk/members', 'unsubscribed'],
    ['the items of that list', 'asterisk/members', 'purged'],
    ['an own node', `asterisk/${eidOf(1)}/feed`, 'deleted'],
  ] as const)('is made again, and no feed is lost with it: %s (rule 19)', (_, node, change) => {
    const dialogue = disturb(node, change).pass(500)
    expect(dialogue.names()).toEqual(['makeOwnNodes'])
    expect(reasons(dialogue)).toEqual([])
    dialogue.clear().post({ type: 'OwnNodesMade', windowItems: 256 })
    expect(dialogue.names()).toEqual(['readMembers'])
  })

  it('makes all feeds doubtful where it is an own one that went without a word (rule 19)', () => {
    const dialogue = disturb('asterisk/members', 'retracted').clear().report('PJSIP/7', 'BUSY')
    const { sequence } = dialogue.takeOne('publishBatch').batch
    const failure = failed('item-not-found')
    dialogue.post({ type: 'BatchFailed', sequence, failure }).pass(500)
    expect(dialogue.take('subscribe').map(({ member }) => member)).toEqual([jidOf(2), jidOf(3)])
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
  })
})

describe('a member that is dropped while the stream is down', () => {
  const down = (): Dialogue => {
    const dialogue = new Dialogue().ready().joined(2, [busy]).joined(3)
    dialogue.answerInjections()
    return dialogue.clear().post({ type: 'StreamDown', reason: 'cut' }).clear()
  }
  const unsubscribe = { to: 'cluster', do: 'unsubscribe', service, eid: eidOf(2) } as const
  const isTrusted = (jid: string): boolean => jid !== jidOf(2)

  it.each<[string, (dialogue: Dialogue) => Command[]]>([
    [
      'forgotten',
      ({ bridge, nowMs }) => bridge.handle({ type: 'ForgetRequested', member: jidOf(2) }, nowMs),
    ],
    [
      'no longer trusted',
      ({ bridge, nowMs }) => bridge.reconfigure(settings(1, { isTrusted }), nowMs),
    ],
  ])('%s is unsubscribed from on the next one, once (rule 17)', (_, drop) => {
    const dialogue = down()
    expect(drop(dialogue)).not.toContainEqual(unsubscribe)
    expect(dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) }).take('unsubscribe')).toEqual([
      unsubscribe,
    ])
    dialogue.post({ type: 'StreamDown', reason: 'cut' })
    expect(dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) }).take('unsubscribe')).toEqual([])
  })

  it('is unsubscribed from before it is subscribed to again (rule 17)', () => {
    const dialogue = down().post({ type: 'ForgetRequested', member: jidOf(2) })
    dialogue.clear().online(memberItem(1), memberItem(2, { epoch: epochOf(2, 2) }))
    const names = dialogue.names().filter((name) => name.endsWith('subscribe'))
    expect(names).toEqual(['unsubscribe', 'subscribe', 'subscribe'])
  })

  it('leaves its EID to who was refused for it, and that one is met on the next one (rules 18 and 23)', () => {
    const eid = eidOf(2)
    const rival = memberItem(3, { eid, jid: `${jidOf(3)}/${eid}` })
    const dialogue = new Dialogue().ready().joined(2, [busy])
    dialogue.answerInjections()
    dialogue
      .clear()
      .post({ type: 'MemberItemReceived', item: rival })
      .post(subscribedTo(3, { eid }))
    const { token } = dialogue.takeOne('ask')
    const status = statusOf(2, { epoch: rival.epoch })
    dialogue.post({ type: 'StatusReceived', token, from: rival.jid, status })
    expect(dialogue.bridge.overview().members[1]?.refusal).toContain('holds its EID')
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).clear()
    dialogue.post({ type: 'ForgetRequested', member: jidOf(2) })
    expect(dialogue.names()).toEqual(['forget', 'inject'])
    dialogue.clear().post({ type: 'StreamUp', jid: fullJidOf(1) })
    expect(dialogue.takeOne('present').jid).toBe(rival.jid)
    expect(dialogue.takeOne('subscribe').member).toBe(jidOf(3))
  })
})
