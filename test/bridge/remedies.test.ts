import { describe, expect, it } from 'vitest'
import { withRemedy } from '../../src/bridge/remedies.js'
import { settings } from './settings.js'

describe('the remedy', () => {
  it('of a service that is silent names its log too: it may not be loaded at all', () => {
    const failure = { condition: 'timeout', reason: 'no answer from pubsub', isTemporary: true }
    expect(withRemedy(failure, 'nodes', settings(1))).toMatch(
      /^no answer from pubsub: see whether .* overloaded, and whether it has loaded \S+: its log says why not \(Prosody: .*lua-dbi-sqlite3\)$/,
    )
  })

  it("names the service that failed, which may be the member's own", () => {
    const failure = { condition: 'timeout', reason: 'no answer', isTemporary: true }
    const text = withRemedy(failure, 'feed', settings(1), 'pubsub.other.example.org')
    expect(text).toContain('whether it has loaded pubsub.other.example.org')
    expect(text).not.toContain(settings(1).service)
  })
})
