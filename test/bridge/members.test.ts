import { describe, expect, it } from 'vitest'
import type { BridgeSettings } from '../../src/bridge/context.js'
import { unreadiness } from '../../src/bridge/overview.js'
import type { BridgeEvent } from '../../src/bridge/events.js'
import type { MemberItem, Phase, Status } from '../../src/bridge/messages.js'
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
import { device, eidOf, fullJidOf, jidOf, mailbox, service, settings } from './settings.js'

const b = eidOf(2)
const busy = device('PJSIP/1', 'BUSY')

/** In sync with member 2, whose one device is busy, and its one mailbox; all given to Asterisk. */
function joined(): Dialogue {
  const dialogue = new Dialogue().ready().joined(2, [busy, mailbox('1@default', 2)])
  dialogue.answerInjections()
  return dialogue.clear()
}

function life(dialogue: Dialogue, number = 2): string | undefined {
  return dialogue.bridge.overview().members.find(({ jid }) => jid === jidOf(number))?.life
}

/** The server has ended the stream with `conflict`. */
function conflicted(): Dialogue {
  const reason = 'the server ended the stream: conflict, User removed'
  const dialogue = new Dialogue().ready().clear().post({ type: 'StreamDown', reason })
  return dialogue.post({ type: 'StreamConflicted', reason })
}

function keysOf(dialogue: Dialogue): string[] {
  return dialogue.take('health').map(({ key }) => key)
}

describe('a member that is seen', () => {
  it('is told of the own presence, followed, asked, and then pulled (rules 14 and 15)', () => {
    const dialogue = new Dialogue().ready().clear()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    expect(dialogue.names()).toEqual(['present', 'subscribe'])
    dialogue.clear().post(subscribedTo(2))
    expect(dialogue.names()).toEqual(['ask'])
    dialogue.answerAsk(2)
    expect(dialogue.takeOne('pull').jid).toBe(fullJidOf(2))
  })

  it('is not pulled where epoch and sequence match (rule 15)', () => {
    const dialogue = joined().post(subscribedTo(2)).answerAsk(2)
    expect(dialogue.names()).toEqual([])
  })

  it('is pulled where its epoch or its number is another, or a batch is missing (rule 15)', () => {
    const asked = joined().post(subscribedTo(2)).answerAsk(2, { sequence: 9 })
    expect(asked.take('pull')).toHaveLength(1)
    expect(joined().batch(2, 3).take('pull')).toHaveLength(1)
    const restarted = { ...emptyBatch(2, 1), epoch: epochOf(2, 2) }
    expect(joined().receive(restarted, jidOf(2)).take('pull')).toHaveLength(1)
  })

  it('waits while another is being pulled (rule 15)', () => {
    const dialogue = new Dialogue().ready()
    for (const number of [2, 3]) {
      dialogue.post({ type: 'MemberItemReceived', item: memberItem(number) })
      dialogue.post(subscribedTo(number)).answerAsk(number)
    }
    dialogue.answerPull(2, [])
    expect(dialogue.takeOne('pull').jid).toBe(fullJidOf(3))
  })

  it('that is busy serving others is asked again soon (rule 15)', () => {
    const dialogue = joined().batch(2, 3)
    const { token } = dialogue.takeOne('pull')
    dialogue.post({ type: 'PullFailed', token, failure: failed('resource-constraint') }).pass(449)
    expect(dialogue.take('pull')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.take('pull')).toHaveLength(1)
  })

  it('whose page does not come in time is asked for smaller ones (rule 14)', () => {
    const dialogue = joined().batch(2, 3)
    const sizes: number[] = []
    for (let round = 0; round < 3; round += 1) {
      const { token, query } = dialogue.takeOne('pull')
      sizes.push(query.max)
      dialogue.post({ type: 'PullFailed', token, failure: failed('timeout') })
      // Its batches still come: it lives, and is asked again.
      dialogue.batch(2, 4 + round)
    }
    expect(sizes).toEqual([500, 125, 31])
  })

  it('whose page does not come in time lives where it answers a short question (rule 14)', () => {
    const dialogue = joined().batch(2, 3)
    const { token } = dialogue.takeOne('pull')
    dialogue.take('ask')
    dialogue.post({ type: 'PullFailed', token, failure: failed('timeout') })
    dialogue.answerAsk(2, { sequence: 3 }).pass(5_000)
    expect(dialogue.bridge.overview().members[0]?.life).toBe('alive')
    expect(dialogue.takeOne('pull').query.max).toBe(125)
  })

  it.each([
    ['after grace where the server says that it has no stream', 'service-unavailable', 5_000],
    ['after dead_after where it answers nothing', 'timeout', 30_000],
  ])('whose page does not come in time is gone %s (rule 21)', (_, condition, afterMs) => {
    const dialogue = joined().batch(2, 3)
    const { token } = dialogue.takeOne('pull')
    dialogue.take('ask')
    dialogue.post({ type: 'PullFailed', token, failure: failed('timeout') })
    dialogue.failAsk(condition).pass(afterMs - 1)
    expect(life(dialogue)).not.toBe('dead')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
  })

  it('is pulled in the end however busy its feed is (rule 15)', () => {
    const dialogue = joined().batch(2, 3)
    dialogue.batch(2, 4).batch(2, 5)
    dialogue.answerPull(2, [busy], { sequence: 5 })
    expect(dialogue.bridge.overview().members[0]).toMatchObject({ isSynced: true, sequence: 5 })
  })

  it('that is silent for 1.5 heartbeats is asked, and subscribed to again where it answers (rule 15)', () => {
    const dialogue = joined().pass(14_999)
    expect(dialogue.take('ask')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.take('subscribe')).toEqual([])
    dialogue.answerAsk(2)
    expect(dialogue.takeOne('subscribe')).toMatchObject({ member: jidOf(2), isAgain: true })
  })

  it.each<[string, (dialogue: Dialogue) => Dialogue]>([
    ['does not answer', (dialogue) => dialogue.failAsk('timeout')],
    ['is not ready', (dialogue) => dialogue.answerAsk(2, { phase: 'syncing' })],
    ['has told something meanwhile', (dialogue) => dialogue.batch(2, 2).answerAsk(2)],
  ])('that is silent and then %s is not subscribed to again', (_, goOn) => {
    const dialogue = goOn(joined().pass(15_000))
    expect(dialogue.names()).not.toContain('subscribe')
  })

  it('that is silent lives by its answer, however long the server takes to subscribe (rules 15 and 23)', () => {
    const dialogue = joined().clear().pass(15_000)
    dialogue.answerAsk(2).clear().pass(29_999)
    expect(dialogue.bridge.overview().members[0]).toMatchObject({ life: 'alive' })
  })

  it('that is not ready keeps what is held of it, for stale_after (rule 16)', () => {
    const dialogue = joined().post(subscribedTo(2))
    dialogue.answerAsk(2, { phase: 'syncing', epoch: epochOf(2, 2) })
    const untilMs = dialogue.nowMs + 60_000
    while (dialogue.nowMs < untilMs - 1) {
      dialogue.pass(Math.min(500, untilMs - 1 - dialogue.nowMs))
      for (const { token } of dialogue.take('ask')) {
        const status = statusOf(2, { phase: 'syncing', epoch: epochOf(2, 2) })
        dialogue.post({ type: 'StatusReceived', token, from: fullJidOf(2), status })
      }
    }
    expect(dialogue.injected()).toEqual([])
    dialogue.pass(1)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
  })

  it('that is ready in time keeps it, however long its table takes to come (rule 16)', () => {
    const dialogue = joined().post(subscribedTo(2))
    dialogue.answerAsk(2, { phase: 'syncing', epoch: epochOf(2, 2) }).pass(1_499)
    expect(dialogue.take('ask')).toEqual([])
    dialogue.pass(1).answerAsk(2, { epoch: epochOf(2, 2) })
    expect(dialogue.take('pull')).toHaveLength(1)
    for (let passed = 0; passed < 60_000; passed += 10_000) dialogue.pass(10_000).batch(2, 2)
    expect(dialogue.injected()).toEqual([])
  })
})

