import { describe, expect, it } from 'vitest'
import { Dialogue, emptyBatch, epochOf, memberItem, statusOf, subscribedTo } from './harness.js'
import { device, eidOf, fullJidOf, jidOf, mailbox } from './settings.js'

const b = eidOf(2)
const counts = [mailbox('1@default', 2)]

/** Member 2 was in sync, has died, and is forgotten; its item and retained counts stay on the server. */
function forgotten() {
  const dialogue = new Dialogue().ready().joined(2, counts)
  dialogue.answerInjections()
  dialogue.clear().pass(30_000)
  expect(dialogue.bridge.overview().members[0]?.life).toBe('dead')
  dialogue.clear().post({ type: 'ForgetRequested', member: jidOf(2) })
  const [kept] = dialogue.take('forget')
  if (!kept) throw new Error('the journal was not told')
  return { dialogue, kept }
}

/** The bridge after a restart: it reads the item of the member that was forgotten. */
const restarted = (item = memberItem(2)): Dialogue =>
  new Dialogue({ forgotten: [forgotten().kept] }).ready([], item)

describe('a member that was forgotten', () => {
  it('is kept in the journal with its epochs, before its counts are withdrawn (rule 22)', () => {
    const { dialogue, kept } = forgotten()
    expect(kept).toEqual({ to: 'journal', do: 'forget', jid: jidOf(2), epochs: [epochOf(2)] })
    expect(dialogue.injected()).toEqual([`${b} 1@default 0/0`])
  })

  it('stays so over a restart: it is asked whether it lives, and nothing of it is read', () => {
    const dialogue = restarted().failAsk()
    expect(dialogue.bridge.overview().members).toEqual([])
    expect(dialogue.take('subscribe')).toEqual([])
    expect(dialogue.take('readWindow')).toEqual([])
    dialogue.post({ type: 'MembersRead', items: [memberItem(2)] }).failAsk()
    expect(dialogue.bridge.overview().members).toEqual([])
  })

  it('is believed again with a new epoch', () => {
    const dialogue = restarted(memberItem(2, { epoch: epochOf(2, 2) }))
    expect(dialogue.takeOne('subscribe').member).toBe(jidOf(2))
  })

  it('is believed again where it was parted only, and answers in the epoch of before', () => {
    const dialogue = restarted()
    dialogue.answerAsk(2)
    expect(dialogue.takeOne('forget')).toMatchObject({ jid: jidOf(2), epochs: [] })
    expect(dialogue.takeOne('subscribe').member).toBe(jidOf(2))
    dialogue.post(subscribedTo(2)).answerAsk(2)
    dialogue.answerPull(2, [device('PJSIP/1', 'BUSY')])
    expect(dialogue.injected()).toEqual([`${b} PJSIP/1 BUSY`])
  })

  it('is not believed where somebody else answers', () => {
    const dialogue = restarted()
    dialogue.answerAsk(2, { eid: eidOf(3) })
    expect(dialogue.bridge.overview().members).toEqual([])
  })

  it('by its EID is the one whose item names that EID', () => {
    const dialogue = new Dialogue().ready([], memberItem(2))
    expect(dialogue.bridge.itemIdOf(b)).toBe(jidOf(2))
    dialogue.post({ type: 'ForgetRequested', member: b })
    expect(dialogue.takeOne('forget')).toMatchObject({ jid: jidOf(2), epochs: [epochOf(2)] })
    expect(dialogue.bridge.itemIdOf(eidOf(7))).toBeUndefined()
  })

  it('has an item that can be named again, and it is never the own one', () => {
    const own = memberItem(1)
    const dialogue = new Dialogue({ forgotten: [forgotten().kept] }).ready([], own, memberItem(2))
    expect([jidOf(2), b].map((who) => dialogue.bridge.itemIdOf(who))).toEqual([jidOf(2), jidOf(2)])
    expect([jidOf(1), eidOf(1)].map((who) => dialogue.bridge.itemIdOf(who))).toEqual([
      ...[undefined, undefined],
    ])
  })
})

/** Member 2 was in sync, and the item of its next run is there before it is heard that the last one leaves. */
describe('a member that left and is there again', () => {
  const next = memberItem(2, { epoch: epochOf(2, 2), publisher: jidOf(2) })
  const leaving = statusOf(2, { phase: 'leaving' })
  const from = fullJidOf(2)
  const joined = (): Dialogue => new Dialogue().ready().joined(2, counts).clear()
  const met = (dialogue: Dialogue): Dialogue =>
    dialogue.post({ type: 'MemberItemReceived', item: next })

  it.each<[string, () => Dialogue]>([
    [
      'an answer',
      () => {
        const dialogue = joined().post({ type: 'PresenceReceived', from, isAvailable: true })
        const { token } = dialogue.takeOne('ask')
        return met(dialogue).post({ type: 'StatusReceived', token, from, status: leaving })
      },
    ],
    [
      'a page',
      () => {
        const dialogue = joined().batch(2, 3)
        const { token } = dialogue.takeOne('pull')
        const page = { ...leaving, entries: [], isLast: true }
        return met(dialogue).post({ type: 'PageReceived', token, from, page })
      },
    ],
    ['a goodbye', () => met(joined()).receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2))],
  ])(
    'is asked, and taken in, though %s of its last run came late (rules 12 and 24)',
    (_, leave) => {
      const dialogue = leave()
      expect(dialogue.bridge.overview().members).toEqual([])
      dialogue.clear().post({ type: 'MembersRead', items: [next] })
      dialogue.answerAsk(2, { epoch: next.epoch })
      expect(dialogue.takeOne('subscribe').member).toBe(jidOf(2))
      dialogue.post(subscribedTo(2)).answerAsk(2, { epoch: next.epoch })
      dialogue.answerPull(2, [device('PJSIP/1', 'BUSY')], { epoch: next.epoch })
      expect(dialogue.bridge.overview().members).toMatchObject([{ life: 'alive', isSynced: true }])
      // The journal knows of those only that an administrator had forgotten.
      expect(dialogue.take('forget')).toEqual([])
    },
  )

  it('is left out while it answers that it is leaving, or not at all', () => {
    const dialogue = joined()
      .receive({ ...emptyBatch(2, 2), isBye: true }, jidOf(2))
      .clear()
    const read = (): Dialogue => dialogue.post({ type: 'MembersRead', items: [memberItem(2)] })
    read().answerAsk(2, { phase: 'leaving' })
    read().failAsk()
    expect(dialogue.bridge.overview().members).toEqual([])
    expect(dialogue.take('subscribe')).toEqual([])
  })
})
