import xml, { type Element } from '@xmpp/xml'
import { describe, expect, it } from 'vitest'
import { describeItem } from '../../src/cli/nodes/describe.js'
import { listNodes, readNode } from '../../src/cli/nodes/read.js'
import { renderNode, renderNodes } from '../../src/cli/nodes/render.js'
import { FakeService, pubsubText, refuse } from '../pubsub/fake-service.js'

const eid = '02:00:00:00:00:0a'
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
    const list = await listNodes(service().pubsub, 'asterisk')
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
    const view = await readNode(service().pubsub, 'asterisk', `${eid}/device_state`)
    expect(view.node).toBe(`asterisk/${eid}/device_state`)
    const text = renderNode(view, style)
    expect(text).toContain('configuration: only its owners may read that')
    expect(text).toContain('affiliations: only its owners may read that')
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
