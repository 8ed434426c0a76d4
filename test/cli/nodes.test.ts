import xml, { type Element } from '@xmpp/xml'
import { describe, expect, it } from 'vitest'
import { describeItem } from '../../src/cli/nodes/describe.js'
import { listNodes, readNode, readRawNode } from '../../src/cli/nodes/read.js'
import { renderNode, renderNodes } from '../../src/cli/nodes/render.js'
import { RequestTimeout } from '../../src/xmpp/errors.js'
import { disconnect, FakeService, pubsubText, refuse } from '../pubsub/fake-service.js'

const eid = '02:00:00:00:00:0a'
const clusterOf = (iq: FakeService) => ({
  own: iq.pubsub,
  root: 'asterisk',
  jid: 'pbx-a@a',
  isTrusted: (jid: string) => jid.startsWith('pbx-'),
})
const style = { width: 80, hasColour: false }
const state = (text: string, more: Record<string, string> = {}): Element =>
  xml('state', { xmlns: 'http://asterisk.org', eid, cachable: '1', ...more }, text)
const say = (node: string, id: string, payload: Element): string =>
  describeItem({ id, payload }, 'asterisk', `asterisk/${node}`)

describe('an item of a node', () => {
  it('is said in a word', () => {
    expect(say(`${eid}/device_state`, 'PJSIP/1', state('INUSE'))).toBe('INUSE')
    const live = state('INUSE', { cachable: '0' })
    expect(say(`${eid}/device_state`, 'PJSIP/1', live)).toBe('INUSE (uncachable)')
    const mailbox = xml(
      'mailbox',
      { xmlns: 'http://asterisk.org', eid },
      xml('NEWMSGS', {}, '2'),
      xml('OLDMSGS', {}, '1'),
    )
    expect(say(`${eid}/message_waiting`, '1@default', mailbox)).toBe('2 new, 1 old')
  })

  it('that a bridge would refuse says why', () => {
    const stolen = state('INUSE', { eid: '02:00:00:00:00:0b' })
    expect(say(`${eid}/device_state`, 'PJSIP/1', stolen)).toMatch(/^refused: .*02:00:00:00:00:0b/)
    expect(say(`${eid}/device_state`, 'PJSIP/1', state('PURPLE'))).toMatch(/^refused: .*PURPLE/)
  })

  it('of a node that is none of the cluster is shown as it is', () => {
    expect(say('doctor/pbx-a', 'x', xml('doctor'))).toBe('<doctor/>')
  })
})

describe('the nodes', () => {
  function service(): FakeService {
    const member = `<member xmlns='urn:hintbridge:1' eid='${eid}' name='host' jid='pbx-a@a/x' service='pubsub.a' epoch='${'0'.repeat(32)}' version='1'/>`
    const iq = new FakeService()
    iq.answer = ({ text }) => {
      if (text.includes('disco#items')) {
        const node = (name: string): string => `<item jid='pubsub.a' node='${name}'/>`
        const names = ['asterisk/members', 'asterisk/left-over', 'other/node'].map(node).join('')
        return `<query xmlns='http://jabber.org/protocol/disco#items'>${names}</query>`
      }
      if (text.includes('pubsub#owner')) return refuse('forbidden', 'auth')
      if (text.includes('"asterisk/members"')) {
        return pubsubText(`<items node='x'><item id='pbx-a@a'>${member}</item></items>`)
      }
      if (text.includes('/feed"')) return refuse('feature-not-implemented')
      if (text.includes('/message_waiting"')) return refuse('item-not-found')
      return pubsubText(`<items node='x'><item id='a'/><item id='b'/></items>`)
    }
    return iq
  }

  it('are those of the members and what else lies under the root', async () => {
    const list = await listNodes(clusterOf(service()))
    expect(
      renderNodes(list, style)
        .split('\n')
        .map((line) => line.trimEnd()),
    ).toEqual([
      'NODE                                        ITEMS  MEMBER',
      'asterisk/members                                1',
      `asterisk/${eid}/feed                 0  host`,
      `asterisk/${eid}/device_state         2  host`,
      `asterisk/${eid}/message_waiting      -  host: item-not-found`,
      'asterisk/left-over                              2',
    ])
  })

  it('of another say what only its owners may read', async () => {
    const view = await readNode(clusterOf(service()), `${eid}/device_state`)
    expect(view.node).toBe(`asterisk/${eid}/device_state`)
    const text = renderNode(view, style)
    expect(text).toContain('configuration: only its owners')
    expect(text).toContain('affiliations: only its owners')
  })

  it('that is not there is an error, as XML too', async () => {
    const iq = service()
    iq.answer = () => refuse('item-not-found')
    const missing = 'there is no node asterisk/nosuch at pubsub.example.org: '
    await expect(readNode(clusterOf(iq), 'nosuch')).rejects.toThrow(missing)
    await expect(readRawNode(clusterOf(iq), 'asterisk/nosuch')).rejects.toThrow(missing)
  })

  it('that keeps nothing is there', async () => {
    expect((await readNode(clusterOf(service()), `${eid}/feed`)).items).toEqual([])
  })

  it('cannot steer the terminal, and fit 80 columns', () => {
    const escape = String.fromCharCode(27)
    const text = renderNode(
      {
        node: 'asterisk/members',
        service: 'pubsub.a',
        configuration: { 'pubsub#title': 'x'.repeat(200) },
        affiliations: [],
        items: [{ id: `${escape}[2J${'y'.repeat(200)}`, text: 'z'.repeat(200), publisher: 'p@a' }],
      },
      style,
    )
    expect(text).not.toContain(escape)
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  })
})

