import { describe, expect, it } from 'vitest'
import { HeldSubscriptions } from '../../src/pubsub/held-subscriptions.js'
import { RequestTimeout } from '../../src/xmpp/errors.js'
import { disconnect, FakeService, pubsubText, refuse } from './fake-service.js'

const jid = 'Pbx-a@example.org/X'
const at = 'pubsub.example.org'

/** A service that lists what it is told to, whatever becomes of it. */
function setUp(list: Readonly<Record<string, string>> = { held: 'pbx-a@example.org/X' }) {
  const fake = new FakeService()
  fake.answer = ({ text }) => {
    const node = /<subscriptions node="(\w+)"/.exec(text)?.[1]
    if (node === undefined) return ''
    const of = list[node]
    const listed = of === undefined ? '' : `<subscription jid='${of}' subscription='subscribed'/>`
    return pubsubText(`<subscriptions>${listed}</subscriptions>`)
  }
  const logged: object[] = []
  const ignore = (): void => undefined
  const log = {
    ...{ debug: ignore, warn: ignore, error: ignore },
    info: (fields: object) => void logged.push(fields),
  }
  return { fake, logged, held: new HeldSubscriptions(log) }
}

/** What was asked: `? node` for whether it is held, `+ node` to subscribe. */
const verbs = (fake: FakeService): string[] =>
  fake.texts.map((text) => {
    const [, verb, node = ''] = /<(subscriptions|subscribe) node="(\w+)"/.exec(text) ?? []
    return `${verb === 'subscribe' ? '+' : '?'} ${node}`
  })

describe('HeldSubscriptions', () => {
  it('asks for each node once, and adds only what is missing (rule 17)', async () => {
    const { fake, held } = setUp({ held: 'pbx-a@example.org/X', other: 'pbx-a@example.org/x' })
    for (const node of ['held', 'other', 'new', 'held', 'new']) {
      await held.ensure(fake.pubsub, node, jid)
    }
    expect(verbs(fake)).toEqual(['? held', '? other', '+ other', '? new', '+ new'])
  })

  it('never asks for all of the account: Prosody 0.12 may not answer that', async () => {
    const { fake, held } = setUp()
    await held.ensure(fake.pubsub, 'held', jid)
    held.doubt(at)
    await held.ensure(fake.pubsub, 'new', jid)
    expect(fake.texts.filter((text) => text.includes('<subscriptions/>'))).toEqual([])
  })

  it('subscribes anew to what it was told is gone, and asks anew for what is doubted', async () => {
    const { fake, held } = setUp()
    await held.ensure(fake.pubsub, 'held', jid)
    held.forget(at, 'held')
    await held.ensure(fake.pubsub, 'held', jid)
    held.doubt(at)
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['? held', '+ held', '? held'])
    // COMPAT Prosody: it lists what it has deleted.
    held.forget(at, 'held')
    held.doubt(at)
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake).slice(3)).toEqual(['+ held'])
  })

  it('subscribes to what goes while it is asked for', async () => {
    const { fake, held } = setUp()
    const ensured = held.ensure(fake.pubsub, 'held', jid)
    held.forget(at, 'held')
    await ensured
    expect(verbs(fake)).toEqual(['? held', '+ held'])
  })

  it('subscribes anew to what was unsubscribed from while the subscribe was under way', async () => {
    const { fake, held } = setUp()
    const renewed = held.renew(fake.pubsub, 'new', jid)
    held.release(at, 'new')
    await renewed
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['+ new', '+ new'])
  })

  it('does not take the answer to a former subscribe for that to the present one', async () => {
    const { fake, held } = setUp()
    const former = held.renew(fake.pubsub, 'new', jid)
    held.release(at, 'new')
    fake.answer = disconnect
    await expect(held.renew(fake.pubsub, 'new', jid)).rejects.toMatchObject({
      condition: 'disconnected',
    })
    await former
    fake.answer = () => ''
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['+ new', '+ new', '+ new'])
  })

  it('does not subscribe to what was unsubscribed from while it was asked for: that would stay behind', async () => {
    const { fake, held } = setUp()
    const ensured = held.ensure(fake.pubsub, 'new', jid)
    held.release(at, 'new')
    // As the service may say of that.
    held.forget(at, 'new')
    await ensured
    expect(verbs(fake)).toEqual(['? new'])
    // Who comes back is followed anew, whatever the service lists.
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['? new', '+ new'])
  })

  it('remembers nothing of nodes that it never wanted, however many it is told are gone', async () => {
    const { fake, held } = setUp()
    held.forget(at, 'held')
    held.release(at, 'held')
    expect(held.knows(at)).toBe(false)
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['? held'])
  })

  it('subscribes anew where that is asked for, whatever the service lists (COMPAT Prosody)', async () => {
    const { fake, held } = setUp()
    await held.ensure(fake.pubsub, 'held', jid)
    await held.renew(fake.pubsub, 'held', jid)
    await held.renew(fake.pubsub, 'new', jid)
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['? held', '+ held', '+ new'])
  })

  it('subscribes, and says so, where the service gives no answer to what is held', async () => {
    const { fake, held, logged } = setUp()
    fake.answer = ({ text }) => {
      if (text.includes('<subscriptions')) throw new RequestTimeout(at, 1_000)
      return ''
    }
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['? held', '+ held'])
    expect(logged).toEqual([{ node: 'held', service: at }])
  })

  it('asks again after a failure that passes, and does without where it may not ask', async () => {
    const { fake, held } = setUp()
    fake.answer = disconnect
    await expect(held.ensure(fake.pubsub, 'held', jid)).rejects.toMatchObject({
      condition: 'disconnected',
    })
    fake.answer = ({ text }) =>
      text.includes('<subscriptions') ? refuse('feature-not-implemented') : ''
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['? held', '? held', '+ held'])
  })
})
