/** An Asterisk, a server or a peer that cannot keep up, or knows no measure: what waits is bounded, the last value wins. */
import { describe, expect, it } from 'vitest'
import type { Page } from '../../src/bridge/messages.js'
import { maxEntries } from '../../src/bridge/messages.js'
import { maxStates, Replica } from '../../src/bridge/replica.js'
import type { DeviceEntry, DeviceState } from '../../src/bridge/state.js'
import { takeFitting } from '../../src/bridge/wire.js'
import { Dialogue, emptyBatch, failed, statusOf, subscribedTo } from './harness.js'
import { device, eidOf, jidOf } from './settings.js'

const storm: readonly DeviceState[] = ['INUSE', 'RINGING', 'BUSY', 'ONHOLD']
const devices = Array.from({ length: 300 }, (_, index) => `Custom:${index}`)

/** Every device changes; `round` says to what. */
const changes = (round: number): DeviceEntry[] =>
  devices.map((id, index) => device(id, storm[(index + round) % storm.length] ?? 'BUSY'))

describe('an Asterisk that answers slowly (rule 25)', () => {
  it('is sent at most one state a lane at a time; of 300 devices 300 wait, and get their last values', () => {
    const bridge = new Dialogue().ready().joined(2)
    for (let round = 0; round < 50; round += 1) bridge.batch(2, round + 2, ...changes(round))
    expect(bridge.take('inject')).toHaveLength(4)
    expect(bridge.bridge.overview().injectionPending).toBeLessThanOrEqual(304)
    for (let lane = 0; lane < 4; lane += 1) bridge.post({ type: 'InjectionAnswered', lane })
    const last = new Map(bridge.answerInjections().map(({ entry }) => [entry.id, entry]))
    expect([...last.values()].map((entry) => entry)).toEqual(expect.arrayContaining(changes(49)))
  })

  it('raises no alarm for a burst that it works off at its pace', () => {
    const bridge = new Dialogue().ready().joined(2)
    bridge.batch(2, 2, ...changes(0))
    for (let sent = bridge.take('inject'); sent.length > 0; sent = bridge.take('inject')) {
      bridge.pass(4 / 1.5)
      for (const { lane } of sent) bridge.post({ type: 'InjectionAnswered', lane })
    }
    expect(bridge.health('injection-lag')).toBeUndefined()
  })

  it('is a warning, which stands until nothing was late for a minute', () => {
    const bridge = new Dialogue().ready().joined(2).batch(2, 2, device('Custom:1', 'INUSE'))
    const { lane } = bridge.takeOne('inject')
    bridge.pass(2_500).post({ type: 'InjectionAnswered', lane })
    expect(bridge.health('injection-lag')).toContain('overloaded')
    expect(bridge.bridge.overview().injectionLagMs).toBe(2_500)
    bridge.batch(2, 3, device('Custom:1', 'BUSY')).answerInjections()
    bridge.clear().pass(59_000)
    expect(bridge.take('health').filter(({ key }) => key === 'injection-lag')).toEqual([])
    bridge.pass(1_000)
    expect(bridge.take('health').filter(({ key }) => key === 'injection-lag')).toMatchObject([
      { severity: 'warning' },
    ])
  })

  it('counts a state that fails again and again from its change on', () => {
    const bridge = new Dialogue().ready().joined(2).batch(2, 2, device('Custom:1', 'INUSE'))
    for (let attempt = 0; attempt < 6; attempt += 1) {
      const { lane } = bridge.takeOne('inject')
      bridge.post({ type: 'InjectionAnswered', lane, failure: failed('timeout') }).pass(5_000)
    }
    expect(bridge.health('injection-lag')).toContain('late')
  })

  it('that is lost raises no alarm of its own; what waits starts anew when it is back', () => {
    const bridge = new Dialogue().ready().joined(2)
    bridge.post({ type: 'AsteriskLost', reason: 'silence' })
    bridge
      .batch(2, 2, ...changes(0))
      .pass(20_000)
      .batch(2, 3, ...changes(1))
    expect(bridge.take('inject')).toEqual([])
    expect(bridge.bridge.overview().injectionPending).toBe(300)
    bridge.post({ type: 'AsteriskFound' }).answerInjections()
    expect(bridge.health('injection-lag')).toBeUndefined()
  })
})