describe('the nodes of others', () => {
  const memberItem = (jid: string, its: string, service: string, publisher = jid): string =>
    `<item id='${jid}' publisher='${publisher}/x'><member xmlns='urn:hintbridge:1' eid='${its}' name='${jid.split('@')[0] ?? ''}' jid='${jid}/x' service='${service}' epoch='${'0'.repeat(32)}' version='1'/></item>`
  const deviceItem = `<item id='PJSIP/1'>${state('INUSE').toString()}</item>`

  /** Who is asked at another service than the own one may be silent, as `service` says. */
  function listing(members: readonly string[], atOther: () => string): FakeService {
    const iq = new FakeService()
    iq.answer = ({ to, text }) => {
      if (text.includes('disco#items'))
        return `<query xmlns='http://jabber.org/protocol/disco#items'/>`
      if (to !== iq.pubsub.service) return atOther()
      if (text.includes('"asterisk/members"')) {
        return pubsubText(`<items node='x'>${members.join('')}</items>`)
      }
      if (text.includes('pubsub#owner')) return refuse('forbidden', 'auth')
      return pubsubText(`<items node='x'>${deviceItem}</items>`)
    }
    return iq
  }
  const own = memberItem('pbx-a@a', eid, 'pubsub.example.org')
  const silent = (): never => {
    throw new RequestTimeout('pubsub.b', 10_000)
  }

  it('whose service is silent are listed as that, and the rest is shown', async () => {
    const other = memberItem('pbx-b@b', '02:00:00:00:00:0b', 'pubsub.b')
    const list = await listNodes(clusterOf(listing([own, other], silent)))
    expect(list).toContainEqual(
      expect.objectContaining({ node: `asterisk/${eid}/device_state`, items: 1 }),
    )
    expect(list).toContainEqual(
      expect.objectContaining({
        node: 'asterisk/02:00:00:00:00:0b/device_state',
        failure: 'no answer from pubsub.b within 10000 ms',
      }),
    )
  })

  it('are not asked for once the own stream has ended', async () => {
    const other = memberItem('pbx-b@b', '02:00:00:00:00:0b', 'pubsub.b')
    const cluster = clusterOf(listing([own, other], disconnect))
    await expect(listNodes(cluster)).rejects.toThrow('not connected')
  })

  it('are listed and not asked for where trust does not name them, or another account wrote their item', async () => {
    const stranger = memberItem('eve@evil', '02:00:00:00:00:0e', 'pubsub.evil')
    const imposed = memberItem('pbx-c@c', '02:00:00:00:00:0c', 'pubsub.evil', 'eve@evil')
    const iq = listing([stranger, imposed, own], silent)
    const list = await listNodes(clusterOf(iq))
    expect(new Set(iq.asked.map(({ to }) => to))).toEqual(new Set([iq.pubsub.service]))
    const failures = list.map(({ failure }) => failure).filter((each) => each !== undefined)
    expect(new Set(failures)).toEqual(
      new Set([
        'not asked: eve@evil is not trusted here',
        'not asked: eve@evil/x has published that in its name',
      ]),
    )
    expect(list).toHaveLength(1 + 3 * 3)
  })

  it('that claim the same entity ID are named, and the own ones are shown', async () => {
    const stranger = memberItem('eve@evil', eid, 'pubsub.evil')
    const rival = memberItem('pbx-b@b', eid, 'pubsub.b')
    const iq = listing([stranger, rival, own], silent)
    const view = await readNode(clusterOf(iq), `${eid}/device_state`)
    expect(view).toMatchObject({
      service: iq.pubsub.service,
      otherClaims: [{ jid: 'eve@evil', doubt: 'eve@evil is not trusted here' }, { jid: 'pbx-b@b' }],
      items: [{ id: 'PJSIP/1', text: 'INUSE' }],
    })
    const text = renderNode(view, style)
    expect(text.replace(/\s+/g, ' ')).toContain(
      `eve@evil claims ${eid} too, with its nodes at pubsub.evil: that is not shown; eve@evil is not trusted here`,
    )
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  })
})