describe('a member that stays dead', () => {
  it('is a problem after three minutes, until it gives a sign of life', () => {
    const dialogue = joined().passFenced(30_000 + 179_999)
    expect(life(dialogue)).toBe('dead')
    expect(dialogue.health(`member:${jidOf(2)}`)).toBeUndefined()
    expect(dialogue.passFenced(1).health(`member:${jidOf(2)}`)).toBe(
      `${jidOf(2)}: it has been dead for minutes (silence), and the lamps of its phones are out here: start its Asterisk and its ` +
        `bridge, and see that it reaches the XMPP server; where it is gone for good, hintbridge forget ${jidOf(2)}`,
    )
    dialogue.clear().presence(2, true).answerAsk(2, { phase: 'syncing' })
    expect(dialogue.take('health')).toEqual([
      { to: 'observe', do: 'health', key: `member:${jidOf(2)}`, severity: 'warning' },
    ])
  })

  it('is one too where it never answered, counted anew with each stream, and none when it is forgotten', () => {
    const dialogue = new Dialogue().ready([], memberItem(2)).post(subscribedTo(2)).failAsk()
    dialogue.passFenced(100_000).post({ type: 'StreamDown', reason: 'cut' }).online(memberItem(2))
    expect(dialogue.passFenced(179_999).health(`member:${jidOf(2)}`)).toBeUndefined()
    expect(dialogue.passFenced(1).health(`member:${jidOf(2)}`)).toContain('dead for minutes')
    dialogue.post({ type: 'ForgetRequested', member: jidOf(2) })
    expect(dialogue.take('health').filter(({ key }) => key === `member:${jidOf(2)}`)).toMatchObject(
      [{}],
    )
  })
})

describe('members of one name', () => {
  it('are a problem, until each has its own', () => {
    const name = 'pbx-3'
    const dialogue = joined().post({ type: 'MemberItemReceived', item: memberItem(2, { name }) })
    expect(dialogue.health('name:pbx-3')).toBeUndefined()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3) })
    expect(dialogue.health('name:pbx-3')).toBe(
      `several members are called pbx-3 (${jidOf(2)}, ${jidOf(3)}): give each a 'name' of its own in its configuration`,
    )
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    expect(dialogue.take('health').filter(({ key }) => key === 'name:pbx-3')).toEqual([
      { to: 'observe', do: 'health', key: 'name:pbx-3', severity: 'warning' },
    ])
    const own = settings().name
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2, { name: own }) })
    expect(dialogue.health(`name:${own}`)).toContain(jidOf(1))
  })
})

describe('a member that refuses this one', () => {
  it('is named with the remedy, and logged once until it is in sync', () => {
    const dialogue = new Dialogue().ready().clear()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    for (let round = 0; round < 3; round += 1) {
      dialogue.post(subscribedTo(2)).failAsk('forbidden')
      // It has taken the subscription away, too.
      const failure = failed('forbidden', false)
      dialogue.post({ type: 'SubscribeFailed', ...feedAt(2), failure }).failAsk('forbidden')
    }
    expect(dialogue.take('log').map(({ fields }) => fields?.['problem'])).toEqual([
      `it refuses this member: name ${jidOf(1)} under trust in its configuration`,
    ])
    expect(dialogue.health(`member:${jidOf(2)}`)).toContain(`name ${jidOf(1)} under trust`)
    dialogue.post(subscribedTo(2)).answerAsk(2).clear()
    dialogue.post(subscribedTo(2)).answerPull(2, [])
    expect(dialogue.health(`member:${jidOf(2)}`)).toBeUndefined()
    dialogue.clear().post(subscribedTo(2)).failAsk('forbidden')
    expect(dialogue.take('log')).toHaveLength(1)
  })
})

describe('a member that refuses this one', () => {
  const reasons = (dialogue: Dialogue): string[] => unreadiness(dialogue.bridge.overview())
  const incomplete = [`the states of ${jidOf(2)} are not complete`]

  it('does not keep it from being ready, whether it was ever heard or not; the warning stands', () => {
    const dialogue = new Dialogue().ready([], memberItem(2)).post(subscribedTo(2))
    expect(reasons(dialogue)).toEqual([`${jidOf(2)} was not heard yet`])
    dialogue.clear().post(subscribedTo(2)).failAsk('forbidden')
    expect(reasons(dialogue)).toEqual([])
    expect(dialogue.health(`member:${jidOf(2)}`)).toContain('it refuses this member')
    const known = joined()
    expect(reasons(known)).toEqual([])
    known.presence(2, true).failAsk('forbidden')
    expect(reasons(known)).toEqual([])
  })

  it('is waited for again once it answers', () => {
    const dialogue = new Dialogue().ready([], memberItem(2)).clear()
    dialogue.post(subscribedTo(2)).failAsk('forbidden')
    dialogue.clear().presence(2, true).answerAsk(2)
    expect(reasons(dialogue)).toEqual(incomplete)
    // It had taken the subscription away, which no server has to say.
    expect(dialogue.take('subscribe')).toMatchObject([{ eid: eidOf(2), isAgain: true }])
    dialogue.clear().post(subscribedTo(2)).answerPull(2, [])
    expect(reasons(dialogue)).toEqual([])
  })
})

describe('a member that trust no longer names', () => {
  const trusting = (isTrusted: BridgeSettings['isTrusted']) => settings(1, { isTrusted })
  const reload = (dialogue: Dialogue, isTrusted: boolean) =>
    dialogue.bridge.reconfigure(
      trusting(() => isTrusted),
      dialogue.nowMs,
    )
  const presence = { to: 'cluster', do: 'present', jid: fullJidOf(2), isAvailable: true }

  it('is shown presence once more, so that it asks and learns that it is refused (rule 18)', () => {
    const dialogue = joined()
    expect(reload(dialogue, false)).toContainEqual(presence)
    dialogue.clear().post({ type: 'StatusRequested', request: 1, from: fullJidOf(2) })
    expect(dialogue.takeOne('refuse').condition).toBe('forbidden')
  })

  it('is shown it again when it is named again, and followed at once', () => {
    const dialogue = joined()
    reload(dialogue, false)
    expect(reload(dialogue, true)).toContainEqual({ to: 'cluster', do: 'readMembers' })
    dialogue.clear().post({ type: 'MembersRead', items: [memberItem(2)] })
    expect(dialogue.takeOne('present')).toMatchObject({ jid: fullJidOf(2), isAvailable: true })
    expect(dialogue.take('subscribe')).toHaveLength(1)
  })

  it('is told nothing while the stream is down', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'cut' })
    expect(reload(dialogue, false)).not.toContainEqual(presence)
  })

  it('names the remedy where it is this one, and its peer is not given up (rule 21)', () => {
    const dialogue = joined()
    dialogue.presence(2, true)
    dialogue.failAsk('forbidden')
    expect(dialogue.health(`member:${jidOf(2)}`)).toContain(`name ${jidOf(1)} under trust`)
    expect(dialogue.batch(2, 2, device('PJSIP/1', 'RINGING')).injected()).toEqual([
      `${b} PJSIP/1 RINGING`,
    ])
    dialogue.presence(2, true)
    dialogue.answerAsk(2, { sequence: 2 })
    expect(dialogue.health(`member:${jidOf(2)}`)).toBeUndefined()
  })
})