describe('a server that takes little (rule 11)', () => {
  const answer = (bridge: Dialogue): void => {
    const { batch } = bridge.takeOne('publishBatch')
    bridge.post({ type: 'BatchPublished', sequence: batch.sequence })
  }

  it('is sent one batch at a time; of 300 devices that change at will 300 wait, the last value wins', () => {
    const bridge = new Dialogue().ready(changes(0))
    bridge
      .take('publishBatch')
      .forEach(({ batch }) => bridge.post({ type: 'BatchPublished', sequence: batch.sequence }))
    bridge.answerPublishes()
    bridge.pass(5).report('Custom:first', 'INUSE')
    for (let round = 1; round <= 50; round += 1) {
      for (const { id, state } of changes(round)) bridge.report(id, state)
      bridge.pass(100)
    }
    expect(bridge.bridge.overview().feedPending).toBe(300)
    answer(bridge)
    // The publish took 5 s; the rest after it is as long.
    bridge.pass(4_999)
    expect(bridge.take('publishBatch')).toEqual([])
    bridge.pass(1)
    const last = bridge.answerPublishes().flatMap(({ entries }) => entries)
    expect(last).toEqual(changes(50))
  })

  it('is a warning that names the remedy, once a change was late by more than two seconds', () => {
    const bridge = new Dialogue().ready().report('Custom:1', 'INUSE')
    bridge.pass(1_900)
    answer(bridge)
    expect(bridge.health('feed-lag')).toBeUndefined()
    bridge.pass(1_000).report('Custom:1', 'BUSY').pass(1_500).report('Custom:2', 'BUSY')
    answer(bridge)
    bridge.pass(1_500)
    answer(bridge)
    expect(bridge.health('feed-lag')).toBeUndefined()
    bridge.pass(1_000).report('Custom:1', 'INUSE').pass(2_100)
    answer(bridge)
    expect(bridge.health('feed-lag')).toContain('raise that limit')
    expect(bridge.bridge.overview().feedLagMs).toBe(2_100)
  })

  it('counts what waits for the next batch from its change on, however often it changes', () => {
    const bridge = new Dialogue().ready().report('Custom:1', 'INUSE').report('Custom:2', 'INUSE')
    bridge.pass(1_500)
    answer(bridge)
    bridge.report('Custom:2', 'BUSY').pass(1_500)
    answer(bridge)
    expect(bridge.health('feed-lag')).toContain('late')
  })

  it('is no alarm for what waited while there was no stream', () => {
    const bridge = new Dialogue().ready()
    bridge.post({ type: 'StreamDown', reason: 'test' }).report('Custom:1', 'INUSE').pass(30_000)
    bridge.online()
    answer(bridge)
    expect(bridge.health('feed-lag')).toBeUndefined()
  })
})

