import { describe, expect, it } from 'vitest'
import type { BridgeSettings } from '../../src/bridge/context.js'
import type { Kind, StateEntry } from '../../src/bridge/state.js'
import { Dialogue, failed, memberItem, wordOf } from './harness.js'
import { device, eidOf, fullJidOf, mailbox, settings } from './settings.js'

const mwi = 'message_waiting'
const dev = 'device_state'

/** All that the cluster was told. */
function told(dialogue: Dialogue): string[] {
  return dialogue.answerPublishes().flatMap(({ entries }) => entries.map(wordOf))
}

/** Filters that keep out what has such a name. */
function without(...ids: string[]): Pick<BridgeSettings, 'share'> {
  const share = { publish: true, subscribe: true, isShared: (id: string) => !ids.includes(id) }
  return { share: { device_state: share, message_waiting: share } }
}

describe('the fence', () => {
  it('follows the 200 to refresh, one for each kind (rule 1)', () => {
    const dialogue = new Dialogue().post({ type: 'AsteriskFound' })
    expect(dialogue.take('refresh').map(({ kind }) => kind)).toEqual([dev, mwi])
    expect(dialogue.take('fence')).toEqual([])
    dialogue.answerRefresh(mwi)
    expect(dialogue.takeOne('fence').kind).toBe(mwi)
  })

  it('ends what the dump did not name: devices are gone, counts become 0/0 (rule 1)', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE'), mailbox('1@default', 2, 1)])
    expect(told(dialogue)).toEqual(['PJSIP/1 INUSE', '1@default 2/1'])
    dialogue
      .post({ type: 'RefreshRequested', kind: dev })
      .post({ type: 'RefreshRequested', kind: mwi })
    dialogue.fenced(device('PJSIP/2', 'BUSY'))
    expect(told(dialogue).sort()).toEqual(['1@default 0/0', 'PJSIP/2 BUSY', 'gone PJSIP/1'])
  })

  it('of another nonce is not taken for it (rule 1)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' })
    for (const kind of [dev, mwi] as const) dialogue.answerRefresh(kind)
    for (const { kind, nonce } of dialogue.take('fence')) {
      dialogue.post({ type: 'FenceReturned', kind, nonce: nonce - 1 })
    }
    expect(dialogue.bridge.overview().phase).toBe('syncing')
  })

  it('lets nothing be published, announced or served before it is back (rule 2)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' })
    dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/1', 'BUSY')
    expect(dialogue.take('publishBatch')).toEqual([])
    expect(dialogue.take('announce')).toEqual([])
    dialogue.post({ type: 'PageRequested', request: 7, from: fullJidOf(2), query: { max: 500 } })
    expect(dialogue.takeOne('answerPage').page).toMatchObject({ phase: 'syncing', entries: [] })
    dialogue.fenced(device('PJSIP/1', 'BUSY'))
    expect(told(dialogue)).toEqual(['PJSIP/1 BUSY'])
    expect(dialogue.take('announce')).toHaveLength(1)
  })

  it('waits for the last refresh that was asked, so that no dump is taken for another (rules 1 and 10)', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE')])
    dialogue.post({ type: 'AsteriskFound' })
    // Its first half was dumped before Asterisk asked for our states, and so we for its own once more.
    dialogue.report('PJSIP/1', 'INUSE').post({ type: 'RefreshRequested', kind: dev })
    dialogue.answerRefresh(dev)
    expect(dialogue.take('fence')).toEqual([])
    dialogue.report('PJSIP/1', 'INUSE').answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    expect(told(dialogue)).toEqual(['PJSIP/1 INUSE'])
  })

  it('does not follow the late answer to a refresh that was given up, whose dump it does not end', () => {
    // Found by the model search: the count that only the first dump named was taken for emptied.
    const dialogue = new Dialogue().ready([mailbox('1@default', 1)])
    told(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: mwi }).pass(29_999)
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 1) }).pass(1)
    expect(dialogue.take('refresh')).toHaveLength(2)
    dialogue.answerRefresh(mwi)
    expect(dialogue.take('fence').filter(({ kind }) => kind === mwi)).toEqual([])
    dialogue.answerRefresh(mwi, failed('503')).pass(1_000).fenced(mailbox('1@default', 1))
    expect(dialogue.bridge.overview().phase).toBe('ready')
    expect(told(dialogue)).toEqual([])
  })

  it('is asked for again where a device showed two values meanwhile (rule 3)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' }).clear()
    dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/1', 'NOT_INUSE')
    dialogue.answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    expect(dialogue.takeOne('refresh').kind).toBe(dev)
    dialogue.report('PJSIP/1', 'INUSE').answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    dialogue.answerRefresh(mwi)
    dialogue.post({ type: 'FenceReturned', kind: mwi, nonce: dialogue.fenceOf(mwi) })
    expect(told(dialogue)).toEqual(['PJSIP/1 INUSE'])
  })

  it('ends a count that a dump gave back after the mailbox was emptied (rule 3)', () => {
    // Found by the model search: the second dump names no empty mailbox, and the count of the first one stayed.
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' }).clear()
    const say = (count: number): Dialogue =>
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    for (const count of [1, 0, 1]) say(count)
    dialogue.answerRefresh(mwi)
    dialogue.post({ type: 'FenceReturned', kind: mwi, nonce: dialogue.fenceOf(mwi) }).fenced()
    dialogue.answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('ends a count that a dump gave back after a change that rule 5 kept back (rule 3)', () => {
    // Found by the model search: the mailbox is emptied before this run has seen it filled, and the dump overtakes that.
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' }).clear()
    for (const count of [0, 1]) {
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    }
    dialogue.answerRefresh(mwi)
    dialogue.post({ type: 'FenceReturned', kind: mwi, nonce: dialogue.fenceOf(mwi) }).fenced()
    dialogue.answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('ends a count that a dump gave back though SIGHUP has it ask from the start (rule 3)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' }).clear()
    for (const count of [1, 0, 1]) {
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    }
    dialogue.answerRefresh(mwi)
    dialogue.post({ type: 'FenceReturned', kind: mwi, nonce: dialogue.fenceOf(mwi) }).clear()
    dialogue.reload({}).clear()
    for (const kind of [dev, mwi] as const) {
      for (let asked = 0; asked < 2; asked += 1) dialogue.answerRefresh(kind)
      dialogue.post({ type: 'FenceReturned', kind, nonce: dialogue.fenceOf(kind) })
    }
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('ends a count that a dump gave back after it was asked for anew (rule 3)', () => {
    const dialogue = new Dialogue().ready([mailbox('1@default', 1)])
    told(dialogue)
    const say = (count: number): Dialogue =>
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    dialogue.reload({})
    say(0).reload({})
    // The first dump has overtaken the change.
    say(1).fenced()
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('ends a count that the dump for an earlier bridge gave back (rule 3)', () => {
    // Found by the model search: what waited in Asterisk's queue came before Asterisk was found, and its end after that.
    const dialogue = new Dialogue().online()
    const say = (count: number): Dialogue =>
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    for (const count of [1, 0]) say(count)
    dialogue.post({ type: 'AsteriskFound' })
    say(1).fenced()
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('keeps a count that a dump has named since it was in doubt (rule 3)', () => {
    const dialogue = new Dialogue().post({ type: 'AsteriskFound' })
    const dump = (...entries: StateEntry[]): void => {
      for (const { kind } of dialogue.take('refresh')) {
        for (const entry of entries) {
          if (entry.kind === kind) dialogue.post({ type: 'StateReported', entry })
        }
        dialogue.answerRefresh(kind)
      }
      for (const { kind, nonce } of dialogue.take('fence')) {
        dialogue.post({ type: 'FenceReturned', kind, nonce })
      }
    }
    const [kept, flaps] = ['1000@default', '2000@default']
    dump()
    told(dialogue.online().post({ type: 'StateReported', entry: mailbox(kept, 2) }))
    dialogue.post({ type: 'RefreshRequested', kind: mwi })
    dump(mailbox(kept, 2), mailbox(kept, 3), mailbox(flaps, 1))
    dump(mailbox(kept, 3), mailbox(flaps, 1), mailbox(flaps, 2))
    dump(mailbox(kept, 3), mailbox(flaps, 2), mailbox(flaps, 3))
    expect(told(dialogue)).toContain(`${kept} 3/0`)
    // Nobody subscribes to it any more when the next dump comes.
    dialogue.pass(3_000)
    dump(mailbox(flaps, 3))
    expect(told(dialogue)).not.toContain(`${kept} 0/0`)
  })

  it('keeps a count that changed meanwhile where nobody subscribes to the mailbox (rules 1 and 3)', () => {
    const dialogue = new Dialogue().ready([mailbox('1@default', 1)])
    dialogue.reload({})
    for (const count of [2, 3]) {
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    }
    // The dump that is asked for then does not name it.
    expect(told(dialogue.fenced().fenced()).at(-1)).toBe('1@default 3/0')
  })

  it('is not asked for again for an uncachable state, which no dump names (rules 3 and 4)', () => {
    const dialogue = new Dialogue({ settings: { sharesUncachable: true } }).ready()
    dialogue.reload({ sharesUncachable: true }).clear()
    for (const state of ['INUSE', 'NOT_INUSE'] as const) {
      dialogue.post({ type: 'StateReported', entry: device('Local/1', state, false) })
    }
    dialogue.answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    expect(dialogue.take('refresh')).toEqual([])
    expect(told(dialogue)).toEqual(['Local/1 NOT_INUSE'])
  })

  it('is not waited for for ever where a device never rests (rule 3)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' })
    for (let pass = 1; pass <= 3; pass += 1) {
      dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/1', 'NOT_INUSE').fenced()
    }
    expect(dialogue.bridge.overview().phase).toBe('ready')
  })

  it('is not asked for again for a device that is not shared (rule 3)', () => {
    const dialogue = new Dialogue({ settings: without('Queue:q') }).post({ type: 'AsteriskFound' })
    dialogue.clear().report('Queue:q', 'INUSE').report('Queue:q', 'NOT_INUSE')
    dialogue.answerRefresh(dev)
    dialogue.post({ type: 'FenceReturned', kind: dev, nonce: dialogue.fenceOf(dev) })
    expect(dialogue.take('refresh')).toEqual([])
  })

  it('that is overdue for 30 s is a health error that says what to reload, and is asked for again (rule 6)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' })
    dialogue.answerRefresh(mwi).clear().pass(29_999)
    expect(dialogue.health(`fence:${mwi}`)).toBeUndefined()
    dialogue.pass(1)
    expect(dialogue.health(`fence:${mwi}`)).toContain('module reload res_pjsip_outbound_publish.so')
    dialogue.fenced()
    expect(dialogue.bridge.overview().phase).toBe('ready')
  })

  it('asks a silent Asterisk for no dump more, for each would wait in its memory, until it says something (rule 6)', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' })
    dialogue.answerRefresh(dev).answerRefresh(mwi)
    dialogue.post({ type: 'FenceReturned', kind: mwi, nonce: dialogue.fenceOf(mwi) }).clear()
    for (let second = 0; second < 600; second += 1) dialogue.pass(1_000)
    expect(dialogue.take('refresh').filter(({ kind }) => kind === dev)).toEqual([])
    expect(dialogue.take('fence').filter(({ kind }) => kind === dev)).toHaveLength(20)
    dialogue.report('PJSIP/1', 'INUSE')
    expect(dialogue.takeOne('refresh').kind).toBe(dev)
  })

  it('is tried again after a refresh that failed for now', () => {
    const dialogue = new Dialogue().online().post({ type: 'AsteriskFound' }).clear()
    dialogue.answerRefresh(dev, failed('503')).pass(1_000)
    expect(dialogue.takeOne('refresh').kind).toBe(dev)
  })
})

