import { describe, expect, it } from 'vitest'
import { deviceStates } from '../../src/bridge/state.js'
import { sumStates } from '../../src/bridge/sum.js'

/** Rows and columns in the order of facts-asterisk, weakest first; `ringing with anything in use rings in use`. */
const order = 'INVALID UNKNOWN UNAVAILABLE NOT_INUSE ONHOLD RINGING INUSE BUSY RINGINUSE'.split(' ')
const [V, U, A, N, H, R, I, B, X] = order
const table = [
  [V, U, A, N, H, R, I, B, X],
  [U, U, A, N, H, R, I, B, X],
  [A, A, A, N, H, R, I, B, X],
  [N, N, N, N, H, R, I, B, X],
  [H, H, H, H, H, X, I, B, X],
  [R, R, R, R, X, R, X, X, X],
  [I, I, I, I, I, X, I, B, X],
  [B, B, B, B, B, X, B, B, X],
  [X, X, X, X, X, X, X, X, X],
]

describe('the sum of two states', () => {
  for (const one of deviceStates) {
    it(`of ${one} and any other is Asterisk's`, () => {
      for (const other of deviceStates) {
        const expected = table[order.indexOf(one)]?.[order.indexOf(other)]
        expect(sumStates([one, other]), `${one} + ${other}`).toBe(expected)
      }
    })
  }

  it('of no origin is INVALID', () => {
    expect(sumStates([])).toBe('INVALID')
  })

  it('rings in use where one of three rings and another is on hold', () => {
    expect(sumStates(['RINGING', 'NOT_INUSE', 'ONHOLD'])).toBe('RINGINUSE')
  })
})
