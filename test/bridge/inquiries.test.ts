/** What becomes of a peer that answers something else than expected, late, or not at all. */
import { describe, expect, it } from 'vitest'
import type { BridgeEvent } from '../../src/bridge/events.js'
import type { Status } from '../../src/bridge/messages.js'
import type { MemberOverview } from '../../src/bridge/overview.js'
import type { StateEntry } from '../../src/bridge/state.js'
import {
  Dialogue,
  type DialogueOptions,
  emptyBatch,
  epochOf,
  failed,
  feedAt,
  memberItem,
  statusOf,
  subscribedTo,
} from './harness.js'
import { device, eidOf, fullJidOf, jidOf, service, settings } from './settings.js'

const b = eidOf(2)
const busy = device('PJSIP/1', 'BUSY')
const withdrawn = `${b} PJSIP/1 INVALID`
/** Of the run after the one that was joined. */
const epoch = epochOf(2, 2)

function joined(options: DialogueOptions = {}): Dialogue {
  const dialogue = new Dialogue(options).ready().joined(2, [busy])
  dialogue.answerInjections()
  return dialogue.clear()
}

function member(dialogue: Dialogue): MemberOverview | undefined {
  return dialogue.bridge.overview().members.find(({ jid }) => jid === jidOf(2))
}

interface World {
  readonly status: () => Partial<Status>
  readonly answerPull: (dialogue: Dialogue, token: number) => void
  readonly isFeedSilent?: boolean
}

/** Time passes; whatever is asked is answered within 100 ms, and the peer's feed beats. */
function live(dialogue: Dialogue, durationMs: number, world: World): Dialogue {
  const { status, answerPull, isFeedSilent = false } = world
  for (let passed = 0; passed < durationMs; passed += 100) {
    dialogue.pass(100)
    if (passed % 10_000 === 0 && !isFeedSilent) {
      const beat = { ...emptyBatch(2, 2 + passed / 10_000), epoch }
      dialogue.receive(beat, jidOf(2))
    }
    for (const { token } of dialogue.take('ask')) {
      const answer = statusOf(2, { epoch, ...status() })
      dialogue.post({ type: 'StatusReceived', token, from: fullJidOf(2), status: answer })
    }
    for (const { token } of dialogue.take('pull')) answerPull(dialogue, token)
  }
  return dialogue
}

const pageFails =
  (condition: string) =>
  (dialogue: Dialogue, token: number): void =>
    void dialogue.post({ type: 'PullFailed', token, failure: failed(condition) })

const pageOf =
  (entries: readonly StateEntry[], changed: Partial<Status>) =>
  (dialogue: Dialogue, token: number): void => {
    const page = { ...statusOf(2, changed), entries, isLast: true }
    dialogue.post({ type: 'PageReceived', token, from: fullJidOf(2), page })
  }