describe('a member item', () => {
  it.each<[string, Partial<MemberItem>]>([
    ['that trust does not name', { id: 'mallory@example.org', jid: 'mallory@example.org/x' }],
    ['that another account published', { publisher: jidOf(3) }],
    ['that claims the JID of another', { jid: fullJidOf(3) }],
  ])('%s is refused and counted (rule 18)', (_, changed) => {
    const dialogue = new Dialogue().ready().clear()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2, changed) })
    expect(dialogue.names()).toEqual([])
    expect(dialogue.takeOne('count').counter).toBe('refused_items')
    expect(dialogue.health('members')).toContain('is refused')
  })

  it('is complained of once while it is there, and again when it comes back (rule 18)', () => {
    const dialogue = new Dialogue().ready().clear()
    const alien = memberItem(2, { id: 'mallory@example.org', jid: 'mallory@example.org/x' })
    const read = (...items: MemberItem[]) => dialogue.post({ type: 'MembersRead', items })
    read(alien)
    expect(dialogue.health('members')).toContain('mallory@example.org is refused')
    expect(
      read(alien)
        .take('health')
        .map(({ key }) => key),
    ).not.toContain('members')
    expect(dialogue.take('log')).toHaveLength(1)
    read()
    const cleared = dialogue.take('health').filter(({ key }) => key === 'members')
    expect(cleared).toMatchObject([{ severity: 'warning' }])
    expect(cleared[0]?.text).toBeUndefined()
    expect(read(alien).health('members')).toContain('mallory@example.org is refused')
    expect(dialogue.take('log')).toHaveLength(1)
  })

  it('is no longer complained of when trust names it (rule 18)', () => {
    const trusting = (isTrusted: BridgeSettings['isTrusted']) => settings(1, { isTrusted })
    const dialogue = new Dialogue({ settings: trusting((jid) => jid !== jidOf(2)) }).ready()
    dialogue.post({ type: 'MembersRead', items: [memberItem(2)] })
    expect(dialogue.health('members')).toContain(`${jidOf(2)} is refused`)
    const commands = dialogue.bridge.reconfigure(
      trusting(() => true),
      dialogue.nowMs,
    )
    expect(commands).toContainEqual({ to: 'cluster', do: 'readMembers' })
    dialogue.post({ type: 'MembersRead', items: [memberItem(2)] })
    expect(dialogue.take('health')).toContainEqual({
      to: 'observe',
      do: 'health',
      key: 'members',
      severity: 'warning',
    })
  })

  it('whose JID answers for another EID is refused (rule 18)', () => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    dialogue.post(subscribedTo(2)).answerAsk(2, { eid: eidOf(3) })
    expect(dialogue.take('pull')).toEqual([])
    expect(dialogue.bridge.overview().members[0]?.refusal).toContain('does not answer for the EID')
  })

  it('with the EID of a live member is refused, and judged again when that one has died (rule 18)', () => {
    const dialogue = joined()
    const rival = memberItem(3, { eid: b })
    dialogue.post({ type: 'MemberItemReceived', item: rival })
    dialogue.post(subscribedTo(3, { eid: b })).answerAsk(3, { eid: b })
    expect(dialogue.bridge.overview().members[1]?.refusal).toContain(`${jidOf(2)} holds its EID`)
    dialogue.clear().presence(2, false).failAsk()
    dialogue.clear().pass(5_000)
    expect(dialogue.takeOne('subscribe').member).toBe(jidOf(3))
  })

  it('with the EID of a live member takes nothing of that one away when it is forgotten (rule 18)', () => {
    const dialogue = joined()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3, { eid: b }) })
    dialogue.post(subscribedTo(3, { eid: b })).answerAsk(3, { eid: b })
    dialogue.post({ type: 'ForgetRequested', member: jidOf(3) })
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.bridge.overview().injected).toBe(2)
  })

  it('that is missing or retracted is no death (rule 19)', () => {
    const dialogue = joined()
    dialogue
      .post({ type: 'NodeDisturbed', node: 'asterisk/members', change: 'retracted' })
      .pass(500)
    expect(dialogue.take('readMembers')).toHaveLength(1)
    dialogue.post({ type: 'MembersRead', items: [] }).batch(2, 2)
    expect(life(dialogue)).toBe('alive')
    expect(dialogue.injected()).toEqual([])
  })
})

describe('a dead member whose item is missing', () => {
  const own = memberItem(1)
  const read = (dialogue: Dialogue, ...items: MemberItem[]): Dialogue =>
    dialogue.post({ type: 'MembersRead', items })
  const count = `${b} 1@default 0/0`

  it('left while the own stream was down: its message lamps go out after two readings (rules 19, 22 and 24)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'cut' }).pass(4_000)
    dialogue.online(own)
    dialogue.post({ type: 'SubscribeFailed', ...feedAt(2), failure: failed('item-not-found') })
    dialogue.failAsk().pass(35_000)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
    expect(read(dialogue, own).injected()).toEqual([count])
    expect(dialogue.bridge.overview()).toMatchObject({ members: [], departed: [{ jid: jidOf(2) }] })
  })

  it('is kept through one reading: its item may have come while that was under way', () => {
    const dialogue = joined().pass(30_000)
    dialogue.answerInjections()
    read(read(read(dialogue, own), own, memberItem(2)), own)
    expect(dialogue.injected()).toEqual([])
    expect(life(dialogue)).toBe('dead')
  })

  it('keeps its counts where there is one that another has written', () => {
    const dialogue = joined().pass(30_000)
    dialogue.answerInjections()
    const forged = memberItem(2, { publisher: jidOf(3) })
    for (let round = 0; round < 3; round += 1) read(dialogue, own, forged)
    expect(dialogue.injected()).toEqual([])
    expect(life(dialogue)).toBe('dead')
  })

  it('keeps its counts where the own item is missing too: the server has lost its store (rule 22)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'cut' }).online()
    dialogue.pass(35_000).answerInjections()
    for (let round = 0; round < 3; round += 1) read(dialogue, own)
    expect(dialogue.injected()).toEqual([])
    expect(life(dialogue)).toBe('dead')
    // Once it has been back, a missing item says again that it left.
    read(dialogue, own, memberItem(2))
    expect(read(read(dialogue, own), own).injected()).toEqual([count])
  })

  it('keeps its counts where the own item is back after the loss before it is looked for (rule 22)', () => {
    const dialogue = joined().report('PJSIP/7', 'BUSY')
    const { sequence } = dialogue.takeOne('publishBatch').batch
    dialogue.post({ type: 'BatchFailed', sequence, failure: failed('item-not-found') })
    dialogue.pass(30_000).answerInjections()
    for (let round = 0; round < 3; round += 1) read(dialogue, own)
    expect(dialogue.injected()).toEqual([])
    expect(life(dialogue)).toBe('dead')
  })

  it('keeps the counts of its retained node where it was never heard, and the store is lost then (rule 22)', () => {
    const item = memberItem(2, { publisher: jidOf(2) })
    const dialogue = new Dialogue().ready([], item).clear().post(subscribedTo(2)).failAsk()
    const entries = [mailbox('1@default', 4)]
    dialogue.post({ type: 'WindowRead', eid: b, kind: 'message_waiting', entries, broken: [] })
    dialogue.answerInjections()
    read(read(read(dialogue), own), own)
    expect(dialogue.injected()).toEqual([])
  })
})

