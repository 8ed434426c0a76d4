import { parse } from 'ltx'
import { describe, expect, it } from 'vitest'
import xml from '@xmpp/xml'
import { createNode } from '../../src/pubsub/create-node.js'
import { parseEvent } from '../../src/pubsub/event.js'
import { HeldSubscriptions } from '../../src/pubsub/held-subscriptions.js'
import { items } from '../../src/pubsub/items.js'
import { makeNode, NodeMisconfigured } from '../../src/pubsub/make-node.js'
import { publish } from '../../src/pubsub/publish.js'
import { retract } from '../../src/pubsub/retract.js'
import { subscribe } from '../../src/pubsub/subscribe.js'
import { RequestTimeout } from '../../src/xmpp/errors.js'
import { disconnect, FakeService, pubsubText, refuse } from './fake-service.js'

const pubsubXmlns = 'xmlns="http://jabber.org/protocol/pubsub"'

describe('verbs', () => {
  it('are written as XEP-0060 has them', async () => {
    const fake = new FakeService()
    await publish(fake.pubsub, 'n', '7', xml('x', { xmlns: 'urn:x' }))
    await retract(fake.pubsub, 'n', '7')
    await subscribe(fake.pubsub, 'n', 'a@b/c')
    await createNode(fake.pubsub, 'n', { 'pubsub#persist_items': '0' })
    expect(fake.texts).toEqual([
      `<pubsub ${pubsubXmlns}><publish node="n"><item id="7"><x xmlns="urn:x"/></item></publish></pubsub>`,
      `<pubsub ${pubsubXmlns}><retract node="n" notify="true"><item id="7"/></retract></pubsub>`,
      `<pubsub ${pubsubXmlns}><subscribe node="n" jid="a@b/c"/></pubsub>`,
      `<pubsub ${pubsubXmlns}><create node="n"/><configure><x xmlns="jabber:x:data" type="submit">` +
        '<field var="FORM_TYPE" type="hidden"><value>http://jabber.org/protocol/pubsub#node_config</value></field>' +
        '<field var="pubsub#persist_items"><value>0</value></field></x></configure></pubsub>',
    ])
    expect(fake.asked.map(({ to, type }) => `${type} ${to}`)).toEqual(
      Array<string>(4).fill('set pubsub.example.org'),
    )
  })

  it('a subscription that has to be approved is none', async () => {
    const fake = new FakeService()
    fake.answer = () => pubsubText("<subscription subscription='pending'/>")
    await expect(subscribe(fake.pubsub, 'n', 'a@b/c')).rejects.toMatchObject({
      condition: 'subscription-required',
      isTemporary: false,
    })
  })
})

describe('items', () => {
  const item = (id: number): string => `<item id='${id}' publisher='a@b'><x/></item>`
  const paged = (ids: number[], last: string, count: number): string =>
    pubsubText(
      `<items node='n'>${ids.map(item).join('')}</items>` +
        `<set xmlns='http://jabber.org/protocol/rsm'><last>${last}</last><count>${count}</count></set>`,
    )

  it('are read page by page where the service pages', async () => {
    const fake = new FakeService()
    const pages = [paged([1, 2], 'x', 3), paged([3], 'y', 3)]
    fake.answer = () => pages[fake.asked.length - 1] ?? disconnect()
    expect((await items(fake.pubsub, 'n')).map(({ id }) => id)).toEqual(['1', '2', '3'])
    expect(fake.texts.map((text) => /<after>(.*)<\/after>/.exec(text)?.[1])).toEqual([
      undefined,
      'x',
    ])
  })

  it('are read at once where it does not, and by id without paging', async () => {
    const fake = new FakeService()
    fake.answer = () => pubsubText(`<items node='n'>${item(1)}<item/></items>`)
    expect(await items(fake.pubsub, 'n')).toMatchObject([{ id: '1', publisher: 'a@b' }, { id: '' }])
    await items(fake.pubsub, 'n', ['1'])
    expect(fake.texts[1]).toBe(
      `<pubsub ${pubsubXmlns}><items node="n"><item id="1"/></items></pubsub>`,
    )
  })

  it('end where the service goes round in circles or says nothing', async () => {
    const fake = new FakeService()
    fake.answer = () => paged([1], 'same', 1_000_000)
    expect(await items(fake.pubsub, 'n')).toHaveLength(2)
    fake.answer = () => ''
    expect(await items(fake.pubsub, 'n')).toEqual([])
  })
})

