/** Who may read the own nodes: trusted accounts that show themselves, inspectors, and nobody else. */
import { describe, expect, it } from 'vitest'
import { Dialogue, failed, memberItem, subscribedTo } from './harness.js'
import { eidOf, fullJidOf, jidOf, settings } from './settings.js'

const stranger = 'mallory@example.org'
const vouched = (number: number) => memberItem(number, { publisher: jidOf(number) })

/** In sync and alone; the test answers for the service from now on. */
const alone = (changed: ConstructorParameters<typeof Dialogue>[0] = {}): Dialogue =>
  new Dialogue({ ...changed, setsReaders: false }).ready()

const named = (dialogue: Dialogue): readonly string[] | undefined =>
  dialogue.take('setReaders').at(-1)?.readers

describe('who may read the own nodes', () => {
  it('is nobody at first, and the inspectors of the configuration', () => {
    expect(named(alone())).toEqual([])
    const inspectors = ['ops@example.org']
    expect(named(alone({ settings: { inspectors } }))).toEqual(inspectors)
  })

  it.each<[string, (dialogue: Dialogue) => Dialogue]>([
    ['its item', (each) => each.post({ type: 'MemberItemReceived', item: vouched(2) })],
    ['its presence', (each) => each.presence(2, true)],
    [
      'its question',
      (each) => each.post({ type: 'StatusRequested', request: 1, from: fullJidOf(2) }),
    ],
  ])('is a trusted account that shows itself by %s', (_, show) => {
    const dialogue = alone().setReaders()
    expect(named(show(dialogue))).toEqual([jidOf(2)])
    expect(named(show(dialogue))).toBeUndefined()
  })

  it('is no stranger, no account that claims the own EID, and none whose item another may have written', () => {
    const dialogue = alone().setReaders()
    dialogue.post({ type: 'PresenceReceived', from: `${stranger}/x`, isAvailable: true })
    dialogue.post({ type: 'StatusRequested', request: 1, from: `${stranger}/x` })
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(2, { id: stranger }) })
    const from = `${jidOf(3)}/${eidOf(1)}`
    dialogue.post({ type: 'PresenceReceived', from, isAvailable: true })
    dialogue.post({ type: 'MemberItemReceived', item: memberItem(4) })
    expect(named(dialogue)).toBeUndefined()
  })

  it('is told of this member when it has been admitted, so that it subscribes then', () => {
    const dialogue = alone().setReaders().clear().presence(2, true)
    expect(dialogue.take('present')).toEqual([])
    dialogue.setReaders()
    expect(dialogue.take('present')).toMatchObject([{ jid: fullJidOf(2), isAvailable: true }])
  })

  it('is told all the same where the service does not do it, and what to do is said', () => {
    const dialogue = alone().setReaders().clear().presence(2, true)
    dialogue.post({ type: 'ReadersFailed', failure: failed('not-acceptable', false) })
    expect(dialogue.take('present')).toHaveLength(1)
    expect(dialogue.health('readers')).toContain('not-acceptable')
    expect(dialogue.pass(30_000).take('makeOwnNodes')).toHaveLength(1)
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 }).setReaders()
    expect(dialogue.health('readers')).toBeUndefined()
  })

  it('is told of this member where the nodes show that it was admitted, as by a request whose answer was not awaited', () => {
    const dialogue = alone().setReaders().clear().presence(2, true)
    expect(dialogue.take('present')).toEqual([])
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256, readers: [jidOf(2)] })
    expect(dialogue.take('present')).toMatchObject([{ jid: fullJidOf(2), isAvailable: true }])
  })

  it('is told all the same while the nodes cannot be looked at, and named when they were', () => {
    const dialogue = alone().setReaders().clear().presence(2, true)
    dialogue.post({ type: 'OwnNodesFailed', failure: failed('timeout', true) })
    expect(dialogue.take('present')).toHaveLength(1)
    expect(named(dialogue.clear().presence(3, true))).toBeUndefined()
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 })
    expect(named(dialogue)).toEqual([jidOf(2), jidOf(3)])
  })

  it('is told once more where it was told before the nodes were there', () => {
    const dialogue = new Dialogue({ setsReaders: false }).found()
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) }).presence(2, true)
    expect(dialogue.take('present')).toHaveLength(1)
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 })
    dialogue.post({ type: 'MembersRead', items: [] }).setReaders()
    expect(dialogue.take('present')).toMatchObject([{ jid: fullJidOf(2), isAvailable: true }])
  })

  it('was admitted by an earlier run, or followed an open feed, and stays if it shows itself', () => {
    const dialogue = new Dialogue({ setsReaders: false }).found()
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue.post({
      type: 'OwnNodesMade',
      windowItems: 256,
      readers: [jidOf(2), stranger],
      subscribers: [jidOf(3), jidOf(4), stranger],
    })
    dialogue.post({ type: 'MembersRead', items: [vouched(2)] })
    expect(named(dialogue)).toEqual([jidOf(2), jidOf(3), jidOf(4)])
    dialogue.presence(3, true).passFenced(60_000)
    expect(named(dialogue)).toEqual([jidOf(2), jidOf(3)])
  })

  it.each<[string, (dialogue: Dialogue) => Dialogue]>([
    ['is no longer trusted', (each) => each.reload({ isTrusted: () => false })],
    ['is forgotten', (each) => each.post({ type: 'ForgetRequested', member: jidOf(2) })],
    [
      'leaves',
      (each) =>
        each.receive(
          { eid: eidOf(2), epoch: memberItem(2).epoch, sequence: 2, isBye: true, entries: [] },
          jidOf(2),
        ),
    ],
  ])('is none any more that %s, and its last questions are not taken for more', (_, end) => {
    const dialogue = alone().setReaders()
    dialogue.post({ type: 'MemberItemReceived', item: vouched(2) }).setReaders()
    dialogue.post(subscribedTo(2)).answerAsk(2).answerPull(2, [])
    expect(named(end(dialogue))).toEqual([])
    dialogue.post({ type: 'StatusRequested', request: 1, from: fullJidOf(2) })
    expect(named(dialogue)).toBeUndefined()
  })

  it('is whom the configuration names after SIGHUP', () => {
    const dialogue = alone().setReaders()
    dialogue.reload({ inspectors: ['ops@example.org'] })
    expect(named(dialogue)).toEqual(['ops@example.org'])
    expect(named(dialogue.reload({}))).toEqual([])
  })

  it('is not said by a member whose EID another holds', () => {
    const dialogue = new Dialogue({ setsReaders: false }).found()
    const rival = memberItem(2, { eid: eidOf(1), jid: `${jidOf(2)}/${eidOf(1)}` })
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue.post({ type: 'OwnNodesMade', windowItems: 256 })
    dialogue.post({ type: 'MembersRead', items: [rival] })
    const { token } = dialogue.takeOne('ask')
    const status = { eid: eidOf(1), epoch: rival.epoch, sequence: 1, phase: 'ready' } as const
    dialogue.post({ type: 'StatusReceived', token, from: rival.jid, status })
    expect(named(dialogue.presence(3, true))).toBeUndefined()
    expect(settings().inspectors).toEqual([])
  })
})

describe('a feed that does not admit this member yet', () => {
  it('is asked for again soon, without a complaint, and at once when its member shows itself', () => {
    const dialogue = new Dialogue().ready([], memberItem(2)).clear()
    const refuse = (): Dialogue =>
      dialogue.post({
        type: 'SubscribeFailed',
        ...{ member: jidOf(2), service: settings().service, eid: eidOf(2) },
        failure: failed('forbidden', false),
      })
    refuse()
    expect(dialogue.health(`member:${jidOf(2)}`)).toBeUndefined()
    expect(dialogue.pass(749).take('subscribe')).toEqual([])
    expect(dialogue.pass(1).take('subscribe')).toHaveLength(1)
    // It shows itself while the answer is under way.
    dialogue.presence(2, true)
    expect(refuse().pass(0).take('subscribe')).toHaveLength(1)
    refuse()
    expect(dialogue.presence(2, true).take('subscribe')).toHaveLength(1)
    for (let times = 0; times < 2; times += 1) refuse().pass(10_000)
    expect(dialogue.health(`member:${jidOf(2)}`)).toContain(`does trust there name ${jidOf(1)}?`)
  })
})