describe('batches', () => {
  it('of a service or publisher that is not the member’s are refused and counted (rule 18)', () => {
    const dialogue = joined()
    const batch = { ...emptyBatch(2, 2), entries: [device('PJSIP/1', 'INUSE')] }
    dialogue.receive(batch, jidOf(3))
    dialogue.post({ type: 'BatchReceived', service: 'pubsub.evil.example', batch })
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.take('count').map(({ labels }) => labels?.['reason'])).toEqual([
      'another publisher',
      'another service',
    ])
  })

  it('of nobody who is a member are refused and counted (rule 18)', () => {
    const dialogue = new Dialogue().ready().clear().batch(2, 1, busy)
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.takeOne('count').counter).toBe('refused_items')
  })
})

describe('the own EID, claimed by another member', () => {
  const rival = memberItem(2, { eid: eidOf(1) })

  it('keeps this member from announcing itself while that one is ready (rule 18)', () => {
    const dialogue = new Dialogue().found().online(rival)
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).clear()
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue
      .post({ type: 'OwnNodesMade', windowItems: 256 })
      .post({ type: 'MembersRead', items: [rival] })
    dialogue.answerAsk(2, { eid: eidOf(1) })
    expect(dialogue.take('announce')).toEqual([])
    expect(dialogue.health(`eid:${jidOf(2)}`)).toContain('entityid in asterisk.conf')
    dialogue.report('PJSIP/1', 'INUSE')
    expect(dialogue.take('publishBatch')).toEqual([])
  })

  it('is this member’s where the other does not answer (rule 18)', () => {
    const dialogue = new Dialogue().found().online(rival).failAsk()
    expect(dialogue.take('announce')).toHaveLength(1)
  })

  it('goes to the smaller JID where both have just come (rule 18)', () => {
    // Its item is of an earlier run.
    const answer = { eid: eidOf(1), phase: 'syncing', epoch: epochOf(2, 2) } as const
    const first = new Dialogue().found().online(rival).answerAsk(2, answer)
    expect(first.take('announce')).toHaveLength(1)
    const second = new Dialogue({ settings: { jid: jidOf(3) } })
    second.found().online(rival).answerAsk(2, answer)
    expect(second.take('announce')).toEqual([])
  })

  it('stays with who is in while its fence is out, whatever the JIDs (rule 18)', () => {
    const newcomer = new Dialogue().found().online(rival)
    newcomer.answerAsk(2, { eid: eidOf(1), phase: 'syncing' })
    expect(newcomer.take('announce')).toEqual([])
    expect(newcomer.health(`eid:${jidOf(2)}`)).toContain('this member is refused')
    // It goes on to be so for longer than grace, at each reading of members.
    for (let round = 0; round < 5; round += 1) {
      newcomer.pass(60_000).post({ type: 'MembersRead', items: [rival] })
      newcomer.answerAsk(2, { eid: eidOf(1), phase: 'syncing' })
    }
    expect(newcomer.take('announce')).toEqual([])
  })
})

describe('two that went in with one EID before they saw each other', () => {
  const rival = (number: number): MemberItem => memberItem(number, { eid: eidOf(1) })
  /** In as member 2 with the EID of member 1, beside member 3; then the item of that member shows up. */
  const met = (number: number): Dialogue =>
    new Dialogue({ settings: { jid: jidOf(2) } })
      .ready([busy])
      .joined(3)
      .clear()
      .post({ type: 'MemberItemReceived', item: rival(number) })

  it('leave the EID to the smaller JID: the larger takes back its item and tells the peers that it left (rule 18)', () => {
    const dialogue = met(1)
    expect(dialogue.health(`eid:${jidOf(1)}`)).toContain('it is refused')
    dialogue.answerAsk(1, { eid: eidOf(1) })
    expect(dialogue.health(`eid:${jidOf(1)}`)).toContain('this member is refused')
    expect(dialogue.take('retractItem')).toHaveLength(1)
    expect(dialogue.take('present')).toContainEqual(
      expect.objectContaining({ jid: fullJidOf(3), isAvailable: false }),
    )
    expect(dialogue.bridge.overview().phase).toBe('syncing')
    dialogue.post({ type: 'StatusRequested', request: 7, from: fullJidOf(3) })
    expect(dialogue.takeOne('answerStatus').status).toMatchObject({ phase: 'leaving' })
    dialogue.report('PJSIP/1', 'INUSE').pass(20_000)
    expect(dialogue.take('publishBatch')).toEqual([])
  })

  it('stay and go the other way round at the smaller one (rule 18)', () => {
    const dialogue = met(4)
    expect(dialogue.take('ask')).toEqual([])
    expect(dialogue.take('retractItem')).toEqual([])
    expect(dialogue.bridge.overview().phase).toBe('ready')
  })

  it.each<[string, Partial<Status>]>([
    ['is not in', { phase: 'syncing' }],
    ['has started anew since its item', { epoch: epochOf(1, 2) }],
    ['has another EID', { eid: eidOf(5) }],
  ])('are not two where the other %s (rule 18)', (_, changed) => {
    const dialogue = met(1).answerAsk(1, { eid: eidOf(1), ...changed })
    expect(dialogue.take('retractItem')).toEqual([])
    expect(dialogue.bridge.overview().phase).toBe('ready')
  })

  it('come in with a new epoch when the other has left: the old one has left for good (rules 12 and 18)', () => {
    const dialogue = met(1)
    const before = dialogue.bridge.overview().epoch
    dialogue
      .answerAsk(1, { eid: eidOf(1) })
      .answerAsk(1, { eid: eidOf(1) })
      .clear()
    dialogue.presence(1, false)
    expect(dialogue.takeOne('announce').item.epoch).not.toBe(before)
    expect(dialogue.bridge.overview().phase).toBe('ready')
  })
})