describe('makeNode', () => {
  const wanted = {
    node: 'n',
    fields: { 'pubsub#persist_items': '1', 'pubsub#notify_delete': '1' },
    sizes: [1000, 256],
  }
  const configuration = (fields: Record<string, string>): string =>
    pubsubText(
      `<configure node='n'><x xmlns='jabber:x:data' type='form'>${Object.entries(fields)
        .map(([name, value]) => `<field var='pubsub#${name}'><value>${value}</value></field>`)
        .join('')}</x></configure>`,
      '#owner',
    )
  const verbOf = (text: string): string =>
    text.includes('<create') ? 'create' : text.includes('<field') ? 'configure' : 'read'
  const sizeOf = (text: string): string => /max_items"><value>(\d+)</.exec(text)?.[1] ?? ''
  const run = async (answer: (verb: string, size: string) => string) => {
    const fake = new FakeService()
    fake.answer = ({ text }) => answer(verbOf(text), sizeOf(text))
    const made = await makeNode(fake.pubsub, wanted).catch((error: unknown) => error)
    return { made, steps: fake.texts.map((text) => `${verbOf(text)} ${sizeOf(text)}`.trim()) }
  }

  it.each(['bad-request', 'resource-constraint', 'not-acceptable'])(
    'asks for less where the service refuses a size with %s',
    async (condition) => {
      const { made, steps } = await run((verb, size) => {
        if (verb === 'create') return size === '1000' ? refuse(condition) : ''
        return configuration({ persist_items: 'true', max_items: '256' })
      })
      expect(steps).toEqual(['create 1000', 'create 256', 'read'])
      expect(made).toEqual({
        configuration: new Map([
          ['pubsub#persist_items', '1'],
          ['pubsub#max_items', '256'],
        ]),
        wasMissing: true,
      })
    },
  )

  it('configures a node that exists with other settings', async () => {
    let isConfigured = false
    const { made, steps } = await run((verb) => {
      if (verb === 'create') return refuse('conflict')
      if (verb === 'configure') isConfigured = true
      return configuration({ persist_items: isConfigured ? '1' : '0', max_items: '1000' })
    })
    expect(steps).toEqual(['create 1000', 'read', 'configure 1000', 'read'])
    expect(made).toMatchObject({ wasMissing: true })
  })

  it('leaves a node alone that is as it should be', async () => {
    const { made, steps } = await run((verb) =>
      verb === 'create'
        ? refuse('conflict')
        : configuration({ persist_items: '1', max_items: '1000' }),
    )
    expect(steps).toEqual(['create 1000', 'read', 'read'])
    expect(made).toMatchObject({ wasMissing: false })
  })

  it('says which setting the service keeps otherwise, if the node cannot work so (rule 17)', async () => {
    const { made } = await run((verb) => {
      if (verb === 'create') return refuse('conflict')
      return verb === 'configure' ? '' : configuration({ persist_items: '0', notify_delete: '0' })
    })
    expect(made).toBeInstanceOf(NodeMisconfigured)
    expect((made as Error).message).toBe(
      'the service keeps n with pubsub#persist_items=0: correct or delete the node there',
    )
  })

  it('passes on what is no question of size', async () => {
    const { made, steps } = await run(() => refuse('forbidden', 'auth'))
    expect(made).toMatchObject({ condition: 'forbidden' })
    expect(steps).toEqual(['create 1000'])
  })
})

describe('parseEvent', () => {
  const message = (inner: string, type = 'headline') =>
    parse(
      `<message type='${type}'><event xmlns='http://jabber.org/protocol/pubsub#event'>${inner}</event></message>`,
    )

  it.each([
    [
      "<items node='n'><item id='1' publisher='p'/></items>",
      [{ type: 'items', node: 'n', items: [{ id: '1', publisher: 'p' }] }],
    ],
    ["<items node='n'><retract id='1'/></items>", [{ type: 'retracted', node: 'n' }]],
    ["<purge node='n'/>", [{ type: 'purged', node: 'n' }]],
    ["<delete node='n'><redirect uri='x'/></delete>", [{ type: 'deleted', node: 'n' }]],
    [
      "<subscription node='n' jid='j' subscription='none'/>",
      [{ type: 'unsubscribed', node: 'n', jid: 'j' }],
    ],
    ["<subscription node='n' jid='j' subscription='subscribed'/>", []],
    ["<configuration node='n'/>", []],
    ["<items><item id='1'/></items>", []],
  ])('%s', (inner, events) => {
    expect(parseEvent(message(inner))).toEqual(events)
  })

  it('takes nothing from an error or from another message', () => {
    expect(parseEvent(message("<purge node='n'/>", 'error'))).toEqual([])
    expect(parseEvent(parse('<message><body>hello</body></message>'))).toEqual([])
  })
})