describe('what is shared of the own PBX', () => {
  it('leaves out what the filters exclude and what is uncachable (rule 4)', () => {
    const dialogue = new Dialogue({ settings: without('Queue:q') }).ready()
    dialogue.report('Queue:q', 'INUSE')
    dialogue.post({ type: 'StateReported', entry: device('Custom:x', 'INUSE', false) })
    expect(told(dialogue)).toEqual([])
  })

  it('holds uncachable states where they are configured, until the PBX restarts (rule 4)', () => {
    const dialogue = new Dialogue({ settings: { sharesUncachable: true } }).ready()
    dialogue.post({ type: 'StateReported', entry: device('Custom:x', 'INUSE', false) })
    expect(told(dialogue)).toEqual(['Custom:x INUSE'])
    dialogue.post({ type: 'RefreshRequested', kind: dev }).fenced()
    expect(told(dialogue)).toEqual(['gone Custom:x'])
  })

  it('does not say the same twice', () => {
    const dialogue = new Dialogue().ready().report('PJSIP/1', 'INUSE').report('PJSIP/1', 'INUSE')
    expect(told(dialogue)).toEqual(['PJSIP/1 INUSE'])
  })

  it('is withdrawn when Asterisk has been away for grace, but for its counts (rules 7 and 22)', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE'), mailbox('1@default', 1)])
    told(dialogue)
    dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' }).pass(4_999)
    expect(told(dialogue)).toEqual([])
    dialogue.pass(1)
    expect(told(dialogue)).toEqual(['gone PJSIP/1'])
  })

  it('is told in the end though grace passes between the dump and the fence (rules 2 and 7)', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'BUSY')])
    told(dialogue)
    dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' }).pass(4_990)
    dialogue.post({ type: 'AsteriskFound' }).report('PJSIP/1', 'RINGING').pass(10)
    expect(told(dialogue)).toEqual(['gone PJSIP/1', 'gone PJSIP/2'])
    dialogue.fenced()
    expect(told(dialogue)).toEqual(['PJSIP/1 RINGING'])
  })

  it('stays where Asterisk is back within grace with the same states', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE')])
    told(dialogue)
    dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' }).pass(4_000)
    dialogue.found(device('PJSIP/1', 'INUSE')).pass(9_000)
    expect(told(dialogue).filter((word) => word.startsWith('gone'))).toEqual([])
  })
})