describe('a member that was away while another took its EID', () => {
  const rival = memberItem(3, { eid: b, jid: `${jidOf(3)}/${b}` })
  const answer = (dialogue: Dialogue, jid: string, phase: Phase): void => {
    const { token } = dialogue.takeOne('ask')
    const status = statusOf(2, { phase })
    dialogue.post({ type: 'StatusReceived', token, from: jid, status })
  }

  it('gives way to it where it answers that it is not in (rule 18)', () => {
    const dialogue = joined().post({ type: 'MemberItemReceived', item: rival })
    dialogue.post(subscribedTo(3, { eid: b }))
    answer(dialogue, rival.jid, 'ready')
    expect(dialogue.bridge.overview().members[1]?.refusal).toContain('holds its EID')
    dialogue.post(subscribedTo(2))
    answer(dialogue, fullJidOf(2), 'syncing')
    dialogue.post(subscribedTo(3, { eid: b }))
    answer(dialogue, rival.jid, 'ready')
    expect(dialogue.bridge.overview().members).toMatchObject([
      {
        jid: jidOf(2),
        isBelieved: false,
        refusal: `the live member ${jidOf(3)} holds its EID ${b}`,
      },
      { jid: jidOf(3), isBelieved: true },
    ])
  })

  it('stays where that one is not in either (rule 18)', () => {
    const dialogue = joined().post(subscribedTo(2))
    answer(dialogue, fullJidOf(2), 'syncing')
    dialogue.post({ type: 'MemberItemReceived', item: rival })
    dialogue.post(subscribedTo(3, { eid: b }))
    answer(dialogue, rival.jid, 'syncing')
    expect(dialogue.bridge.overview().members).toMatchObject([
      { jid: jidOf(2), isBelieved: true },
      { jid: jidOf(3), isBelieved: false },
    ])
  })
})

describe('a member whose stream ends', () => {
  it('lives on where it answers (rule 21)', () => {
    const dialogue = joined().presence(2, false).answerAsk(2).pass(6_000)
    expect(life(dialogue)).toBe('alive')
    expect(dialogue.injected()).toEqual([])
  })

  it('dies after grace where it does not: its devices are withdrawn, its counts stay (rules 21 and 22)', () => {
    const dialogue = joined().presence(2, false).failAsk().pass(4_999)
    expect(dialogue.injected()).toEqual([])
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
  })

  it('may take longer to be back while the server is late, up to dead_after (rules 21 and 23)', () => {
    const late: BridgeEvent = { type: 'ServiceLate', service }
    const once = joined().presence(2, false).pass(3_000).post(late).pass(4_999)
    expect(life(once)).toBe('suspected')
    once.pass(1)
    expect(life(once)).toBe('dead')
    const dialogue = joined().pass(14_000).presence(2, false)
    for (let passed = 0; passed < 27_000; passed += 3_000) dialogue.pass(3_000).post(late)
    dialogue.pass(2_999)
    expect(life(dialogue)).toBe('suspected')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
  })

  it('is seen by nobody to have restarted within grace (rule 24)', () => {
    const dialogue = joined().presence(2, false).failAsk().pass(4_000).clear()
    dialogue.presence(2, true).answerAsk(2, { phase: 'syncing', epoch: epochOf(2, 2) })
    dialogue.pass(2_000).answerAsk(2, { epoch: epochOf(2, 2) })
    dialogue.answerPull(2, [busy, mailbox('1@default', 2)], { epoch: epochOf(2, 2) })
    expect(dialogue.injected()).toEqual([])
  })

  it('is asked anew with each presence: an earlier question went to a stream that is gone (rule 21)', () => {
    const dialogue = joined().presence(2, false)
    const earlier = dialogue.takeOne('ask').token
    dialogue.pass(5_000)
    expect(life(dialogue)).toBe('dead')
    // Found by the chaos soak: it came back before the question was given up, and was not asked again.
    dialogue.presence(2, true)
    dialogue.post({ type: 'AskFailed', token: earlier, failure: failed('timeout') })
    dialogue.answerAsk(2)
    expect(life(dialogue)).toBe('alive')
    expect(dialogue.take('pull')).toHaveLength(1)
  })

  it('lives on by any batch of its epoch (rule 21)', () => {
    const dialogue = joined().presence(2, false).failAsk().pass(4_000).batch(2, 2).pass(5_000)
    expect(life(dialogue)).toBe('alive')
  })
})

function withDeadAfter(dialogue: Dialogue, deadAfterMs: number): Dialogue {
  const running = settings(1)
  const liveness = { ...running.liveness, deadAfterMs }
  dialogue.bridge.reconfigure({ ...running, liveness }, dialogue.nowMs)
  return dialogue
}

