import { describe, expect, it } from 'vitest'
import type { Batch } from '../../src/bridge/messages.js'
import { maxStanzaOctets } from '../../src/bridge/messages.js'
import { wireOctets } from '../../src/bridge/wire.js'
import { Dialogue, emptyBatch, failed, wordOf } from './harness.js'
import { device, eidOf, fullJidOf, jidOf } from './settings.js'

function words(batch: Batch): string[] {
  return batch.entries.map(wordOf)
}

/** Ready, with nothing told yet. */
function ready(): Dialogue {
  return new Dialogue().ready().clear()
}

describe('the feed', () => {
  it('sends a change at rest at once, and one batch at a time with what changed meanwhile (rule 11)', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING')
    expect(words(dialogue.takeOne('publishBatch').batch)).toEqual(['PJSIP/1 RINGING'])
    dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/2', 'BUSY').report('PJSIP/1', 'NOT_INUSE')
    expect(dialogue.take('publishBatch')).toEqual([])
    dialogue.post({ type: 'BatchPublished', sequence: 1 })
    const { batch } = dialogue.takeOne('publishBatch')
    expect(batch).toMatchObject({ eid: eidOf(1), sequence: 2, isBye: false })
    expect(words(batch)).toEqual(['PJSIP/1 NOT_INUSE', 'PJSIP/2 BUSY'])
  })

  it('cuts batches at 500 entries (rule 11)', () => {
    const dump = Array.from({ length: 2_001 }, (_, index) => device(`PJSIP/${index}`, 'INUSE'))
    const sizes = new Dialogue()
      .ready(dump)
      .answerPublishes()
      .map(({ entries }) => entries.length)
    // The first are smaller: how much the server takes at once is not known yet.
    expect(sizes.slice(2, 4)).toEqual([500, 500])
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(2_001)
  })

  it('cuts batches below 48 KiB (rule 11)', () => {
    const dump = Array.from({ length: 400 }, (_, index) =>
      device(`PJSIP/${'&'.repeat(240)}${index}`, 'INUSE'),
    )
    const batches = new Dialogue().ready(dump).answerPublishes()
    expect(batches.flatMap(({ entries }) => entries)).toHaveLength(400)
    for (const { entries } of batches) {
      expect(entries.reduce((sum, entry) => sum + wireOctets(entry), 0)).toBeLessThan(
        maxStanzaOctets,
      )
    }
  })

  it('sends an unanswered batch again byte-identical after the stream was down, changes under the next number (rule 11)', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING')
    const first = dialogue.takeOne('publishBatch').batch
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).report('PJSIP/1', 'INUSE').online()
    expect(dialogue.takeOne('publishBatch').batch).toEqual(first)
    dialogue.post({ type: 'BatchPublished', sequence: 1 })
    const next = dialogue.takeOne('publishBatch').batch
    expect([next.sequence, ...words(next)]).toEqual([2, 'PJSIP/1 INUSE'])
  })

  it('ends the stream where a publish is not answered for a heartbeat (rule 23)', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING').clear()
    dialogue.post({ type: 'BatchFailed', sequence: 1, failure: failed('timeout') })
    expect(dialogue.takeOne('endStream').reason).toContain('not answered for one heartbeat')
    expect(dialogue.take('publishBatch')).toEqual([])
  })

  it('sends a batch again that the server refused for now', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING').clear()
    dialogue.post({ type: 'BatchFailed', sequence: 1, failure: failed('resource-constraint') })
    dialogue.pass(500)
    expect(dialogue.takeOne('publishBatch').batch.sequence).toBe(1)
  })

  it('makes its nodes again where the server says that they are gone (rule 19)', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING').clear()
    dialogue.post({ type: 'BatchFailed', sequence: 1, failure: failed('item-not-found', false) })
    dialogue.pass(500)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
  })

  it('rests as long as a publish took above 20 ms, not below (rule 11)', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING').report('PJSIP/2', 'BUSY').clear()
    dialogue.pass(20).post({ type: 'BatchPublished', sequence: 1 })
    expect(dialogue.takeOne('publishBatch').batch.sequence).toBe(2)
    dialogue.report('PJSIP/3', 'BUSY').pass(30).post({ type: 'BatchPublished', sequence: 2 })
    dialogue.pass(29)
    expect(dialogue.take('publishBatch')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.takeOne('publishBatch').batch.sequence).toBe(3)
  })

  it('awaits more for 5 ms after a batch of four changes, not after one of three', () => {
    const report = (dialogue: Dialogue, count: number): Dialogue => {
      for (let number = 0; number < count; number += 1) dialogue.report(`PJSIP/${number}`, 'BUSY')
      return dialogue
    }
    const after = (changes: number): Dialogue => {
      const dialogue = report(ready().report('PJSIP/first', 'RINGING').clear(), changes)
      dialogue.post({ type: 'BatchPublished', sequence: 1 })
      expect(dialogue.takeOne('publishBatch').batch.entries).toHaveLength(changes)
      dialogue.report('PJSIP/next', 'INUSE').clear()
      return dialogue.post({ type: 'BatchPublished', sequence: 2 })
    }
    expect(after(3).take('publishBatch')).toHaveLength(1)
    const burst = after(4).pass(4).report('PJSIP/last', 'INUSE')
    expect(burst.take('publishBatch')).toEqual([])
    expect(burst.pass(1).takeOne('publishBatch').batch.entries).toHaveLength(2)
  })

  it('awaits nothing where it says goodbye, however long the publish before took', () => {
    const dialogue = ready().report('PJSIP/1', 'RINGING').clear()
    dialogue.pass(4_000).post({ type: 'LeaveRequested' }).answerInjections()
    dialogue.post({ type: 'BatchPublished', sequence: 1 })
    expect(dialogue.takeOne('publishBatch').batch.isBye).toBe(true)
  })

  it('awaits nothing after a batch that left changes over', () => {
    const dialogue = ready().report('PJSIP/first', 'RINGING').clear()
    for (let number = 0; number < 600; number += 1) dialogue.report(`PJSIP/${number}`, 'BUSY')
    dialogue.post({ type: 'BatchPublished', sequence: 1 })
    expect(dialogue.takeOne('publishBatch').batch.entries.length).toBeLessThan(600)
    dialogue.post({ type: 'BatchPublished', sequence: 2 })
    expect(dialogue.take('publishBatch')).toHaveLength(1)
  })

  it('beats where nothing else was sent for a heartbeat (rule 13)', () => {
    const dialogue = ready().report('PJSIP/1', 'INUSE')
    dialogue.answerPublishes()
    dialogue.pass(9_999)
    expect(dialogue.take('publishBatch')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.takeOne('publishBatch').batch).toMatchObject({ sequence: 2, entries: [] })
    dialogue.post({ type: 'BatchPublished', sequence: 2 }).pass(10_000)
    expect(dialogue.takeOne('publishBatch').batch.sequence).toBe(3)
  })

  it('keeps one epoch for the life of the bridge, and each bridge has its own (rule 12)', () => {
    const dialogue = ready()
    const before = dialogue.bridge.overview().epoch
    dialogue.post({ type: 'StreamDown', reason: 'cut' }).online()
    expect(dialogue.bridge.overview().epoch).toBe(before)
  })
})

