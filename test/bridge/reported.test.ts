/** What is kept of the own PBX whether it is shared or not. */
import { expect, it } from 'vitest'
import { Reported } from '../../src/bridge/reported.js'
import type { DeviceEntry } from '../../src/bridge/state.js'
import { device } from './settings.js'

function take(reported: Reported, ...entries: DeviceEntry[]): void {
  for (const entry of entries) reported.take(entry.id, entry)
}

/** So many `Local/` devices, each called once. */
const called = (count: number): DeviceEntry[] =>
  Array.from({ length: count }, (_, index) => device(`Local/${index}@x`, 'NOT_INUSE', false))

it('keeps 10,000 uncachable states that are not shared, the last told (rule 4)', () => {
  const reported = new Reported(({ id }) => !id.startsWith('Local/'))
  take(reported, device('PJSIP/1', 'BUSY'), device('Custom:x', 'INUSE', false), ...called(10_000))
  take(reported, device('Local/0@x', 'INUSE', false), device('Local/new@x', 'INUSE', false))
  expect([...reported]).toHaveLength(10_002)
  expect(reported.get('Local/1@x')).toBeUndefined()
  expect(reported.get('Local/0@x')).toEqual(device('Local/0@x', 'INUSE', false))
  expect(reported.get('Custom:x')).toEqual(device('Custom:x', 'INUSE', false))
})

it('keeps all of them once they are shared, and as many as before when they are not any more', () => {
  let isShared = false
  const reported = new Reported(() => isShared)
  const filter = (shares: boolean): void => {
    isShared = shares
    reported.refilter()
  }
  take(reported, ...called(10_000))
  filter(true)
  take(reported, device('Local/new@x', 'INUSE', false))
  expect([...reported]).toHaveLength(10_001)
  filter(false)
  expect([...reported]).toHaveLength(10_000)
})

it('keeps the cachable state of a device that shows an uncachable one too, as Asterisk does', () => {
  const reported = new Reported(() => false)
  take(reported, device('PJSIP/1', 'INUSE'))
  expect(reported.take('PJSIP/1', device('PJSIP/1', 'BUSY', false))).toBe(false)
  expect(reported.get('PJSIP/1')).toEqual(device('PJSIP/1', 'INUSE'))
})