describe('a member', () => {
  it('without any sign for dead_after is dead (rule 21)', () => {
    const dialogue = joined().pass(29_999)
    expect(life(dialogue)).toBe('alive')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
  })

  it('is not held to its silence while the server is late, for stale_after at most (rules 21 and 23)', () => {
    const late: BridgeEvent = { type: 'ServiceLate', service }
    const once = joined().pass(20_000).post(late).pass(29_999)
    expect(life(once)).toBe('alive')
    once.pass(1)
    expect(life(once)).toBe('dead')
    const dialogue = joined()
    for (let passed = 0; passed < 57_000; passed += 3_000) dialogue.pass(3_000).post(late)
    dialogue.pass(2_999)
    expect(life(dialogue)).toBe('alive')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
  })

  it('is not excused by another service than its own and that of this member', () => {
    const elsewhere = 'pubsub.example.com'
    const dialogue = joined()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3, { service: elsewhere }) })
    dialogue
      .post(subscribedTo(3, { service: elsewhere }))
      .answerAsk(3)
      .answerPull(3, [])
    dialogue.pass(20_000).post({ type: 'ServiceLate', service: elsewhere }).pass(10_000)
    expect([life(dialogue, 2), life(dialogue, 3)]).toEqual(['dead', 'alive'])
  })

  it('is watched by the dead_after that was read again while it lives', () => {
    const longer = withDeadAfter(joined(), 60_000).pass(59_999)
    expect(life(longer)).toBe('alive')
    longer.pass(1)
    expect(life(longer)).toBe('dead')
    // The timer that runs is of the old limit; from then on the new one holds.
    const shorter = withDeadAfter(joined().pass(29_000).batch(2, 2), 20_000).pass(19_999)
    expect(life(shorter)).toBe('alive')
    shorter.pass(1)
    expect(life(shorter)).toBe('dead')
  })

  it('joins anew with its next sign of life (rule 22)', () => {
    const dialogue = joined().pass(30_000)
    dialogue.answerInjections()
    dialogue.clear().batch(2, 2).answerPull(2, [busy], { sequence: 2 })
    expect(dialogue.injected()).toContain(`${b} PJSIP/1 BUSY`)
  })

  it('that is absent gives its counts from its retained node (rule 22)', () => {
    const dialogue = new Dialogue().ready([], memberItem(2, { publisher: jidOf(2) })).clear()
    dialogue.post(subscribedTo(2)).failAsk()
    expect(dialogue.takeOne('readWindow')).toMatchObject({
      member: jidOf(2),
      service,
      eid: b,
      kind: 'message_waiting',
    })
    const entries = [mailbox('1@default', 4)]
    dialogue.post({ type: 'WindowRead', eid: b, kind: 'message_waiting', entries, broken: [] })
    expect(dialogue.injected()).toEqual([`${b} 1@default 4/0`])
  })

  it.each<[string, (dialogue: Dialogue) => Dialogue]>([
    ['while it was not ready', (dialogue) => dialogue.answerAsk(2, { phase: 'syncing' })],
    ['before its first page', (dialogue) => dialogue.answerAsk(2)],
    [
      'before its last page',
      (dialogue) => dialogue.answerAsk(2).answerPull(2, [busy], { isLast: false }),
    ],
  ])('that dies %s gives its counts from its retained node (rule 22)', (_, begin) => {
    const dialogue = new Dialogue().ready([], memberItem(2)).clear()
    begin(dialogue.post(subscribedTo(2))).answerInjections()
    dialogue.clear().pass(30_000)
    expect(life(dialogue)).toBe('dead')
    dialogue.answerInjections()
    expect(dialogue.takeOne('readWindow').eid).toBe(b)
    dialogue.clear()
    // The server does not answer the first time.
    const [kind, entries] = ['message_waiting', [mailbox('1@default', 4)]] as const
    dialogue.post({ type: 'WindowUnread', eid: b, kind, failure: failed('timeout') })
    dialogue
      .post({ type: 'MembersRead', items: [memberItem(2)] })
      .post(subscribedTo(2))
      .failAsk()
    expect(dialogue.takeOne('readWindow').eid).toBe(b)
    dialogue.post({ type: 'WindowRead', eid: b, kind, entries, broken: [] })
    expect(dialogue.injected()).toContain(`${b} 1@default 4/0`)
  })

  it('that dies in sync keeps what it told, for its retained node is written behind (rule 22)', () => {
    expect(joined().pass(30_000).take('readWindow')).toEqual([])
  })

  it('that was in sync again is not read what could not be read while it was absent (rule 22)', () => {
    const dialogue = new Dialogue().ready([], memberItem(2, { publisher: jidOf(2) })).clear()
    const fail = (): Dialogue => dialogue.post(subscribedTo(2)).failAsk()
    fail().take('readWindow')
    const failure = failed('timeout')
    dialogue.post({ type: 'WindowUnread', eid: b, kind: 'message_waiting', failure })
    dialogue.presence(2, true).answerAsk(2).answerPull(2, []).pass(30_000).clear()
    expect(life(dialogue)).toBe('dead')
    fail()
    expect(dialogue.take('readWindow')).toEqual([])
  })

  it('that is forgotten gives its counts back (rule 22)', () => {
    const dialogue = joined().pass(30_000)
    dialogue.answerInjections()
    dialogue.post({ type: 'ForgetRequested', member: jidOf(2) })
    expect(dialogue.injected()).toEqual([`${b} 1@default 0/0`])
  })

  it('that says goodbye is withdrawn at once, and its epoch ignored (rules 12 and 24)', () => {
    const dialogue = joined().receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2))
    expect(dialogue.injected().sort()).toEqual([`${b} 1@default 0/0`, `${b} PJSIP/1 INVALID`])
    dialogue.clear().post({ type: 'MemberItemReceived', item: memberItem(2) })
    // It may be there again.
    expect(dialogue.names()).toEqual(['ask'])
    dialogue.failAsk().post({
      type: 'MemberItemReceived',
      item: memberItem(2, { epoch: epochOf(2, 2), publisher: jidOf(2) }),
    })
    expect(dialogue.take('subscribe')).toHaveLength(1)
  })

  it('that says goodbye in an epoch that is not held is asked at once, though another is being pulled (rules 12 and 24)', () => {
    const dialogue = joined().post({ type: 'MemberItemReceived', item: memberItem(3) })
    dialogue.post(subscribedTo(3)).answerAsk(3).clear()
    const epoch = epochOf(2, 2)
    dialogue.receive({ ...emptyBatch(2, 1), epoch, isBye: true }, jidOf(2))
    dialogue.answerAsk(2, { epoch, phase: 'leaving' })
    expect(dialogue.injected().sort()).toEqual([`${b} 1@default 0/0`, `${b} PJSIP/1 INVALID`])
  })

  it('that says goodbye late, in an epoch before, stays by its answer (rule 12)', () => {
    const dialogue = joined().receive(
      { ...emptyBatch(2, 9), epoch: epochOf(2, 0), isBye: true },
      jidOf(2),
    )
    dialogue.answerAsk(2)
    expect(dialogue.bridge.overview().members).toMatchObject([{ life: 'alive', isSynced: true }])
    expect(dialogue.names()).toEqual([])
  })

  it('that answers that it is leaving is withdrawn too (rule 24)', () => {
    const dialogue = joined().post(subscribedTo(2))
    dialogue.answerAsk(2, { phase: 'leaving' })
    expect(dialogue.injected()).toHaveLength(2)
  })
})

describe('a member whose pull is under way', () => {
  const states = Array.from({ length: 8 }, (_, index) => device(`PJSIP/${index}`, 'INUSE'))
  const quickly = { ...settings().liveness, graceMs: 1_000 }

  /** The first page of member 2 came. */
  const halfPulled = (): Dialogue => {
    const dialogue = new Dialogue({ settings: { liveness: quickly } }).ready([], memberItem(2))
    return dialogue.post(subscribedTo(2)).answerAsk(2).answerPull(2, states, { isLast: false })
  }

  /** The first page of another pull, which tells another state of its device, and more. */
  const halfPulledAgain = (): Dialogue => {
    const dialogue = new Dialogue({ settings: { liveness: quickly } }).ready().joined(2, [busy])
    dialogue.answerInjections()
    return dialogue.batch(2, 9).answerPull(2, states, { isLast: false, sequence: 9 })
  }

  const ends: [string, (dialogue: Dialogue) => unknown][] = [
    ['dies', (dialogue) => dialogue.presence(2, false).failAsk().pass(1_000)],
    [
      'says goodbye',
      (dialogue) => dialogue.receive({ ...emptyBatch(2, 10), isBye: true }, jidOf(2)),
    ],
    ['answers that it leaves', (dialogue) => dialogue.answerPull(2, [], { phase: 'leaving' })],
    ['is refused', (dialogue) => dialogue.answerPull(2, [], { eid: eidOf(9) })],
    ['is trusted no more', (dialogue) => dialogue.reload({ isTrusted: () => false })],
  ]

  it.each(ends)('and that %s gives Asterisk nothing of it', (_, end) => {
    const dialogue = halfPulled()
    end(dialogue)
    expect(life(dialogue)).not.toBe('alive')
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.pass(20_000).injected()).toEqual([])
    expect(dialogue.bridge.overview()).toMatchObject({ injected: 0, injectionPending: 0 })
  })

  it.each(ends)('again and that %s has but withdrawn what Asterisk held of it', (_, end) => {
    const dialogue = halfPulledAgain()
    end(dialogue)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
    expect(dialogue.pass(20_000).injected()).toEqual([])
  })
})