describe('the measure of a batch', () => {
  const many = Array.from({ length: 3_000 }, (_, index) =>
    device(`PJSIP/${String(index).padStart(6, '0')}`, 'INUSE'),
  )
  const sizes = (tookMs: number): number[] => {
    const bridge = new Dialogue().ready(many)
    const taken: number[] = []
    for (let sent = bridge.take('publishBatch'); sent.length > 0;) {
      const { entries, sequence } = sent[0]?.batch ?? emptyBatch(1, 0)
      if (entries.length === 0) break
      taken.push(entries.length)
      bridge.passFenced(tookMs).post({ type: 'BatchPublished', sequence }).passFenced(tookMs)
      sent = bridge.take('publishBatch')
    }
    return taken
  }

  it('doubles while the server answers at once, up to what a stanza may hold (rule 11)', () => {
    const [first = 0, second = 0, third = 0] = sizes(5)
    expect([second >= 2 * first, third]).toEqual([true, 500])
  })

  it('halves while an answer takes more than a second, so that none is late by a heartbeat', () => {
    const taken = sizes(2_000)
    expect(taken.slice(0, 4)).toEqual([215, 107, 53, 26])
    expect(new Set(taken.slice(3, -1))).toEqual(new Set([26]))
    expect(taken.reduce((sum, size) => sum + size, 0)).toBe(3_000)
  })

  /** Sends what is in flight in vain: it times out, the stream ends and comes back. */
  const loseOnce = (bridge: Dialogue, sequence: number): void => {
    bridge.clear().passFenced(10_000)
    bridge.post({ type: 'BatchFailed', sequence, failure: failed('timeout') })
    bridge.post({ type: 'StreamDown', reason: 'test' }).clear().online()
  }

  it('halves with every batch that was not answered, for the batches and pages to come', () => {
    const bridge = new Dialogue().ready(many)
    const page = { type: 'PageRequested', request: 1, query: { max: 500 } } as const
    const pages = Array.from({ length: 5 }, () => {
      loseOnce(bridge, 1)
      bridge.post({ ...page, from: `${jidOf(2)}/${eidOf(2)}` })
      return bridge.takeOne('answerPage').page.entries.length
    })
    expect(pages).toEqual([107, 53, 26, 13, 13])
  })

  it('gives a batch up that was lost twice: with a new epoch peers pull the table (rules 11 and 12)', () => {
    const bridge = new Dialogue().ready(many)
    const first = bridge.takeOne('publishBatch').batch
    loseOnce(bridge, 1)
    expect(bridge.takeOne('publishBatch').batch).toEqual(first)
    bridge.pass(10_000).post({ type: 'BatchFailed', sequence: 1, failure: failed('timeout') })
    bridge.post({ type: 'StreamDown', reason: 'test' }).clear()
    bridge.post({ type: 'StreamUp', jid: `${jidOf(1)}/${eidOf(1)}` })
    bridge.post({ type: 'OwnNodesMade', windowItems: 256 })
    bridge.post({ type: 'MembersRead', items: [] })
    const epoch = bridge.take('announce').at(-1)?.item.epoch
    expect(epoch).toMatch(/^0+e2$/)
    expect(epoch).not.toBe(first.epoch)
    expect(bridge.take('publishBatch')).toEqual([])
    bridge.post({ type: 'StatusRequested', request: 1, from: `${jidOf(2)}/${eidOf(2)}` })
    expect(bridge.takeOne('answerStatus').status).toMatchObject({ epoch, sequence: 0 })
    bridge.report('PJSIP/000001', 'BUSY')
    const { batch } = bridge.takeOne('publishBatch')
    expect(batch).toMatchObject({ epoch, sequence: 1, entries: [{ id: 'PJSIP/000001' }] })
  })

  it('is not why a small batch was lost: that keeps its epoch and number, however often', () => {
    const bridge = new Dialogue().ready().report('PJSIP/1', 'INUSE')
    const first = bridge.takeOne('publishBatch').batch
    for (let loss = 0; loss < 5; loss += 1) {
      loseOnce(bridge, 1)
      expect(bridge.takeOne('publishBatch').batch).toEqual(first)
    }
  })

  it('takes one entry in any case, however long its name', () => {
    const long = device(`PJSIP/${'&'.repeat(240)}`, 'INUSE')
    expect(takeFitting([long, long], maxEntries, 1024)).toEqual([long])
  })

  it('is that of the pages too, which go the same way (rule 14)', () => {
    const bridge = new Dialogue().ready(many)
    bridge.post({
      type: 'PageRequested',
      request: 1,
      from: `${jidOf(2)}/${eidOf(2)}`,
      query: { max: 500 },
    })
    expect(bridge.takeOne('answerPage').page).toMatchObject({ isLast: false })
    expect(bridge.bridge.overview().feedPending).toBe(3_000 - 215)
  })
})