describe('the snapshot served', () => {
  it('goes out in key order, in pages that follow a key, with epoch and sequence (rule 14)', () => {
    const dump = ['b', 'a', 'c'].map((id) => device(id, 'INUSE'))
    const dialogue = new Dialogue().ready(dump)
    dialogue.answerPublishes()
    const from = fullJidOf(2)
    dialogue.post({ type: 'PageRequested', request: 1, from, query: { max: 2 } })
    const first = dialogue.takeOne('answerPage').page
    expect(first).toMatchObject({ phase: 'ready', sequence: 1, isLast: false })
    expect(first.entries.map(({ id }) => id)).toEqual(['a', 'b'])
    const after = { kind: 'device_state', id: 'b' } as const
    dialogue.post({ type: 'PageRequested', request: 2, from, query: { after, max: 2 } })
    const last = dialogue.takeOne('answerPage').page
    expect(last.entries.map(({ id }) => id)).toEqual(['c'])
    expect(last.isLast).toBe(true)
  })

  it('is served to two at a time; a third waits until one has its last page or gave up (rule 15)', () => {
    const dump = ['a', 'b', 'c'].map((id) => device(id, 'INUSE'))
    const dialogue = new Dialogue().ready(dump)
    const query = { max: 1 }
    for (const number of [2, 3]) {
      dialogue.post({ type: 'PageRequested', request: number, from: fullJidOf(number), query })
    }
    dialogue.clear().post({ type: 'PageRequested', request: 4, from: fullJidOf(4), query })
    expect(dialogue.takeOne('refuse').condition).toBe('resource-constraint')
    dialogue.post({ type: 'PageRequested', request: 5, from: fullJidOf(2), query: { max: 9 } })
    dialogue.clear().post({ type: 'PageRequested', request: 6, from: fullJidOf(4), query })
    expect(dialogue.take('answerPage')).toHaveLength(1)
  })

  it('comes in larger pages to who asks soon, in smaller ones to who is slow or gave up (rule 14)', () => {
    const dump = Array.from({ length: 900 }, (_, index) =>
      device(`PJSIP/${String(index).padStart(30, '0')}`, 'INUSE'),
    )
    const dialogue = new Dialogue().ready(dump)
    const from = fullJidOf(2)
    const ask = (after?: string): string[] => {
      const query = {
        max: 500,
        ...(after !== undefined && { after: { kind: 'device_state' as const, id: after } }),
      }
      dialogue.post({ type: 'PageRequested', request: 1, from, query })
      return dialogue.takeOne('answerPage').page.entries.map(({ id }) => id)
    }
    const first = ask()
    const second = ask(first.at(-1))
    expect(second.length).toBeGreaterThan(1.9 * first.length)
    dialogue.pass(1_001)
    const third = ask(second.at(-1))
    expect(third.length).toBeCloseTo(second.length / 2, -1)
    dialogue.pass(10_001)
    expect(ask().length).toBeCloseTo(third.length / 2, -1)
  })

  it('is refused to a stranger (rule 18)', () => {
    const dialogue = ready()
    const from = 'mallory@example.org/x'
    dialogue.post({ type: 'PageRequested', request: 1, from, query: { max: 1 } })
    dialogue.post({ type: 'StatusRequested', request: 2, from })
    expect(dialogue.take('refuse').map(({ condition }) => condition)).toEqual([
      'forbidden',
      'forbidden',
    ])
  })
})