describe('while the own stream is down', () => {
  it('nobody dies, and a running grace is cancelled (rule 23)', () => {
    const dialogue = joined().presence(2, false).failAsk().pass(4_000)
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).pass(50_000)
    expect(life(dialogue)).toBe('alive')
    expect(dialogue.injected()).toEqual([])
  })

  it('all devices are withdrawn after stale_after, and given again after the return (rule 23)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'cut' })
    // The server may have been back at the last moment, and this member not yet.
    expect(dialogue.pass(69_999).injected()).toEqual([])
    expect(dialogue.pass(1).injected()).toEqual([`${b} PJSIP/1 INVALID`])
    dialogue.online(memberItem(2)).post(subscribedTo(2)).answerAsk(2)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 BUSY`])
  })

  it('for a second at a time, and back for one, devices are withdrawn after stale_after without being in sync (rule 23)', () => {
    const dialogue = joined()
    const flap = (): void => {
      dialogue.post({ type: 'StreamDown', reason: 'cut' }).pass(1_000)
      dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) }).pass(1_000)
      for (const name of ['ask', 'pull', 'subscribe'] as const) dialogue.take(name)
    }
    for (let round = 0; round < 34; round += 1) flap()
    expect(dialogue.pass(2_000).injected()).toEqual([])
    dialogue.post({ type: 'StreamDown', reason: 'cut' })
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 INVALID`])
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue.post(subscribedTo(2)).answerAsk(2)
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 BUSY`])
  })

  it('for less than stale_after, nothing is withdrawn while it is followed again after that (rule 23)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'cut' }).pass(55_000)
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue.post(subscribedTo(2)).answerAsk(2, { sequence: 9 })
    expect(dialogue.pass(9_000).injected()).toEqual([])
    expect(dialogue.bridge.overview().members[0]).toMatchObject({ isStale: false, isSynced: false })
  })

  it('for a second at a time, devices are kept of a peer that is in sync each time between (rule 23)', () => {
    const dialogue = joined()
    for (let round = 0; round < 60; round += 1) {
      dialogue.post({ type: 'StreamDown', reason: 'cut' }).pass(1_000)
      dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
      dialogue.post(subscribedTo(2)).answerAsk(2).pass(1_000)
    }
    expect(dialogue.injected()).toEqual([])
  })

  it('others that are not back yet are waited for as long as they may take to find the server again (rule 23)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'gone' }).pass(45_000)
    dialogue.online(memberItem(2)).presence(2, false).failAsk().pass(34_999)
    expect(dialogue.injected()).toEqual([])
    expect(life(dialogue)).toBe('suspected')
    expect(dialogue.pass(1).injected()).toEqual([`${b} PJSIP/1 INVALID`])
  })

  it('one that was back and goes then has grace (rule 23)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'gone' }).pass(45_000)
    dialogue.online(memberItem(2)).post(subscribedTo(2)).answerAsk(2)
    dialogue.presence(2, false).failAsk().pass(4_999)
    expect(life(dialogue)).toBe('suspected')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
  })

  it('one that was back and falls silent then is dead after dead_after (rules 21 and 23)', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'gone' }).pass(45_000)
    dialogue.online(memberItem(2)).post(subscribedTo(2)).answerAsk(2).pass(29_999)
    expect(life(dialogue)).toBe('alive')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
  })

  it('now and then, others are waited for no longer than stale_after (rule 23)', () => {
    const dialogue = joined()
    const flap = (): void => {
      dialogue.post({ type: 'StreamDown', reason: 'gone' }).pass(100)
      dialogue.online(memberItem(2)).presence(2, false).failAsk().pass(19_900).take('ask')
    }
    for (let round = 0; round < 3; round += 1) flap()
    expect(life(dialogue)).toBe('suspected')
    flap()
    expect(life(dialogue)).toBe('dead')
  })

  it('timers start in full after the return (rule 23)', () => {
    const dialogue = joined().pass(20_000).post({ type: 'StreamDown', reason: 'cut' }).pass(5_000)
    dialogue.online(memberItem(2)).pass(34_999)
    expect(life(dialogue)).toBe('alive')
    dialogue.pass(1)
    expect(life(dialogue)).toBe('dead')
  })

  it('no peer is asked again that was not ready', () => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2) })
    dialogue.post(subscribedTo(2)).answerAsk(2, { phase: 'syncing' })
    dialogue.clear().post({ type: 'StreamDown', reason: 'cut' }).pass(10_000)
    expect(dialogue.names()).toEqual([])
  })

  it('no peer is asked anything, though several waited for their pull', () => {
    const dialogue = new Dialogue().ready()
    for (const number of [2, 3]) {
      dialogue.post({ type: 'MemberItemReceived', item: memberItem(number) })
      dialogue.post(subscribedTo(number)).answerAsk(number)
    }
    dialogue.clear().post({ type: 'StreamDown', reason: 'cut' }).pass(10_000)
    expect(dialogue.names()).toEqual([])
  })
})

describe('the own standing', () => {
  it('reads the members every 60 s, and when a trusted stranger shows itself (rule 19)', () => {
    const dialogue = new Dialogue().ready().clear().pass(59_999)
    expect(dialogue.take('readMembers')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.take('readMembers')).toHaveLength(1)
    dialogue.presence(3, true).pass(500)
    expect(dialogue.take('readMembers')).toHaveLength(1)
  })

  it('answers available once (rule 21)', () => {
    const dialogue = new Dialogue().ready().clear().presence(3, true).presence(3, true)
    expect(dialogue.takeOne('present')).toMatchObject({ jid: fullJidOf(3), isAvailable: true })
  })

  it('tells a member again that has died or started anew, for its server did not say so to all (rule 21)', () => {
    const restarted = joined()
    restarted.post({
      type: 'MemberItemReceived',
      item: memberItem(2, { epoch: epochOf(2, 2), publisher: jidOf(2) }),
    })
    expect(restarted.takeOne('present').jid).toBe(fullJidOf(2))
    // Found by the chaos soak: it came back, was told nothing, and did not look for whom it had not read of.
    const silent = joined().pass(30_000)
    expect(life(silent)).toBe('dead')
    silent.clear().post({ type: 'MemberItemReceived', item: memberItem(2) })
    expect(silent.takeOne('present').jid).toBe(fullJidOf(2))
  })

  it('takes presence that precedes the member item, and the item then (rule 21)', () => {
    const dialogue = new Dialogue().ready().clear().presence(2, true)
    expect(dialogue.takeOne('present')).toMatchObject({ jid: fullJidOf(2), isAvailable: true })
    dialogue.joined(2, [busy])
    expect(dialogue.take('present')).toEqual([])
    expect(life(dialogue)).toBe('alive')
  })

  it('announces itself again where its item is missing (rule 19)', () => {
    const dialogue = new Dialogue()
      .ready()
      .passFenced(60_000)
      .clear()
      .post({ type: 'MembersRead', items: [] })
    expect(dialogue.take('announce')).toHaveLength(1)
  })

  it('raises an alarm where another bridge uses its JID (rule 20)', () => {
    const dialogue = conflicted()
    expect(dialogue.health('stream-conflict')).toBe(
      `the server ended the stream: conflict, User removed: either another bridge uses the JID ${jidOf(1)} with this ` +
        `EID, then give each bridge its own account and each Asterisk its own entityid; or the server still holds the session ` +
        `from before a cut or a crash, then it lets this one in once it notices (ejabberd, at once: resource_conflict: ` +
        `acceptnew); or the account was removed, then make it again`,
    )
  })

  it('takes the alarm back when the server refuses the account for another reason', () => {
    const dialogue = conflicted()
    const refused = { type: 'StreamFailed', reason: 'not-authorized' } as const
    dialogue.clear().post({ type: 'StreamFailed', reason: 'connect ECONNREFUSED' })
    expect(keysOf(dialogue)).toEqual(['stream'])
    dialogue.post({ ...refused, isAccountRefused: true })
    expect(keysOf(dialogue)).toEqual(['stream-conflict', 'stream'])
  })

  it('takes it back twice stale_after after it was let in again, whatever else ended the stream meanwhile', () => {
    const dialogue = conflicted()
      .post({ type: 'StreamUp', jid: fullJidOf(1) })
      .pass(60_000)
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).pass(59_000)
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) }).pass(999)
    expect(keysOf(dialogue.clear())).not.toContain('stream-conflict')
    expect(keysOf(dialogue.pass(1))).toContain('stream-conflict')
  })
})

describe('leaving', () => {
  it('says goodbye, deletes the own nodes and takes everything back from Asterisk (rules 9 and 24)', () => {
    const dialogue = joined().post({ type: 'LeaveRequested' })
    const [bye] = dialogue.answerPublishes()
    expect(bye).toMatchObject({ isBye: true, entries: [] })
    expect(dialogue.injected().sort()).toEqual([`${b} 1@default 0/0`, `${b} PJSIP/1 INVALID`])
    dialogue.pass(1_000)
    expect(dialogue.take('deleteOwnNodes')).toHaveLength(1)
    dialogue.post({ type: 'OwnNodesDeleted' })
    expect(dialogue.takeOne('left').failures).toEqual([])
  })

  it('injects nothing any more that peers still say (rule 9)', () => {
    const dialogue = joined().post({ type: 'LeaveRequested' })
    dialogue.answerInjections()
    dialogue.batch(2, 2, device('PJSIP/1', 'INUSE'))
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.bridge.overview().injected).toBe(0)
  })

  it('ends all the same where neither answers, and says what remains', () => {
    const dialogue = joined().post({ type: 'StreamDown', reason: 'cut' })
    dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' }).post({ type: 'LeaveRequested' })
    dialogue.pass(11_000)
    expect(dialogue.takeOne('left').failures).toHaveLength(2)
  })

  it('answers that it is leaving (rule 24)', () => {
    const dialogue = joined().post({ type: 'LeaveRequested' }).clear()
    dialogue.post({ type: 'StatusRequested', request: 1, from: fullJidOf(2) })
    expect(dialogue.takeOne('answerStatus').status.phase).toBe('leaving')
  })
})

describe('an item whose publisher is hidden', () => {
  it('gives no retained counts where nobody ever answered for it (rules 18 and 22)', () => {
    const item = memberItem(2, { service: 'pubsub.evil.example' })
    const dialogue = new Dialogue().ready([], item).clear()
    dialogue.post(subscribedTo(2, { service: item.service })).failAsk()
    expect(life(dialogue)).toBe('dead')
    expect(dialogue.take('readWindow')).toEqual([])
    const entries = [mailbox('1@default', 4)]
    dialogue.post({ type: 'WindowRead', eid: b, kind: 'message_waiting', entries, broken: [] })
    expect(dialogue.injected()).toEqual([])
  })
})

describe('items that nobody answers for', () => {
  const crowd = (from: number, length: number): MemberItem[] =>
    Array.from({ length }, (_, index) => {
      const id = `pbx-${from + index}@example.org`
      const eid = `02:00:00:01:00:${(from + index).toString(16)}`
      return memberItem(2, { id, eid, jid: `${id}/${eid}` })
    })
  const open = { settings: { isTrusted: () => true } }
  const read = (dialogue: Dialogue, items: readonly MemberItem[]): Dialogue =>
    dialogue.post({ type: 'MembersRead', items })

  it('are followed up to 200, and more are refused and said once', () => {
    const dialogue = new Dialogue(open).ready([], ...crowd(0, 203))
    expect(dialogue.bridge.overview().members).toHaveLength(200)
    const refusals = dialogue.take('count').filter(({ counter }) => counter === 'refused_items')
    const commands = refusals.map(({ labels }) => labels?.['reason'])
    expect(commands).toEqual(['too many', 'too many', 'too many'])
    const raised = dialogue.take('health').filter(({ key }) => key === 'members-crowd')
    expect(raised.map(({ text }) => text)).toEqual([expect.stringContaining('more than 200')])
  })

  it('make room when two readings do not name them, and the problem clears', () => {
    const dialogue = new Dialogue(open).ready([], ...crowd(0, 203))
    read(dialogue, crowd(10, 193))
    expect(dialogue.bridge.overview().members).toHaveLength(200)
    expect(dialogue.health('members-crowd')).toContain('more than 200')
    read(dialogue, crowd(10, 193))
    expect(dialogue.bridge.overview().members).toHaveLength(190)
    expect(dialogue.health('members-crowd')).toBeUndefined()
    read(dialogue, crowd(10, 193))
    expect(dialogue.bridge.overview().members).toHaveLength(193)
  })

  it('do not take a member along that was believed', () => {
    const dialogue = joined()
    read(read(dialogue, []), [])
    expect(life(dialogue)).toBe('alive')
  })
})

describe('an absent member whose nodes are gone', () => {
  it('is left to the next reading of members, without a word each time', () => {
    const item = memberItem(2, { publisher: jidOf(2) })
    const missing = failed('item-not-found', false)
    const dialogue = new Dialogue().ready([], item).clear()
    const fail = (): Dialogue =>
      dialogue
        .post({ type: 'SubscribeFailed', ...feedAt(2), failure: missing })
        .failAsk()
        .post({ type: 'WindowUnread', eid: b, kind: 'message_waiting', failure: missing })
    fail().clear().pass(30_000)
    expect(dialogue.take('subscribe')).toEqual([])
    dialogue.post({ type: 'MembersRead', items: [item] })
    expect(dialogue.take('subscribe')).toHaveLength(1)
    fail()
    expect(dialogue.take('readWindow').filter(({ eid }) => eid === b)).toHaveLength(1)
    expect(dialogue.take('log').map(({ message }) => message)).not.toContain('member has a problem')
    expect(dialogue.pass(20_000).take('subscribe')).toEqual([])
    expect(life(dialogue)).toBe('dead')
  })
})

describe('a rival for the own EID', () => {
  it('that goes while the stream is down is complained of no longer (rule 18)', () => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2, { eid: eidOf(1) }) })
    expect(dialogue.health(`eid:${jidOf(2)}`)).toContain('claims the EID')
    dialogue.post({ type: 'StreamDown', reason: 'cut' })
    const cleared = dialogue.take('health').filter(({ key }) => key === `eid:${jidOf(2)}`)
    expect(cleared).toMatchObject([{ severity: 'error' }])
    expect(cleared[0]?.text).toBeUndefined()
  })
})

describe('requests of a stranger', () => {
  it('are each refused, and logged once, then by their number each minute (rule 18)', () => {
    const dialogue = new Dialogue().ready().clear()
    const from = 'mallory@example.org/x'
    for (let request = 0; request < 1_000; request += 1) {
      dialogue.post({ type: 'StatusRequested', request, from })
    }
    expect(dialogue.take('refuse')).toHaveLength(1_000)
    expect(dialogue.take('log').map(({ fields }) => fields)).toEqual([{ from }])
    dialogue.passFenced(60_000)
    expect(dialogue.take('log').map(({ fields }) => fields)).toEqual([{ from, times: 999 }])
    expect(dialogue.passFenced(60_000).take('log')).toEqual([])
  })
})