describe('filters that change while the bridge runs', () => {
  const both = [device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'BUSY')]

  it('withdraw at once what they keep out, and tell it again when they share it (rule 4)', () => {
    const dialogue = new Dialogue().ready(both)
    told(dialogue)
    dialogue.reload(without('PJSIP/2'))
    expect(told(dialogue)).toEqual(['gone PJSIP/2'])
    dialogue.fenced(...both).report('PJSIP/2', 'RINGING')
    expect(told(dialogue)).toEqual([])
    dialogue.reload(without()).fenced(device('PJSIP/1', 'INUSE'), device('PJSIP/2', 'RINGING'))
    expect(told(dialogue)).toEqual(['PJSIP/2 RINGING'])
  })

  it('tell what they share of a dump that was under way (rules 2 and 4)', () => {
    const dialogue = new Dialogue({ settings: without('PJSIP/2') }).ready(both)
    told(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: dev }).clear()
    dialogue.report('PJSIP/1', 'INUSE').report('PJSIP/2', 'BUSY')
    dialogue.answerRefresh(dev)
    const nonce = dialogue.fenceOf(dev)
    dialogue.reload(without()).post({ type: 'FenceReturned', kind: dev, nonce })
    expect(told(dialogue)).toEqual([])
    dialogue.fenced(...both)
    expect(told(dialogue)).toEqual(['PJSIP/2 BUSY'])
  })

  it('tell uncachable states where those are shared now, and withdraw them where not (rule 4)', () => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'StateReported', entry: device('Custom:x', 'INUSE', false) })
    expect(told(dialogue)).toEqual([])
    // No dump names it.
    dialogue.reload({ sharesUncachable: true }).fenced()
    expect(told(dialogue)).toEqual(['Custom:x INUSE'])
    dialogue.reload({})
    expect(told(dialogue)).toEqual(['gone Custom:x'])
  })

  it('tell a count again that no dump names since nobody subscribes to the mailbox (rule 1)', () => {
    const dialogue = new Dialogue().ready([mailbox('1@default', 2)])
    told(dialogue)
    dialogue.reload(without('1@default')).fenced()
    expect(told(dialogue)).toEqual(['gone 1@default'])
    dialogue.reload(without()).fenced()
    expect(told(dialogue)).toEqual(['1@default 2/0'])
  })

  it('tell what a mailbox came to while they kept it out: that it was filled, and emptied (rule 5)', () => {
    const dialogue = new Dialogue({ settings: without('1@default') }).ready()
    for (const count of [1, 0]) {
      dialogue.post({ type: 'StateReported', entry: mailbox('1@default', count) })
    }
    dialogue.reload(without()).fenced()
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('tell an empty mailbox that is claimed now (rule 5)', () => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    dialogue.reload({ isClaimed: () => true }).fenced()
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })
})