describe('a member that started anew and answers that it is ready (rule 16)', () => {
  it.each(['timeout', 'undecodable', 'internal-server-error', 'policy-violation'])(
    'keeps what is held of it for stale_after where its pages fail: %s',
    (condition) => {
      const dialogue = joined().post(subscribedTo(2))
      const world = { status: () => ({}), answerPull: pageFails(condition) }
      expect(live(dialogue, 59_000, world).injected()).toEqual([])
      expect(live(dialogue, 13_000, world).injected()).toEqual([withdrawn])
      expect(member(dialogue)?.life).toBe('alive')
    },
  )

  it('keeps it for stale_after where it is not whenever its table is asked for', () => {
    let asked = 0
    const dialogue = live(joined().post(subscribedTo(2)), 120_000, {
      status: () => ({ phase: (asked += 1) % 5 === 0 ? 'ready' : 'syncing' }),
      answerPull: pageOf([], { epoch, phase: 'syncing' }),
    })
    expect(dialogue.injected()).toEqual([withdrawn])
  })

  it('keeps it for stale_after where each first page comes and no second', () => {
    let asked = 0
    const dialogue = live(joined().post(subscribedTo(2)), 120_000, {
      status: () => ({}),
      answerPull: (to, token) => {
        const pageOfMany = { ...statusOf(2, { epoch }), entries: [busy], isLast: false }
        asked += 1
        if (asked % 2 === 0) pageFails('internal-server-error')(to, token)
        else to.post({ type: 'PageReceived', token, from: fullJidOf(2), page: pageOfMany })
      },
    })
    expect(dialogue.injected()).toEqual([withdrawn])
  })

  it('keeps it for stale_after where its pages contradict each other', () => {
    const pageOfNothing = { ...statusOf(2, { epoch }), entries: [], isLast: false }
    const dialogue = live(joined().post(subscribedTo(2)), 120_000, {
      status: () => ({}),
      answerPull: (to, token) =>
        to.post({ type: 'PageReceived', token, from: fullJidOf(2), page: pageOfNothing }),
    })
    expect(dialogue.injected()).toEqual([withdrawn])
  })

  it('keeps it where one page is late and its pull waits for its turn then', () => {
    const dialogue = joined().post(subscribedTo(2)).answerAsk(2, { epoch, phase: 'syncing' })
    dialogue.pass(2_000).answerAsk(2, { epoch })
    pageFails('timeout')(dialogue, dialogue.takeOne('pull').token)
    // Another's goes first.
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(3) }).post(subscribedTo(3))
    const [mine, others] = dialogue.take('ask')
    const answer = (token: number, number: number, changed: Partial<Status>): Dialogue =>
      dialogue.post({
        type: 'StatusReceived',
        ...{ token, from: fullJidOf(number), status: statusOf(number, changed) },
      })
    answer(others?.token ?? NaN, 3, {})
    answer(mine?.token ?? NaN, 2, { epoch })
    expect(dialogue.takeOne('pull').jid).toBe(fullJidOf(3))
    for (let passed = 0; passed < 90_000; passed += 10_000) {
      dialogue.pass(10_000)
      const asked = dialogue.take('ask').filter(({ jid }) => jid === fullJidOf(2))
      for (const { token } of asked) answer(token, 2, { epoch })
    }
    expect(member(dialogue)?.life).toBe('alive')
    expect(dialogue.injected()).toEqual([])
  })

  it('forgets what failed on an earlier stream', () => {
    const dialogue = joined().post(subscribedTo(2)).answerAsk(2, { epoch })
    pageFails('timeout')(dialogue, dialogue.takeOne('pull').token)
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).clear().online(memberItem(2))
    dialogue.post(subscribedTo(2))
    live(dialogue, 50_000, {
      status: () => ({}),
      answerPull: pageFails('resource-constraint'),
    })
    const world = { status: () => ({}), answerPull: pageFails('internal-server-error') }
    expect(live(dialogue, 20_000, world).injected()).toEqual([])
  })

  it('keeps it for as long as it is busy serving others', () => {
    const world = { status: () => ({}), answerPull: pageFails('resource-constraint') }
    const dialogue = joined().post(subscribedTo(2)).answerAsk(2, { epoch, phase: 'syncing' })
    expect(live(dialogue, 120_000, world).injected()).toEqual([])
  })

  it('keeps it where its table comes in the end', () => {
    let asked = 0
    const dialogue = live(joined().post(subscribedTo(2)), 120_000, {
      status: () => ({}),
      answerPull: (to, token) => {
        asked += 1
        if (asked < 4) pageFails('internal-server-error')(to, token)
        else pageOf([busy], { epoch })(to, token)
      },
    })
    expect(dialogue.injected()).toEqual([])
  })
})