describe('HeldSubscriptions', () => {
  const jid = 'Pbx-a@example.org/X'
  const listed = (node: string, of = 'pbx-a@example.org/X'): string =>
    `<subscription node='${node}' jid='${of}' subscription='subscribed'/>`
  const setUp = () => {
    const fake = new FakeService()
    fake.answer = ({ text }) =>
      text.includes('<subscriptions')
        ? pubsubText(
            `<subscriptions>${listed('held')}${listed('other', 'pbx-a@example.org/x')}</subscriptions>`,
          )
        : ''
    return { fake, held: new HeldSubscriptions() }
  }
  const verbs = (fake: FakeService): string[] =>
    fake.texts.map((text) => /<(subscriptions|subscribe node="\w+")/.exec(text)?.[1] ?? '')

  it('reads once, and adds only what is missing (rule 17)', async () => {
    const { fake, held } = setUp()
    await Promise.all(['held', 'other', 'new'].map((node) => held.ensure(fake.pubsub, node, jid)))
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['subscriptions', 'subscribe node="other"', 'subscribe node="new"'])
  })

  it('subscribes anew to what it was told is gone, and reads anew what is doubted', async () => {
    const { fake, held } = setUp()
    await held.ensure(fake.pubsub, 'held', jid)
    await held.forget('pubsub.example.org', 'held')
    await held.ensure(fake.pubsub, 'held', jid)
    held.doubt('pubsub.example.org')
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['subscriptions', 'subscribe node="held"', 'subscriptions'])
    // COMPAT Prosody: it lists what it has deleted.
    await held.forget('pubsub.example.org', 'held')
    held.doubt('pubsub.example.org')
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake).slice(3)).toEqual(['subscriptions', 'subscribe node="held"'])
  })

  it('remembers nothing of nodes that it never held, however many it is told are gone', async () => {
    const { fake, held } = setUp()
    await held.ensure(fake.pubsub, 'held', jid)
    await held.forget('pubsub.example.org', 'new')
    fake.answer = () => pubsubText(`<subscriptions>${listed('new')}</subscriptions>`)
    held.doubt('pubsub.example.org')
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['subscriptions', 'subscriptions'])
  })

  it('subscribes anew where that is asked for, whatever the service lists (COMPAT Prosody)', async () => {
    const { fake, held } = setUp()
    await held.ensure(fake.pubsub, 'held', jid)
    await held.renew(fake.pubsub, 'held', jid)
    await held.renew(fake.pubsub, 'new', jid)
    await held.ensure(fake.pubsub, 'new', jid)
    expect(verbs(fake)).toEqual(['subscriptions', 'subscribe node="held"', 'subscribe node="new"'])
  })

  it('subscribes anew where the service gives no answer to what is held (COMPAT Prosody)', async () => {
    const { fake, held } = setUp()
    fake.answer = ({ text }) => {
      if (text.includes('<subscriptions')) throw new RequestTimeout('pubsub.example.org', 1_000)
      return ''
    }
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['subscriptions', 'subscribe node="held"'])
  })

  it('reads again after a failure that passes, and does without where it cannot read', async () => {
    const { fake, held } = setUp()
    fake.answer = disconnect
    await expect(held.ensure(fake.pubsub, 'held', jid)).rejects.toMatchObject({
      condition: 'disconnected',
    })
    fake.answer = ({ text }) =>
      text.includes('<subscriptions') ? refuse('feature-not-implemented') : ''
    await held.ensure(fake.pubsub, 'held', jid)
    expect(verbs(fake)).toEqual(['subscriptions', 'subscriptions', 'subscribe node="held"'])
  })
})
