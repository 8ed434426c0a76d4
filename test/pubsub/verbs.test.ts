import { parse } from 'ltx'
import { describe, expect, it } from 'vitest'
import xml from '@xmpp/xml'
import { createNode } from '../../src/pubsub/create-node.js'
import { dropNode } from '../../src/pubsub/drop-node.js'
import { parseEvent } from '../../src/pubsub/event.js'
import { items, itemsOfAll } from '../../src/pubsub/items.js'
import { makeNode, NodeMisconfigured } from '../../src/pubsub/make-node.js'
import { publish } from '../../src/pubsub/publish.js'
import { retract } from '../../src/pubsub/retract.js'
import { subscribe } from '../../src/pubsub/subscribe.js'
import { subscriptions } from '../../src/pubsub/subscriptions.js'
import { AnswerTooBig, RequestTimeout } from '../../src/xmpp/errors.js'
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

describe('items of a node to which anybody may publish', () => {
  const ids = Array.from({ length: 150 }, (_, index) => `i${index}`)
  const disco = 'http://jabber.org/protocol/disco#items'

  it('that are too big together are read in parts, without those that are too big alone', async () => {
    const fake = new FakeService()
    fake.answer = ({ text }) => {
      if (text.includes(disco)) {
        const listed = ids.map((id) => `<item jid='pubsub.example.org' name='${id}'/>`)
        return `<query xmlns='${disco}' node='n'>${listed.join('')}</query>`
      }
      const wanted = [...text.matchAll(/<item id="(\w+)"/g)].map(([, id = '']) => id)
      if (wanted.length === 0 || wanted.includes('i70') || wanted.includes('i71')) {
        throw new AnswerTooBig('pubsub.example.org', 'more than 32 elements within each other')
      }
      return pubsubText(
        `<items node='n'>${wanted.map((id) => `<item id='${id}'/>`).join('')}</items>`,
      )
    }
    const tooBig: string[] = []
    const found = await itemsOfAll(fake.pubsub, 'n', (id) => tooBig.push(id))
    expect(tooBig).toEqual(['i70', 'i71'])
    expect(found.map(({ id }) => id)).toEqual(ids.filter((id) => !tooBig.includes(id)))
    expect(fake.asked.length).toBeLessThan(20)
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
        isNew: true,
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
    expect(steps).toEqual(['create 1000', 'read'])
    expect(made).toMatchObject({ isNew: false, wasMissing: false })
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

describe('subscriptions', () => {
  it('to one node are listed as Prosody and as ejabberd spells them', async () => {
    const fake = new FakeService()
    const listed = (rest: string): string => `<subscription jid='a@b/c' ${rest}/>`
    fake.answer = () =>
      pubsubText(
        `<subscriptions>${listed("subscription='subscribed'")}${listed("subscription='pending'")}` +
          `${listed("node='n' subscription='subscribed'")}${listed("node='m' subscription='subscribed'")}</subscriptions>`,
      )
    expect(await subscriptions(fake.pubsub, 'n')).toEqual(['a@b/c', 'a@b/c'])
    expect(fake.texts).toEqual([`<pubsub ${pubsubXmlns}><subscriptions node="n"/></pubsub>`])
  })
})

describe('dropping a node', () => {
  const ownerXmlns = 'xmlns="http://jabber.org/protocol/pubsub#owner"'
  const deletion = `set <pubsub ${ownerXmlns}><delete node="n"/></pubsub>`
  const dialogue = ({ asked }: FakeService): string[] =>
    asked.map(({ type, text }) => `${type} ${text}`)

  it('ends all subscriptions to it first: Prosody would keep them for ever', async () => {
    const fake = new FakeService()
    fake.answer = ({ type }) =>
      type === 'get'
        ? pubsubText(
            `<subscriptions node='n'><subscription jid='a@b/c'/><subscription jid='d@e'/></subscriptions>`,
            '#owner',
          )
        : ''
    await dropNode(fake.pubsub, 'n')
    expect(dialogue(fake)).toEqual([
      `get <pubsub ${ownerXmlns}><subscriptions node="n"/></pubsub>`,
      `set <pubsub ${ownerXmlns}><subscriptions node="n">` +
        `<subscription jid="a@b/c" subscription="none"/><subscription jid="d@e" subscription="none"/></subscriptions></pubsub>`,
      deletion,
    ])
  })

  it('waits a second for each of the two at most, so that the deletion goes out in any case', async () => {
    const fake = new FakeService()
    fake.answer = ({ type, text }) => {
      if (text.includes('<delete')) return ''
      if (type === 'set') throw new RequestTimeout('pubsub.example.org', 1_000)
      return pubsubText(`<subscriptions><subscription jid='a@b/c'/></subscriptions>`, '#owner')
    }
    await dropNode({ ...fake.pubsub, timeoutMs: 10_000 }, 'n')
    expect(fake.timeoutsMs).toEqual([1_000, 1_000, 10_000])
    expect(dialogue(fake).at(-1)).toBe(deletion)
    await dropNode({ ...fake.pubsub, timeoutMs: 200 }, 'n')
    expect(fake.timeoutsMs.slice(3)).toEqual([200, 200, 200])
  })

  it('goes on where those cannot be ended, and fails as the deletion does', async () => {
    const fake = new FakeService()
    fake.answer = ({ text }) =>
      text.includes('<delete') ? refuse('item-not-found') : refuse('forbidden', 'auth')
    await expect(dropNode(fake.pubsub, 'n')).rejects.toMatchObject({ condition: 'item-not-found' })
    expect(dialogue(fake).at(-1)).toBe(deletion)
  })
})
