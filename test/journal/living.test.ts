import { expect, it } from 'vitest'
import { Living } from '../../src/journal/living.js'

const [first, second] = ['02:00:00:00:00:0a', '02:00:00:00:00:0b'] as const

/** The origins come in the order in which their tables were made: an old table shows by its place. */
function originsOf(living: Living): string[] {
  return [...living.entries()].map(({ eid }) => eid)
}

const state = (eid: string, id = 'PJSIP/1') => ({ eid, kind: 'device_state', id }) as const

it('keeps no tables of an origin of which nothing stands any more', () => {
  const living = new Living()
  living.add(state(first))
  living.add({ ...state(first), kind: 'message_waiting' })
  living.add(state(second))
  living.remove(state(first))
  expect(originsOf(living)).toEqual([first, second])
  living.remove({ ...state(first), kind: 'message_waiting' })
  living.add(state(first))
  expect(originsOf(living)).toEqual([second, first])
  expect(living.size).toBe(2)
})

it('makes none for an origin of which nothing is added', () => {
  const living = new Living()
  expect(living.remove(state(first))).toBe(false)
  living.add(state(second))
  living.add(state(first))
  expect(originsOf(living)).toEqual([second, first])
})