describe('a member that does not answer', () => {
  it('is asked again after 2 to 4 s, and is not in sync until it answers', () => {
    const dialogue = joined().post(subscribedTo(2)).failAsk('timeout')
    expect(member(dialogue)).toMatchObject({ life: 'alive', isSynced: false })
    expect(dialogue.pass(2_999).take('ask')).toEqual([])
    dialogue.pass(1).answerAsk(2)
    expect(member(dialogue)).toMatchObject({ life: 'alive', isSynced: true })
  })

  it.each(['remote-server-timeout', 'resource-constraint', 'undecodable'])(
    'for another reason than that it has no stream is dead after dead_after only: %s',
    (condition) => {
      const dialogue = joined().pass(15_000).failAsk(condition).pass(14_999)
      expect(member(dialogue)?.life).toBe('alive')
      expect(member(dialogue.pass(1))?.life).toBe('dead')
    },
  )

  it('and was never heard loses nothing of what the journal names where it answers soon after', () => {
    const journal = [{ eid: b, kind: 'device_state', id: 'PJSIP/1' }] as const
    const dialogue = new Dialogue({ journal }).ready([], memberItem(2))
    dialogue.post(subscribedTo(2)).pass(10_000).failAsk('timeout')
    const world = {
      status: () => ({ epoch: epochOf(2) }),
      answerPull: pageOf([busy], {}),
      isFeedSilent: true,
    }
    expect(live(dialogue, 50_900, world).injected()).toEqual([`${b} PJSIP/1 BUSY`])
  })

  it('and was never heard is asked again, ever more rarely, and followed at once when it answers', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    dialogue.post({
      type: 'SubscribeFailed',
      ...feedAt(2),
      failure: failed('item-not-found'),
    })
    dialogue.failAsk('timeout').clear()
    expect(dialogue.pass(2_999).names()).toEqual([])
    dialogue.pass(1).failAsk('timeout').clear()
    expect(dialogue.pass(22_499).take('ask')).toEqual([])
    dialogue.pass(1).answerAsk(2)
    expect(dialogue.take('subscribe')).toHaveLength(1)
  })

  it('and was never heard loses what the journal names when it should be back, if its server says that it is absent (rules 9 and 23)', () => {
    const journal = [{ eid: b, kind: 'device_state', id: 'PJSIP/1' }] as const
    const dialogue = new Dialogue({ journal }).ready([], memberItem(2)).post(subscribedTo(2))
    dialogue.failAsk('timeout').pass(3_000).failAsk().pass(4_000)
    dialogue.presence(2, false).failAsk().pass(27_999)
    expect(dialogue.injected()).toEqual([])
    expect(dialogue.pass(1).injected()).toEqual([withdrawn])
  })

  it('and is dead is not stale, whatever becomes of its table', () => {
    const dialogue = joined().pass(30_000)
    expect(member(dialogue)?.life).toBe('dead')
    for (let beat = 0; beat < 12; beat += 1) {
      dialogue.pass(10_000).batch(2, 5 + beat)
      for (const { token } of dialogue.take('pull')) pageFails('undecodable')(dialogue, token)
    }
    expect(member(dialogue)).toMatchObject({ life: 'dead', isStale: false })
  })

  it('is not asked again once it is no longer trusted', () => {
    const dialogue = joined().post(subscribedTo(2)).failAsk('timeout')
    dialogue
      .reload({ isTrusted: () => false })
      .clear()
      .pass(120_000)
    expect(dialogue.take('ask')).toEqual([])
  })

  it('to what it was asked before its stream ended is not held to that when it is back', () => {
    const dialogue = joined().pass(15_000)
    const { token } = dialogue.takeOne('ask')
    dialogue.presence(2, false).take('ask')
    dialogue.presence(2, true).answerAsk(2)
    dialogue.post({ type: 'AskFailed', token, failure: failed('timeout') })
    expect(member(dialogue)).toMatchObject({ life: 'alive', isSynced: true })
  })
})

describe('a member that is elsewhere now', () => {
  it('is not asked at the JID that it has left', () => {
    const dialogue = joined().post(subscribedTo(2)).answerAsk(2, { phase: 'syncing' }).clear()
    const jid = `${jidOf(2)}/elsewhere`
    dialogue.post({
      type: 'MemberItemReceived',
      item: memberItem(2, { jid, epoch, publisher: jidOf(2) }),
    })
    expect(dialogue.pass(2_000).take('ask')).toEqual([])
    expect(dialogue.post(subscribedTo(2)).takeOne('ask').jid).toBe(jid)
  })
})

describe('a member that refuses this one', () => {
  it('is subscribed to again when its feed is silent (rule 15)', () => {
    const dialogue = joined().pass(15_000).failAsk('forbidden')
    expect(dialogue.takeOne('subscribe')).toMatchObject({ member: jidOf(2), isAgain: true })
  })

  it('is asked again after 60 to 120 s', () => {
    const dialogue = joined().post(subscribedTo(2)).failAsk('forbidden')
    for (let beat = 0; beat < 8; beat += 1) dialogue.pass(10_000).batch(2, 2 + beat)
    expect(dialogue.pass(9_999).take('ask')).toEqual([])
    expect(dialogue.pass(1).take('ask')).toHaveLength(1)
  })
})

describe('a service that is late', () => {
  const late: BridgeEvent = { type: 'ServiceLate', service }

  it('excuses members of other services too where it is the own', () => {
    const elsewhere = 'pubsub.example.com'
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2, { service: elsewhere }) })
    dialogue
      .post(subscribedTo(2, { service: elsewhere }))
      .answerAsk(2)
      .answerPull(2, [busy])
    dialogue.pass(20_000).post(late).pass(29_999)
    expect(member(dialogue)?.life).toBe('alive')
  })

  it('excuses between two times that it is told of, however short grace is', () => {
    const liveness = { ...settings().liveness, graceMs: 500 }
    const dialogue = joined({ settings: { liveness } }).post(late).pass(1_000)
    dialogue.presence(2, false).pass(2_000).post(late).pass(3_000)
    expect(member(dialogue)?.life).toBe('suspected')
  })
})
