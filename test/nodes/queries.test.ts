import { parse } from 'ltx'
import { describe, expect, it } from 'vitest'
import type { Page } from '../../src/bridge/messages.js'
import { parseNodeName } from '../../src/nodes/names.js'
import {
  decodePage,
  decodePageQuery,
  encodePage,
  encodePageQuery,
} from '../../src/nodes/snapshot.js'
import { decodeStatus, encodeStatus, encodeStatusQuery } from '../../src/nodes/status.js'

const eid = '02:00:00:00:00:0a'
const epoch = '0123456789abcdef0123456789abcdef'
const status = { eid, epoch, sequence: 0, phase: 'ready' } as const

describe('status', () => {
  it('reads back what it writes, sequence 0 included', () => {
    expect(encodeStatusQuery().toString()).toBe('<status xmlns="urn:hintbridge:1"/>')
    expect(decodeStatus(parse(encodeStatus(status).toString()))).toEqual(status)
  })

  it('refuses an unknown phase and a missing answer', () => {
    const text = encodeStatus(status).toString().replace('ready', 'asleep')
    expect(() => decodeStatus(parse(text))).toThrow('failed to decode status: unknown phase')
    expect(() => decodeStatus(undefined)).toThrow('failed to decode status: no <status/>')
  })
})

describe('snapshot', () => {
  const page: Page = {
    ...status,
    sequence: 12,
    isLast: false,
    entries: [
      { kind: 'device_state', id: 'Custom:a b', state: 'ONHOLD', cachable: true },
      { kind: 'message_waiting', id: '1@default', newMessages: 0, oldMessages: 4 },
    ],
  }

  it.each([{ max: 500 }, { max: 10, after: { kind: 'message_waiting', id: "a'b@c" } }] as const)(
    'reads back the query %j',
    (query) => {
      expect(decodePageQuery(parse(encodePageQuery(query).toString()))).toEqual(query)
    },
  )

  it('serves at most 500 entries, and refuses a page of none', () => {
    expect(decodePageQuery(parse(encodePageQuery({ max: 9999 }).toString()))).toEqual({ max: 500 })
    expect(() => decodePageQuery(encodePageQuery({ max: 0 }))).toThrow('a page of no entries')
  })

  it('refuses a place that lacks its kind', () => {
    const text = "<snapshot xmlns='urn:hintbridge:1' max='5' after='x'/>"
    expect(() => decodePageQuery(parse(text))).toThrow('unknown kind of state')
  })

  it('reads back a page', () => {
    expect(decodePage(parse(encodePage(page).toString()))).toEqual(page)
    const last: Page = { ...page, entries: [], isLast: true }
    expect(decodePage(parse(encodePage(last).toString()))).toEqual(last)
  })

  it('refuses an empty page that is not the last, and one with a gone entry', () => {
    expect(() => decodePage(encodePage({ ...page, entries: [] }))).toThrow('not the last')
    const text = encodePage(page)
      .toString()
      .replace('<state', '<gone id="x" kind="device_state"/><state')
    expect(() => decodePage(parse(text))).toThrow('<gone/> in a snapshot')
  })
})

describe('node names', () => {
  it.each([
    ['asterisk/members', { type: 'members' }],
    [`asterisk/${eid}/feed`, { type: 'feed', eid }],
    [`asterisk/${eid}/device_state`, { type: 'device_state', eid }],
    [`asterisk/${eid}/message_waiting`, { type: 'message_waiting', eid }],
    [`asterisk/${eid.toUpperCase()}/feed`, undefined],
    ['asterisk/2:0:0:0:0:a/feed', undefined],
    ['asterisk/00:00:00:00:00:00/feed', undefined],
    [`asterisk/${eid}/feed/x`, undefined],
    [`other/${eid}/feed`, undefined],
    ['asterisk/feed', undefined],
    ['asterisk', undefined],
  ])('%s is understood', (name, node) => {
    expect(parseNodeName('asterisk', name)).toEqual(node)
  })
})