describe('a PBX that publishes nothing any more (rule 6)', () => {
  const complaints = (dialogue: Dialogue): unknown[] =>
    dialogue.take('health').filter(({ key, text }) => key.startsWith('fence') && text !== undefined)
  const begun = (): Dialogue => new Dialogue().ready([device('PJSIP/1', 'INUSE')]).clear()
  /** Each kind is a queue of its own in Asterisk: the other one goes on. */
  const passAlive = (dialogue: Dialogue, kind: Kind, seconds: number): Dialogue => {
    for (let second = 0; second < seconds; second += 1) {
      dialogue.pass(1_000)
      for (const fence of dialogue.take('fence')) {
        if (fence.kind === kind) dialogue.post({ type: 'FenceReturned', kind, nonce: fence.nonce })
      }
    }
    return dialogue
  }

  it.each([
    [dev, mwi],
    [mwi, dev],
  ] as const)('is named within a minute though nothing changes: %s', (mute, alive) => {
    const dialogue = passAlive(begun(), alive, 49)
    expect(dialogue.health(`fence:${mute}`)).toBeUndefined()
    passAlive(dialogue, alive, 1)
    const text = dialogue.health(`fence:${mute}`)
    expect(text).toContain('publishes nothing')
    expect(text).toContain("then 'module reload res_pjsip_outbound_publish.so'")
    expect(text).toContain('or restart Asterisk')
    passAlive(dialogue, alive, 600)
    expect(dialogue.health(`fence:${alive}`)).toBeUndefined()
  })

  it('is not asked while it speaks, and a fence that comes back is enough', () => {
    const dialogue = begun()
    for (let second = 0; second < 60; second += 1) {
      dialogue.report('PJSIP/1', second % 2 ? 'INUSE' : 'BUSY').pass(1_000)
    }
    expect(dialogue.take('fence').filter(({ kind }) => kind === dev)).toEqual([])
    const returned = begun()
    for (let second = 0; second < 600; second += 1) {
      returned.pass(1_000)
      for (const { kind, nonce } of returned.take('fence')) {
        returned.post({ type: 'FenceReturned', kind, nonce })
      }
    }
    expect(returned.take('refresh')).toEqual([])
    expect(complaints(returned)).toEqual([])
  })

  it('has its devices withdrawn after stale_after, and told anew when it speaks again (rule 16)', () => {
    const dialogue = new Dialogue().ready([device('PJSIP/1', 'INUSE')])
    expect(told(dialogue)).toEqual(['PJSIP/1 INUSE'])
    for (let second = 1; second < 110; second += 1) {
      expect(told(passAlive(dialogue, mwi, 1))).toEqual([])
    }
    expect(told(passAlive(dialogue, mwi, 1))).toEqual(['gone PJSIP/1'])
    dialogue.report('PJSIP/1', 'BUSY').fenced(device('PJSIP/1', 'BUSY'))
    expect(told(dialogue)).toEqual(['PJSIP/1 BUSY'])
    expect(dialogue.health(`fence:${dev}`)).toBeUndefined()
    expect(dialogue.bridge.overview().phase).toBe('ready')
  })

  it('is not blamed where it refused what it was sent: that has a health problem of its own', () => {
    const dialogue = begun()
    for (let second = 0; second < 120; second += 1) {
      dialogue.pass(1_000)
      for (const { kind, nonce } of dialogue.take('fence')) {
        dialogue.post({ type: 'FenceFailed', kind, nonce, failure: failed('404') })
      }
    }
    expect(complaints(dialogue)).toEqual([])
  })
})

