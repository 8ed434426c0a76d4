import { describe, expect, it } from 'vitest'
import type { Batch, Page } from '../../src/bridge/messages.js'
import { Replica } from '../../src/bridge/replica.js'
import type { DeviceState, FeedEntry } from '../../src/bridge/state.js'
import { epochOf, emptyBatch, statusOf, wordOf } from './harness.js'
import { device, mailbox } from './settings.js'

class Held {
  readonly changes: string[] = []
  readonly replica = new Replica((entry) => this.changes.push(wordOf(entry)))

  get words(): string[] {
    return [...this.replica.entries()].map(wordOf).sort()
  }
}

function batch(sequence: number, ...entries: FeedEntry[]): Batch {
  return { ...emptyBatch(2, sequence), entries }
}

function page(
  sequence: number,
  states: Record<string, DeviceState>,
  changed: Partial<Page> = {},
): Page {
  const entries = Object.entries(states).map(([id, state]) => device(id, state))
  return { ...statusOf(2, { sequence }), entries, isLast: true, ...changed }
}

function gone(id: string): FeedEntry {
  return { kind: 'gone', of: 'device_state', id }
}

/** In sync as of that sequence number. */
function pulled(sequence: number, states: Record<string, DeviceState>): Held {
  const held = new Held()
  held.replica.beginPull()
  expect(held.replica.takePage(page(sequence, states))).toBe('done')
  held.changes.length = 0
  return held
}

describe('batches of a peer', () => {
  it('apply in order; one that came before is a duplicate (rule 11)', () => {
    const held = pulled(1, { a: 'INUSE' })
    expect(held.replica.apply(batch(2, device('a', 'BUSY'), device('b', 'INUSE')))).toBe('applied')
    expect(held.replica.apply(batch(2, device('a', 'BUSY')))).toBe('duplicate')
    expect(held.replica.apply(batch(3, gone('b')))).toBe('applied')
    expect(held.changes).toEqual(['a BUSY', 'b INUSE', 'gone b'])
  })

  it('with one missing are a gap until a pull has mended it (rule 15)', () => {
    const held = pulled(1, {})
    expect(held.replica.apply(batch(3, device('a', 'BUSY')))).toBe('gap')
    expect(held.replica.isCurrent(statusOf(2, { sequence: 3 }))).toBe(false)
    expect(held.replica.apply(batch(4))).toBe('gap')
    held.replica.beginPull()
    expect(held.replica.takePage(page(4, { a: 'BUSY' }))).toBe('done')
    expect(held.replica.isCurrent(statusOf(2, { sequence: 4 }))).toBe(true)
  })

  it('of another epoch change nothing (rule 12)', () => {
    const held = pulled(1, { a: 'INUSE' })
    const foreign = { ...batch(2, device('a', 'BUSY')), epoch: epochOf(2, 2) }
    expect(held.replica.apply(foreign)).toBe('foreign')
    expect(held.words).toEqual(['a INUSE'])
  })
})