describe('a peer that knows no measure', () => {
  it('cannot fill the memory: more than 100,000 names are left out, with a warning', () => {
    const bridge = new Dialogue().ready().joined(2)
    let sequence = 1
    for (let first = 0; first < maxStates + maxEntries; first += maxEntries) {
      const entries = Array.from({ length: maxEntries }, (_, index) =>
        device(`Custom:${first + index}`, 'INUSE'),
      )
      bridge.batch(2, (sequence += 1), ...entries)
    }
    const [peer] = bridge.bridge.overview().members
    expect(peer).toMatchObject({ states: maxStates, isSynced: true, life: 'alive' })
    expect(bridge.health(`member-size:${jidOf(2)}`)).toContain('100000')
    // What is held goes on to change.
    bridge.clear().batch(2, sequence + 1, device('Custom:0', 'BUSY'), device('Custom:none', 'BUSY'))
    expect(bridge.bridge.overview().members[0]?.states).toBe(maxStates)
  }, 30_000)

  const page = (changed: Partial<Page>): Page => ({
    ...statusOf(2),
    entries: [],
    isLast: false,
    ...changed,
  })

  it.each([
    ['repeats itself', () => [device('b', 'INUSE')]],
    ['goes back', () => [device('a', 'INUSE')]],
    ['is out of order', () => [device('d', 'INUSE'), device('c', 'INUSE')]],
  ])('is broken off when a page %s (rule 14)', (_title, entries) => {
    const replica = new Replica(() => undefined)
    replica.beginPull()
    expect(replica.takePage(page({ entries: [device('b', 'INUSE')] }))).toBe('more')
    expect(replica.takePage(page({ entries: entries() }))).toBe('restart')
  })

  it('is broken off when its snapshot has no end, and the other peers have their turn (rule 15)', () => {
    const bridge = new Dialogue().ready()
    for (const number of [2, 3]) {
      const item = { id: jidOf(number), eid: eidOf(number), epoch: statusOf(number).epoch }
      bridge.post({
        type: 'MemberItemReceived',
        item: {
          ...item,
          name: 'x',
          jid: `${item.id}/${item.eid}`,
          service: 'pubsub.example.org',
          version: '1',
        },
      })
      bridge.post(subscribedTo(number))
    }
    for (const { token, jid } of bridge.take('ask')) {
      const number = jid.startsWith(jidOf(2)) ? 2 : 3
      bridge.post({ type: 'StatusReceived', token, from: jid, status: statusOf(number) })
    }
    for (let pages = 0; pages < 3_000; pages += 1) {
      const { token, jid } = bridge.takeOne('pull')
      if (!jid.startsWith(jidOf(2))) {
        expect(pages).toBeGreaterThan(1_000)
        return
      }
      const entries = [device(`Custom:${String(pages).padStart(9, '0')}`, 'INUSE')]
      bridge.post({ type: 'PageReceived', token, from: jid, page: page({ entries }) })
    }
    expect.unreachable('the pull never ended')
  })

  it('in a flood of batches keeps nobody else from being heard (rule 21)', () => {
    const bridge = new Dialogue().ready().joined(2).joined(3)
    for (let sequence = 2; sequence < 1_000; sequence += 1) {
      bridge.batch(2, sequence, ...changes(sequence).slice(0, 10))
      if (sequence % 100 === 0)
        bridge.receive(emptyBatch(3, sequence / 100 + 1), jidOf(3)).pass(1_200)
    }
    expect(bridge.bridge.overview().members.map(({ life, isSynced }) => [life, isSynced])).toEqual([
      ['alive', true],
      ['alive', true],
    ])
    expect(bridge.take('publishBatch').length).toBeGreaterThan(0)
  })
})