describe('a PBX whose fence does not come back', () => {
  const held = [device('PJSIP/1', 'INUSE'), mailbox('1@default', 2)]

  it('for the counts goes on telling its devices (rules 2 and 6)', () => {
    const dialogue = new Dialogue().ready(held)
    told(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: 'message_waiting' }).report('PJSIP/1', 'BUSY')
    expect(told(dialogue)).toEqual(['PJSIP/1 BUSY'])
  })

  it('for the devices is held back for stale_after, then they are withdrawn, and told anew (rule 16)', () => {
    const dialogue = new Dialogue().ready(held)
    told(dialogue)
    dialogue.post({ type: 'RefreshRequested', kind: 'device_state' }).report('PJSIP/1', 'BUSY')
    for (let second = 1; second < 60; second += 1) expect(told(dialogue.pass(1_000))).toEqual([])
    expect(told(dialogue.pass(999))).toEqual([])
    expect(told(dialogue.pass(1))).toEqual(['gone PJSIP/1'])
    dialogue.fenced(device('PJSIP/1', 'RINGING'))
    expect(told(dialogue)).toEqual(['PJSIP/1 RINGING'])
  })

  it('when a device that never rests is asked for later has none after stale_after (rules 3 and 16)', () => {
    const flaps = [device('PJSIP/1', 'INUSE'), device('PJSIP/1', 'NOT_INUSE')]
    const dialogue = new Dialogue().ready(flaps)
    expect(told(dialogue)).toEqual(['PJSIP/1 NOT_INUSE'])
    dialogue.pass(2_000).report('PJSIP/1', 'BUSY')
    for (let second = 1; second < 60; second += 1) expect(told(dialogue.pass(1_000))).toEqual([])
    expect(told(dialogue.pass(1_000))).toEqual(['gone PJSIP/1'])
    dialogue.fenced(device('PJSIP/1', 'BUSY'))
    expect(told(dialogue)).toEqual(['PJSIP/1 BUSY'])
  })

  it('because it crashes again and again has no devices after grace (rule 7)', () => {
    const dialogue = new Dialogue().ready(held)
    told(dialogue)
    for (let crash = 0; crash < 6; crash += 1) {
      dialogue.post({ type: 'AsteriskLost', reason: 'ECONNREFUSED' }).pass(500)
      dialogue.post({ type: 'AsteriskFound' }).pass(500)
    }
    expect(told(dialogue)).toEqual(['gone PJSIP/1'])
  })
})

