import { describe, expect, it } from 'vitest'
import { renderForgotten } from '../../src/cli/forget.js'

const member = 'pbx-c@example.org'
const item = { id: member, node: 'asterisk/members', service: 'pubsub.example.org' }
const done = `${member} is forgotten: what this Asterisk had of it is withdrawn`

describe('forget', () => {
  it('says what became of the item, and who must retract one that remains', () => {
    expect(renderForgotten({ member })).toBe(done)
    expect(renderForgotten({ member, item })).toBe(
      `${done}, and its item is gone from asterisk/members`,
    )
    expect(renderForgotten({ member, item: { ...item, failure: 'forbidden' } })).toMatch(
      /\nIts item pbx-c@example.org remains in asterisk\/members at pubsub.example.org \(forbidden\): .* until it is retracted by that account, by the owner/,
    )
  })
})
