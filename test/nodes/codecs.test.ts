import { parse } from 'ltx'
import { describe, expect, it } from 'vitest'
import type { Element } from '@xmpp/xml'
import type { Batch, MemberItem } from '../../src/bridge/messages.js'
import { deviceStates } from '../../src/bridge/state.js'
import type { ItemSource } from '../../src/nodes/codec.js'
import { codecs } from '../../src/nodes/registry.js'
import { DecodeError, type DecodeReason } from '../../src/nodes/strict.js'

const eid = '02:00:00:00:00:0a'
const epoch = '0123456789abcdef0123456789abcdef'
const wire = (element: Element): Element => parse(element.toString())

function reasonOf(act: () => unknown): DecodeReason | 'accepted' {
  try {
    act()
  } catch (error) {
    if (error instanceof DecodeError) return error.reason
    throw error
  }
  return 'accepted'
}

function batchText(inner: string, attributes = `eid='${eid}' epoch='${epoch}' seq='7'`): string {
  return `<batch xmlns='urn:hintbridge:1' ${attributes}>${inner}</batch>`
}

const deep = `${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}`

describe('device_state', () => {
  const source: ItemSource = { eid, id: 'PJSIP/1001' }

  it.each(deviceStates)('writes %s as res_xmpp does and reads it back', (state) => {
    const entry = { kind: 'device_state', id: 'PJSIP/1001', state, cachable: true } as const
    const element = codecs.device_state.encode({ eid, entry })
    expect(element.toString()).toBe(
      `<state xmlns="http://asterisk.org" eid="${eid}" cachable="1">${state}</state>`,
    )
    expect(codecs.device_state.decode(wire(element), source)).toEqual(entry)
  })

  it.each<[string, string, DecodeReason]>([
    ['no EID', `<state xmlns='http://asterisk.org'>INUSE</state>`, 'eid'],
    [
      "another's EID",
      `<state xmlns='http://asterisk.org' eid='02:00:00:00:00:0b'>INUSE</state>`,
      'eid',
    ],
    [
      'the empty EID',
      `<state xmlns='http://asterisk.org' eid='00:00:00:00:00:00'>INUSE</state>`,
      'eid',
    ],
    ['an unknown state', `<state xmlns='http://asterisk.org' eid='${eid}'>inuse</state>`, 'state'],
    [
      '200 kB of text',
      `<state xmlns='http://asterisk.org' eid='${eid}'>${'A'.repeat(200_000)}</state>`,
      'text',
    ],
    ['deep nesting', `<state xmlns='http://asterisk.org' eid='${eid}'>${deep}</state>`, 'children'],
    [
      '10,000 children',
      `<state xmlns='http://asterisk.org' eid='${eid}'>${'<a/>'.repeat(10_000)}</state>`,
      'children',
    ],
    ['another namespace', `<state xmlns='urn:other' eid='${eid}'>INUSE</state>`, 'element'],
    ['another element', `<mailbox xmlns='http://asterisk.org' eid='${eid}'/>`, 'element'],
    [
      'a flag that is none',
      `<state xmlns='http://asterisk.org' eid='${eid}' cachable='x'>INUSE</state>`,
      'flag',
    ],
  ])('refuses %s', (_title, text, reason) => {
    expect(reasonOf(() => codecs.device_state.decode(parse(text), source))).toBe(reason)
  })

  it('refuses an item without a payload, and names with control characters', () => {
    expect(reasonOf(() => codecs.device_state.decode(undefined, source))).toBe('missing')
    const good = parse(`<state xmlns='http://asterisk.org' eid='${eid}'>INUSE</state>`)
    expect(reasonOf(() => codecs.device_state.decode(good, { eid, id: 'PJSIP/1\u0007' }))).toBe(
      'name',
    )
  })
})

describe('message_waiting', () => {
  const source: ItemSource = { eid, id: '1000@default' }
  const text = (inner: string): string =>
    `<mailbox xmlns='http://asterisk.org' eid='${eid}'>${inner}</mailbox>`

  it('writes counts as res_xmpp does and reads them back', () => {
    const entry = {
      kind: 'message_waiting',
      id: '1000@default',
      newMessages: 2,
      oldMessages: 1,
    } as const
    const element = codecs.message_waiting.encode({ eid, entry })
    expect(element.toString()).toBe(
      `<mailbox xmlns="http://asterisk.org" eid="${eid}"><NEWMSGS>2</NEWMSGS><OLDMSGS>1</OLDMSGS></mailbox>`,
    )
    expect(codecs.message_waiting.decode(wire(element), source)).toEqual(entry)
  })

  it.each<[string, string, DecodeReason]>([
    ['a negative count', '<NEWMSGS>-1</NEWMSGS><OLDMSGS>0</OLDMSGS>', 'count'],
    ['a count beyond an int', '<NEWMSGS>2147483648</NEWMSGS><OLDMSGS>0</OLDMSGS>', 'count'],
    ['a missing count', '<NEWMSGS>1</NEWMSGS>', 'count'],
    ['a count twice', '<NEWMSGS>1</NEWMSGS><NEWMSGS>2</NEWMSGS>', 'count'],
    ['text between', 'x<NEWMSGS>1</NEWMSGS><OLDMSGS>0</OLDMSGS>', 'text'],
    ['more elements', '<NEWMSGS>1</NEWMSGS><OLDMSGS>0</OLDMSGS><NEWMSGS>1</NEWMSGS>', 'children'],
  ])('refuses %s', (_title, inner, reason) => {
    expect(reasonOf(() => codecs.message_waiting.decode(parse(text(inner)), source))).toBe(reason)
  })
})