describe('a mailbox', () => {
  it('is published once its PBX reported messages, and then empty too (rule 5)', () => {
    const dialogue = new Dialogue().ready()
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    expect(told(dialogue)).toEqual([])
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 1) })
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    expect(told(dialogue)).toEqual(['1@default 1/0', '1@default 0/0'])
  })

  it('is published empty at once where the configuration claims it (rule 5)', () => {
    const dialogue = new Dialogue({ settings: { isClaimed: () => true } }).ready()
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('keeps its count where a later dump does not name it, unless the PBX has restarted (rule 1)', () => {
    const dialogue = new Dialogue().ready([mailbox('1@default', 2)])
    told(dialogue)
    dialogue.post({ type: 'AsteriskLost', reason: 'silence' }).found()
    expect(told(dialogue)).toEqual([])
    dialogue.post({ type: 'RefreshRequested', kind: 'message_waiting' }).fenced()
    expect(told(dialogue)).toEqual(['1@default 0/0'])
  })

  it('of a peer that the own PBX polls empty is given again, once a minute at most, with a warning (rule 5)', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.answerInjections()
    const polled = { type: 'StateReported', entry: mailbox('1@default', 0) } as const
    dialogue.clear().post(polled)
    expect(dialogue.health('mailbox-polled:1@default')).toContain('pollmailboxes=no')
    expect(dialogue.injected()).toEqual(['02:00:00:00:00:02 1@default 3/0'])
    dialogue.post(polled)
    expect(dialogue.injected()).toEqual([])
    dialogue.pass(60_000)
    expect(dialogue.injected()).toEqual(['02:00:00:00:00:02 1@default 3/0'])
    expect(told(dialogue)).toEqual([])
  })

  it('of a peer that the own PBX polls empty is given again where nothing is published (rule 5)', () => {
    const { share } = without()
    const message_waiting = { ...share.message_waiting, publish: false }
    const dialogue = new Dialogue({ settings: { share: { ...share, message_waiting } } })
    dialogue
      .ready()
      .joined(2, [mailbox('1@default', 3)])
      .answerInjections()
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    expect(dialogue.injected()).toEqual(['02:00:00:00:00:02 1@default 3/0'])
  })

  it.each<[string, (dialogue: Dialogue) => unknown]>([
    [
      'it is filled here',
      (dialogue) => dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 1) }),
    ],
    ['it was not polled for 10 minutes', (dialogue) => dialogue.pass(600_000)],
  ])('of a peer that was polled empty is warned of no longer when %s (rule 5)', (_, act) => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.answerInjections()
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) }).clear()
    act(dialogue)
    const told = dialogue.take('health').filter(({ key }) => key === 'mailbox-polled:1@default')
    expect(told).toEqual([
      { to: 'observe', do: 'health', key: 'mailbox-polled:1@default', severity: 'warning' },
    ])
  })

  it('that was polled while its withdrawal waited is given again when it is wanted again (rule 5)', () => {
    const dialogue = new Dialogue({ settings: { lanes: 1 } }).ready([], memberItem(2))
    dialogue.joined(2, [device('PJSIP/1', 'INUSE'), mailbox('1@default', 2)])
    dialogue.answerInjections()
    const { share } = settings()
    const subscribesToNone = { publish: true, subscribe: false, isShared: () => true }
    // The lane is busy with the device.
    dialogue.reload({
      lanes: 1,
      share: { device_state: subscribesToNone, message_waiting: subscribesToNone },
    })
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    dialogue.reload({ lanes: 1, share })
    expect(dialogue.injected()).toContain(`${eidOf(2)} 1@default 2/0`)
  })

  it('that was polled while its count was on the way to Asterisk is given again all the same (rule 5)', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 3)])
    dialogue.post({ type: 'StateReported', entry: mailbox('1@default', 0) })
    expect(dialogue.injected()).toHaveLength(2)
  })

  it('of two members shows the last change, with a warning, and the other when that one leaves (rule 5)', () => {
    const dialogue = new Dialogue().ready().joined(2, [mailbox('1@default', 2)])
    dialogue.joined(3, [mailbox('1@default', 3)])
    expect(dialogue.health('mailbox-owners:1@default')).toContain('Several members have messages')
    dialogue.answerInjections()
    dialogue.batch(2, 2, mailbox('1@default', 5))
    expect(dialogue.injected()).toEqual(['02:00:00:00:00:02 1@default 5/0'])
    dialogue.batch(2, 3, { kind: 'gone', of: mwi, id: '1@default' })
    expect(dialogue.injected()).toEqual(['02:00:00:00:00:03 1@default 3/0'])
  })
})