describe('a pull', () => {
  it('sweeps what no page named, page by page (rule 14)', () => {
    const held = pulled(1, { a: 'INUSE', b: 'INUSE', c: 'INUSE' })
    held.replica.beginPull()
    expect(held.replica.takePage(page(5, { b: 'BUSY' }, { isLast: false }))).toBe('more')
    expect(held.replica.nextQuery.after).toEqual({ kind: 'device_state', id: 'b' })
    expect(held.replica.takePage(page(5, { d: 'BUSY' }))).toBe('done')
    expect(held.words).toEqual(['b BUSY', 'd BUSY'])
  })

  it('does not sweep what a batch brought after the page that covers it (rule 14)', () => {
    const held = new Held()
    held.replica.beginPull()
    held.replica.takePage(page(5, { b: 'INUSE' }, { isLast: false }))
    expect(held.replica.apply(batch(6, device('a', 'BUSY')))).toBe('applied')
    held.replica.takePage(page(6, { c: 'INUSE' }))
    expect(held.words).toEqual(['a BUSY', 'b INUSE', 'c INUSE'])
  })

  it('lets a batch stand that is newer than the page (rule 14)', () => {
    const held = pulled(1, { a: 'INUSE' })
    held.replica.beginPull()
    held.replica.apply(batch(2, device('a', 'BUSY')))
    held.replica.takePage(page(1, { a: 'INUSE' }))
    expect(held.words).toEqual(['a BUSY'])
    expect(held.replica.sequence).toBe(2)
  })

  it('lets an old batch not undo what a page of a later number said (rule 14)', () => {
    const held = new Held()
    held.replica.beginPull()
    held.replica.takePage(page(5, { a: 'INUSE' }, { isLast: false }))
    held.replica.takePage(page(7, { b: 'BUSY' }))
    expect(held.replica.apply(batch(6, device('b', 'RINGING')))).toBe('applied')
    expect(held.replica.apply(batch(7, gone('c')))).toBe('applied')
    expect(held.words).toEqual(['a INUSE', 'b BUSY'])
  })

  it('does not let an older page bring back what went away meanwhile (rule 14)', () => {
    const held = pulled(1, { a: 'INUSE' })
    held.replica.beginPull()
    held.replica.apply(batch(2, gone('a')))
    held.replica.takePage(page(1, { a: 'INUSE' }))
    expect(held.words).toEqual([])
  })

  it('forgets what went away in an epoch that has ended (rule 12)', () => {
    const held = pulled(99, { a: 'INUSE' })
    held.replica.beginPull()
    held.replica.apply(batch(100, gone('a')))
    held.replica.takePage(page(3, { a: 'BUSY' }, { epoch: epochOf(2, 2) }))
    expect(held.words).toEqual(['a BUSY'])
  })

  it('takes the batches that outran its first page (rule 14)', () => {
    const held = new Held()
    held.replica.beginPull()
    for (const sequence of [5, 6, 7])
      held.replica.apply(batch(sequence, device(`${sequence}`, 'BUSY')))
    expect(held.replica.takePage(page(5, { 5: 'INUSE' }))).toBe('done')
    expect(held.words).toEqual(['5 INUSE', '6 BUSY', '7 BUSY'])
    expect(held.replica.apply(batch(8))).toBe('applied')
  })

  it('says of their changes that they are replayed, not of others (rule 14)', () => {
    const told: string[] = []
    const replica = new Replica((entry) =>
      told.push(`${wordOf(entry)}${replica.isReplaying ? ' replayed' : ''}`),
    )
    replica.beginPull()
    replica.apply(batch(6, device('a', 'BUSY'), gone('b')))
    replica.takePage(page(5, { a: 'INUSE', b: 'INUSE' }, { isLast: false }))
    replica.apply(batch(7, device('d', 'BUSY')))
    replica.takePage(page(6, { c: 'INUSE' }))
    const ofPages = ['a INUSE', 'b INUSE', 'c INUSE', 'd BUSY']
    expect(told.toSorted()).toEqual(['a BUSY replayed', ...ofPages, 'gone b replayed'].toSorted())
  })

  it('starts again where one of those is missing', () => {
    const held = new Held()
    held.replica.beginPull()
    for (const sequence of [6, 9]) held.replica.apply(batch(sequence, device('a', 'BUSY')))
    expect(held.replica.takePage(page(5, { b: 'INUSE' }, { isLast: false }))).toBe('restart')
    expect(held.replica.isReplaying).toBe(false)
  })

  it('keeps the latest of very many early batches, the first page being about as new', () => {
    const held = new Held()
    held.replica.beginPull()
    for (let sequence = 1; sequence <= 200; sequence += 1) {
      held.replica.apply(batch(sequence, device('a', sequence % 2 === 0 ? 'BUSY' : 'INUSE')))
    }
    expect(held.replica.takePage(page(150, { a: 'BUSY' }))).toBe('done')
    expect(held.replica.sequence).toBe(200)
  })

  it('is not started again by a busy feed before its first page (rule 15)', () => {
    const held = pulled(1, {})
    expect(held.replica.apply(batch(3))).toBe('gap')
    held.replica.beginPull()
    for (const sequence of [4, 5, 6]) expect(held.replica.apply(batch(sequence))).toBe('applied')
    expect(held.replica.takePage(page(5, {}))).toBe('done')
    expect(held.replica.sequence).toBe(6)
  })

  it('starts again where the epoch changes between pages (rule 14)', () => {
    const held = new Held()
    held.replica.beginPull()
    held.replica.takePage(page(5, { a: 'INUSE' }, { isLast: false }))
    expect(held.replica.takePage(page(1, { b: 'BUSY' }, { epoch: epochOf(2, 2) }))).toBe('restart')
  })

  it('starts again where a page does not advance', () => {
    const held = new Held()
    held.replica.beginPull()
    expect(held.replica.takePage(page(5, {}, { isLast: false }))).toBe('restart')
  })

  it('that was broken off leaves the table incomplete, whatever epoch and sequence say (rule 15)', () => {
    const held = new Held()
    held.replica.beginPull()
    held.replica.takePage(page(5, { a: 'INUSE' }, { isLast: false }))
    held.replica.abandonPull()
    expect(held.replica.isCurrent(statusOf(2, { sequence: 5 }))).toBe(false)
  })
})

describe('a table', () => {
  it('loses its devices, epoch and sequence with the death of its origin, not its counts (rule 22)', () => {
    const held = pulled(4, { a: 'INUSE' })
    held.replica.apply(batch(5, mailbox('1@default', 2)))
    held.replica.discardDevices()
    expect(held.words).toEqual(['1@default 2/0'])
    expect(held.replica.apply(batch(6, device('a', 'BUSY')))).toBe('foreign')
  })

  it('takes retained counts only while its origin tells nothing itself (rule 22)', () => {
    const held = pulled(4, {})
    held.replica.takeRetained([mailbox('1@default', 2)])
    expect(held.words).toEqual([])
    held.replica.discardDevices()
    held.replica.takeRetained([mailbox('1@default', 2)])
    expect(held.words).toEqual(['1@default 2/0'])
  })

  it('keeps from retained counts what its origin told in its last epoch, for those are written behind (rule 22)', () => {
    const held = pulled(4, { a: 'INUSE' })
    held.replica.apply(batch(5, mailbox('1@default', 2)))
    held.replica.beginPull()
    held.replica.takePage(
      page(1, {}, { epoch: epochOf(2, 2), isLast: false, entries: [mailbox('2@default', 3)] }),
    )
    held.replica.discardDevices()
    held.replica.takeRetained([mailbox('1@default', 0), mailbox('2@default', 1)])
    expect(held.words).toEqual(['1@default 0/0', '2@default 3/0'])
  })

  it('takes retained counts over those of an epoch before the last, of which it was told nothing (rule 22)', () => {
    const held = pulled(4, {})
    held.replica.apply(batch(5, mailbox('1@default', 2)))
    held.replica.discardDevices()
    held.replica.discardDevices()
    held.replica.takeRetained([mailbox('1@default', 0)])
    expect(held.words).toEqual(['1@default 0/0'])
  })
})