/** One that nobody has announced as a member. */
const ofStranger = { ...emptyBatch(9, 2), entries: [device('x', 'BUSY')] }

describe('the window', () => {
  const query = { max: 1 }
  const eid = eidOf(1)
  const kind = 'device_state'

  it('is written behind, one item at a time, the last value (rule 26)', () => {
    const dialogue = ready()
      .report('PJSIP/1', 'RINGING')
      .report('PJSIP/1', 'INUSE')
      .report('PJSIP/2', 'BUSY')
      .pass(99)
    expect(dialogue.take('writeWindow')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.takeOne('writeWindow').entry).toEqual(device('PJSIP/1', 'INUSE'))
    dialogue.pass(100).post({ type: 'WindowWritten' }).pass(799)
    expect(dialogue.take('writeWindow')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.takeOne('writeWindow').entry).toEqual(device('PJSIP/2', 'BUSY'))
  })

  it.each<[string, number, (dialogue: Dialogue) => unknown]>([
    ['nothing passes', 3 * 900, () => undefined],
    ['a stranger sends states', 3 * 900, (dialogue) => dialogue.receive(ofStranger, jidOf(9))],
    ['states of a peer pass', 5_000, (dialogue) => dialogue.batch(2, 2, device('x', 'BUSY'))],
    [
      'a peer reads the table',
      5_000,
      (dialogue) => dialogue.post({ type: 'PageRequested', request: 1, from: fullJidOf(2), query }),
    ],
  ])(
    'rests three times as long as a write took with one peer, and longer the more passes: %s (rule 26)',
    (_what, restMs, passes) => {
      const dialogue = new Dialogue().ready().joined(2)
      dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/2', 'BUSY').pass(100)
      dialogue.pass(900).clear()
      passes(dialogue)
      dialogue.post({ type: 'WindowWritten' }).pass(restMs - 1)
      expect(dialogue.take('writeWindow')).toEqual([])
      dialogue.pass(1)
      expect(dialogue.takeOne('writeWindow').entry).toEqual(device('PJSIP/2', 'BUSY'))
    },
  )

  it('rests longer the more members share the server, at most four times its share (rule 26)', () => {
    const restMs = (peers: number): number => {
      const dialogue = new Dialogue().ready()
      for (let number = 2; number < 2 + peers; number += 1) dialogue.joined(number)
      for (const id of ['a', 'b', 'c']) dialogue.report(id, 'INUSE')
      dialogue.pass(1_000).post({ type: 'WindowWritten' }).clear()
      while (dialogue.take('writeWindow').length === 0) dialogue.pass(100)
      dialogue.pass(100).post({ type: 'WindowWritten' })
      const fromMs = dialogue.nowMs
      while (dialogue.take('writeWindow').length === 0) dialogue.pass(100)
      return dialogue.nowMs - fromMs
    }
    // Twice, three times and eight times the 100 ms that the write took, and one more, times 1, 1.5 and 4.
    expect([restMs(1), restMs(2), restMs(7)]).toEqual([300, 600, 3_600])
  })

  it('is swept of what is not so after the fence, and given what it lacks (rule 26)', () => {
    const dialogue = new Dialogue().found(device('a', 'INUSE'), device('b', 'BUSY'))
    dialogue.post({ type: 'StreamUp', jid: fullJidOf(1) })
    dialogue
      .post({ type: 'OwnNodesMade', windowItems: 256 })
      .post({ type: 'MembersRead', items: [] })
    dialogue.clear()
    const entries = [device('b', 'BUSY'), device('gone', 'INUSE')]
    dialogue.post({ type: 'WindowRead', eid, kind, entries, broken: ['rubbish'] })
    // The one that was being written.
    const written = ['write a']
    for (let round = 0; round < 8; round += 1) {
      dialogue.post({ type: 'WindowWritten' }).pass(20)
      const writes = dialogue.take('writeWindow').map(({ entry }) => `write ${entry.id}`)
      const retracts = dialogue.take('retractWindow').map(({ id }) => `retract ${id}`)
      written.push(...writes, ...retracts)
      if (writes.length + retracts.length === 0) break
    }
    expect(new Set(written)).toEqual(
      new Set(['write a', 'write b', 'retract gone', 'retract rubbish']),
    )
  })

  it('is written for mailboxes first, which joiners read (rules 22 and 26)', () => {
    const dialogue = ready().report('PJSIP/1', 'INUSE').report('PJSIP/2', 'INUSE')
    const count = {
      kind: 'message_waiting',
      id: '1000@default',
      newMessages: 1,
      oldMessages: 0,
    } as const
    dialogue.post({ type: 'StateReported', entry: count }).pass(100)
    expect(dialogue.takeOne('writeWindow').entry).toEqual(count)
  })

  it('is audited every five minutes (rule 26)', () => {
    const dialogue = ready().pass(299_999)
    expect(dialogue.take('readWindow')).toEqual([])
    dialogue.pass(1)
    expect(dialogue.take('readWindow').map((each) => each.kind)).toEqual([kind, 'message_waiting'])
  })

  it('keeps a write in mind that a broken stream swallowed', () => {
    const dialogue = ready().report('PJSIP/1', 'INUSE').pass(100).clear()
    dialogue.post({ type: 'WindowFailed', failure: failed('disconnected') })
    dialogue.post({ type: 'StreamDown', reason: 'cut' })
    expect(dialogue.bridge.overview().windowPending).toBe(1)
  })

  it('makes its nodes again where one is gone (rule 19)', () => {
    const dialogue = ready().report('PJSIP/1', 'INUSE').pass(100).clear()
    dialogue.post({ type: 'WindowFailed', failure: failed('item-not-found', false) }).pass(500)
    expect(dialogue.take('makeOwnNodes')).toHaveLength(1)
  })
})
