import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxEntries, maxStanzaOctets, type Batch } from '../../src/bridge/messages.js'
import { deviceStates, isName, maxCount, type FeedEntry } from '../../src/bridge/state.js'
import { takeFitting, wireOctets } from '../../src/bridge/wire.js'
import { encodeEntry } from '../../src/nodes/entries.js'
import { feedCodec } from '../../src/nodes/feed.js'
import { onSeed } from '../search/seed.js'

const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).filter(isName)
const count = fc.integer({ min: 0, max: maxCount })
const entry: fc.Arbitrary<FeedEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('device_state' as const),
    id: name,
    state: fc.constantFrom(...deviceStates),
    cachable: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('message_waiting' as const),
    id: name,
    newMessages: count,
    oldMessages: count,
  }),
  fc.record({
    kind: fc.constant('gone' as const),
    of: fc.constantFrom('device_state' as const, 'message_waiting' as const),
    id: name,
  }),
)

describe('wireOctets', () => {
  it('is never less than what is written', () => {
    fc.assert(
      fc.property(entry, (value) => {
        expect(Buffer.byteLength(encodeEntry(value).toString())).toBeLessThanOrEqual(
          wireOctets(value),
        )
      }),
      onSeed(300),
    )
    const longest = {
      kind: 'message_waiting',
      id: '"'.repeat(255),
      newMessages: maxCount,
      oldMessages: maxCount,
    } as const
    expect(Buffer.byteLength(encodeEntry(longest).toString())).toBeLessThanOrEqual(
      wireOctets(longest),
    )
  })
})

describe('takeFitting', () => {
  const device = (id: string): FeedEntry => ({
    kind: 'device_state',
    id,
    state: 'NOT_INUSE',
    cachable: false,
  })
  const asBatch = (entries: readonly FeedEntry[]): Batch => ({
    eid: '02:00:00:00:00:0a',
    epoch: '0'.repeat(32),
    sequence: Number.MAX_SAFE_INTEGER,
    isBye: true,
    entries,
  })

  it('lets 500 ordinary entries into one stanza', () => {
    const entries = Array.from({ length: 600 }, (_, index) => device(`PJSIP/${1000 + index}`))
    expect(takeFitting(entries)).toEqual(entries.slice(0, maxEntries))
    expect(takeFitting(entries, 20)).toEqual(entries.slice(0, 20))
    expect(takeFitting([])).toEqual([])
  })

  it('keeps a stanza of the longest names below 48 KiB', () => {
    const entries = Array.from({ length: 500 }, () => device('"'.repeat(255)))
    const fitting = takeFitting(entries)
    expect(fitting.length).toBeGreaterThan(20)
    const octets = Buffer.byteLength(feedCodec.encode(asBatch(fitting)).toString())
    expect(octets).toBeLessThan(maxStanzaOctets - 3500)
  })
})
