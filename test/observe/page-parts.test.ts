/** What of the status page needs no browser. */
import { describe, expect, it } from 'vitest'
import { covers, rowsInSight, scrollTo } from '../../src/observe/page/rows.js'
import { formatView, parseView } from '../../src/observe/page/view.js'
import {
  asteriskVersion,
  countWords,
  duration,
  lifeBadge,
  Names,
  stateWord,
  toneOf,
} from '../../src/observe/page/wording.js'

describe('the rows in sight', () => {
  const sight = { scrollTop: 0, height: 320, rowHeight: 32, count: 20_000 }

  it.each([
    [0, { from: 0, to: 16 }],
    [320_000, { from: 9_994, to: 10_016 }],
    [639_680, { from: 19_984, to: 20_000 }],
    [9_999_999, { from: 20_000, to: 20_000 }],
  ])('scrolled to %i px are these, and a few around them', (scrollTop, range) => {
    expect(rowsInSight({ ...sight, scrollTop })).toEqual(range)
  })

  it('are none of an empty list', () => {
    expect(rowsInSight({ ...sight, count: 0 })).toEqual({ from: 0, to: 0 })
  })

  it('are scrolled to only as far as needed', () => {
    expect(scrollTo(3, sight)).toBe(0)
    expect(scrollTo(10, sight)).toBe(32)
    expect(scrollTo(19_999, sight)).toBe(639_680)
    expect(scrollTo(5, { ...sight, scrollTop: 640 })).toBe(160)
  })

  it('are read when all of them are', () => {
    expect(covers({ from: 0, to: 70 }, { from: 0, to: 10 })).toBe(true)
    expect(covers({ from: 0, to: 70 }, { from: 65, to: 75 })).toBe(false)
    expect(covers({ from: 5, to: 70 }, { from: 4, to: 10 })).toBe(false)
  })
})

describe('the address', () => {
  it('keeps what is shown', () => {
    const view = {
      kind: 'message_waiting',
      match: '1000 & <b>',
      order: 'name',
      explained: '1000@default',
    } as const
    expect(parseView(formatView(view))).toEqual(view)
  })

  it('is bare where all is as at first', () => {
    const first = parseView('')
    expect(first).toEqual({ kind: 'device_state', match: '', order: 'busy' })
    expect(formatView(first)).toBe('')
    expect(parseView('#kind=nonsense&order=&explain=')).toEqual(first)
  })
})

describe('the words', () => {
  it('shorten a JID to its account where all members have one domain', () => {
    const names = new Names()
    const self = { jid: 'pbx-a@example.org' } as never
    expect(names.of({ jid: 'pbx-a@example.org' })).toBe('pbx-a@example.org')
    expect(names.learn({ self, members: [{ jid: 'pbx-b@example.org' } as never] })).toBe(true)
    expect(names.of({ jid: 'pbx-b@example.org' })).toBe('pbx-b')
    expect(names.of({ jid: 'pbx-b@example.net' })).toBe('pbx-b@example.net')
    expect(names.of({ eid: '02:00:00:00:00:0a' })).toBe('02:00:00:00:00:0a')
    expect(names.learn({ self, members: [] })).toBe(false)
    expect(names.learn({ self, members: [{ jid: 'pbx-b@example.net' } as never] })).toBe(true)
    expect(names.of({ jid: 'pbx-a@example.org' })).toBe('pbx-a@example.org')
  })

  it.each([
    ['INUSE', 'busy'],
    ['RINGINUSE', 'ringing'],
    ['ONHOLD', 'hold'],
    ['NOT_INUSE', 'idle'],
    ['UNAVAILABLE', 'off'],
    ['2/0', 'waiting'],
    ['0/7', 'idle'],
  ])('of %s light the lamp as %s', (state, tone) => {
    expect(toneOf(state)).toBe(tone)
  })

  it('of a member say how it stands, and that who has left is gone', () => {
    const alive = { life: 'alive', isSynced: true, isStale: false } as const
    const words = [
      alive,
      { ...alive, life: 'gone', isSynced: false } as const,
      { ...alive, life: 'suspected' } as const,
      { ...alive, life: 'dead' } as const,
      { ...alive, refusal: 'no' },
      { ...alive, isStale: true },
      { ...alive, isSynced: false },
    ].map((member) => Object.values(lifeBadge(member)).join(' '))
    expect(words).toEqual([
      ...['good alive', 'unknown gone', 'fair suspected', 'bad dead', 'bad refused'],
      ...['fair stale', 'fair syncing'],
    ])
  })

  it('name a version of Asterisk without what a distribution adds', () => {
    expect(asteriskVersion('Asterisk PBX 22.10.1+dfsg+~cs6.17')).toBe('22.10.1')
    expect(asteriskVersion('FPBX-17(21.4.0)')).toBe('FPBX-17(21.4.0)')
  })

  it('count', () => {
    expect(countWords('device_state', 20_000, 20_000)).toBe('20,000 devices')
    expect(countWords('message_waiting', 0, 1)).toBe('0 of 1 mailbox')
    expect([duration(undefined), duration(0.4), duration(12.4), duration(1_840)]).toEqual([
      '–',
      '<1 ms',
      '12 ms',
      '1.8 s',
    ])
    const sum = { newMessages: 2, oldMessages: 1 }
    const mailbox = { kind: 'message_waiting', id: '1@a', changedAt: '', parts: [], sum } as const
    expect(stateWord(mailbox)).toBe('2/1')
  })
})