describe('feed', () => {
  const source: ItemSource = { eid, id: '7' }
  const batch: Batch = {
    eid,
    epoch,
    sequence: 7,
    isBye: false,
    entries: [
      { kind: 'device_state', id: 'PJSIP/1001', state: 'INUSE', cachable: true },
      { kind: 'device_state', id: `Custom:"<'&>é😀`, state: 'BUSY', cachable: false },
      { kind: 'message_waiting', id: '1000@default', newMessages: 3, oldMessages: 2_147_483_647 },
      { kind: 'gone', of: 'device_state', id: 'Confbridge:5' },
    ],
  }

  it('reads back what it writes, any name included', () => {
    expect(codecs.feed.decode(wire(codecs.feed.encode(batch)), source)).toEqual(batch)
    const bye: Batch = { ...batch, isBye: true, entries: [] }
    expect(codecs.feed.decode(wire(codecs.feed.encode(bye)), source)).toEqual(bye)
  })

  it('writes the same batch with the same octets', () => {
    expect(codecs.feed.encode(batch).toString()).toBe(codecs.feed.encode(batch).toString())
  })

  it('ignores attributes it does not know and elements of other namespaces', () => {
    const text = batchText(`<x xmlns='urn:other'/><gone id='a' kind='message_waiting' hint='1'/>`)
    expect(codecs.feed.decode(parse(text), source).entries).toEqual([
      { kind: 'gone', of: 'message_waiting', id: 'a' },
    ])
  })

  it.each<[string, string, DecodeReason]>([
    ["another's EID", batchText('', `eid='02:00:00:00:00:0b' epoch='${epoch}' seq='7'`), 'eid'],
    [
      'an epoch in upper case',
      batchText('', `eid='${eid}' epoch='${epoch.toUpperCase()}' seq='7'`),
      'epoch',
    ],
    ['sequence 0', batchText('', `eid='${eid}' epoch='${epoch}' seq='0'`), 'sequence'],
    [
      'an unsafe sequence',
      batchText('', `eid='${eid}' epoch='${epoch}' seq='9007199254740993'`),
      'sequence',
    ],
    [
      'a fraction as sequence',
      batchText('', `eid='${eid}' epoch='${epoch}' seq='1.5'`),
      'sequence',
    ],
    ['no sequence', batchText('', `eid='${eid}' epoch='${epoch}'`), 'sequence'],
    ['an unknown element of ours', batchText('<presence id="a"/>'), 'element'],
    ['gone of an unknown kind', batchText('<gone id="a" kind="x"/>'), 'element'],
    [
      'a name of 256 octets',
      batchText(`<gone id="${'a'.repeat(256)}" kind="device_state"/>`),
      'name',
    ],
    ['an empty name', batchText('<gone id="" kind="device_state"/>'), 'name'],
    ['501 entries', batchText('<gone id="a" kind="device_state"/>'.repeat(501)), 'children'],
    ['10,000 entries', batchText('<gone id="a" kind="device_state"/>'.repeat(10_000)), 'children'],
    ['text between entries', batchText('hello'), 'text'],
    ['an unknown state', batchText('<state id="a">FREE</state>'), 'state'],
    ['deep nesting', batchText(deep), 'depth'],
    ['elements within a state', batchText('<state id="a">INUSE<b/></state>'), 'depth'],
  ])('refuses %s', (_title, text, reason) => {
    const element = parse(text)
    expect(reasonOf(() => codecs.feed.decode(element, source))).toBe(reason)
  })
})

describe('members', () => {
  const source: ItemSource = { id: 'pbx-a@example.org', publisher: 'pbx-a@example.org/x' }
  const item: Omit<MemberItem, 'publisher'> = {
    id: 'pbx-a@example.org',
    eid,
    name: 'Zürich',
    jid: `pbx-a@example.org/${eid}`,
    service: 'pubsub.example.org',
    epoch,
    version: '0.1.0',
  }
  const changed = (attributes: Record<string, string | undefined>): Element => {
    const element = codecs.members.encode(item)
    Object.assign(element.attrs, attributes)
    return wire(element)
  }

  it('reads back what it writes, with the publisher that the server showed', () => {
    expect(codecs.members.decode(changed({}), source)).toEqual({
      ...item,
      publisher: source.publisher,
    })
    expect(codecs.members.decode(changed({}), { id: item.id })).toEqual(item)
  })

  it.each<[string, Record<string, string | undefined>, DecodeReason]>([
    ['a full JID of another account', { jid: `pbx-b@example.org/${eid}` }, 'jid'],
    ['a bare JID for the full one', { jid: 'pbx-a@example.org' }, 'jid'],
    ['an empty resource', { jid: 'pbx-a@example.org/' }, 'name'],
    ['no service', { service: undefined }, 'jid'],
    ['a service with markup', { service: 'a<b' }, 'jid'],
    ['the empty EID', { eid: '0:0:0:0:0:0' }, 'eid'],
    ['a name with control characters', { name: 'a\u0001' }, 'name'],
    ['no epoch', { epoch: undefined }, 'epoch'],
    ['a version of 65 characters', { version: '1'.repeat(65) }, 'text'],
  ])('refuses %s', (_title, attributes, reason) => {
    expect(reasonOf(() => codecs.members.decode(changed(attributes), source))).toBe(reason)
  })

  it('refuses an item id that is no bare JID', () => {
    expect(reasonOf(() => codecs.members.decode(changed({}), { id: 'current' }))).toBe('jid')
  })
})
