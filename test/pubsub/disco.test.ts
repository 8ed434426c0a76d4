import { describe, expect, it } from 'vitest'
import { affiliations } from '../../src/pubsub/affiliations.js'
import { discoInfo, discoItems } from '../../src/pubsub/disco.js'
import { FakeService, pubsubText } from './fake-service.js'

const info = 'http://jabber.org/protocol/disco#info'
const items = 'http://jabber.org/protocol/disco#items'

describe('service discovery (XEP-0030)', () => {
  it('tells identities and features', async () => {
    const iq = new FakeService()
    iq.answer = () =>
      `<query xmlns='${info}'><identity category='pubsub' type='service' name='P'/><feature var='a'/><feature/></query>`
    expect(await discoInfo(iq, 'pubsub.a', 1_000)).toEqual({
      identities: [{ type: 'pubsub/service', name: 'P' }],
      features: ['a'],
    })
    expect(iq.asked).toEqual([{ to: 'pubsub.a', type: 'get', text: `<query xmlns="${info}"/>` }])
  })

  it('tells items, with nodes where they have one', async () => {
    const iq = new FakeService()
    iq.answer = () =>
      `<query xmlns='${items}'><item jid='pubsub.a' node='n' name='N'/><item jid='b'/><item node='lost'/></query>`
    expect(await discoItems(iq, 'a', 1_000)).toEqual([
      { jid: 'pubsub.a', node: 'n', name: 'N' },
      { jid: 'b' },
    ])
  })

  it('takes nothing from an empty answer', async () => {
    expect(await discoItems(new FakeService(), 'a', 1_000)).toEqual([])
    expect(await discoInfo(new FakeService(), 'a', 1_000)).toEqual({ identities: [], features: [] })
  })
})

describe('affiliations (XEP-0060 §8.9.1)', () => {
  it('are read as their owner asks for them', async () => {
    const iq = new FakeService()
    iq.answer = () =>
      pubsubText(
        `<affiliations node='n'><affiliation jid='a@b' affiliation='owner'/><affiliation jid='c@b'/></affiliations>`,
        '#owner',
      )
    expect(await affiliations(iq.pubsub, 'n')).toEqual([{ jid: 'a@b', affiliation: 'owner' }])
    expect(iq.texts).toEqual([
      '<pubsub xmlns="http://jabber.org/protocol/pubsub#owner"><affiliations node="n"/></pubsub>',
    ])
  })
})
