/** A trusted member asks and shows presence as fast as it can: what it makes this bridge send is bounded, and the others are served. */
import { describe, expect, it } from 'vitest'
import { wireOctets } from '../../src/bridge/wire.js'
import { Dialogue } from './harness.js'
import { device, fullJidOf, jidOf } from './settings.js'

const many = 5_000
const rest = 60_000

/** Five thousand of them within a second of fake time. */
function flood(dialogue: Dialogue, post: (index: number) => void): void {
  for (let index = 0; index < many; index += 1) {
    if (index % 5 === 0) dialogue.pass(1)
    post(index)
  }
}

const wide = Array.from({ length: 900 }, (_, index) =>
  device(`PJSIP/${'9'.repeat(90)}${index}`, 'INUSE'),
)

describe('a member that floods this one', () => {
  it('with questions for its status is answered 200 of them, and 50 a second', () => {
    const dialogue = new Dialogue().ready().clear()
    flood(dialogue, (request) =>
      dialogue.post({ type: 'StatusRequested', request, from: fullJidOf(2) }),
    )
    expect(dialogue.take('answerStatus').length).toBeLessThanOrEqual(250)
    expect(dialogue.take('disregard').length).toBeGreaterThanOrEqual(many - 250)
    expect(dialogue.take('refuse')).toEqual([])
    dialogue.post({ type: 'StatusRequested', request: many, from: fullJidOf(3) })
    expect(dialogue.take('answerStatus')).toHaveLength(1)
    dialogue.pass(1_000).post({ type: 'StatusRequested', request: many + 1, from: fullJidOf(2) })
    expect(dialogue.take('answerStatus')).toHaveLength(1)
  })

  it('with questions for its table is given 1 MB, and 256 kB a second, and has one of the two places', () => {
    const dialogue = new Dialogue().ready(wide)
    dialogue.answerPublishes()
    dialogue.clear()
    flood(dialogue, (request) => {
      const from = `${jidOf(2)}/${request % 10}`
      dialogue.post({ type: 'PageRequested', request, from, query: { max: 500 } })
    })
    const octets = dialogue
      .take('answerPage')
      .flatMap(({ page }) => page.entries)
      .reduce((sum, entry) => sum + wireOctets(entry), 0)
    expect(octets).toBeGreaterThan(500_000)
    expect(octets).toBeLessThan(1_256_000 + 50_000)
    const query = { max: 500 }
    dialogue.clear()
    dialogue.post({ type: 'PageRequested', request: many, from: fullJidOf(3), query })
    expect(dialogue.take('answerPage')).toHaveLength(1)
  })

  it('with presence makes it ask and show itself 250 times at most', () => {
    const dialogue = new Dialogue().ready().joined(2).clear()
    flood(dialogue, (index) =>
      dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: index % 2 === 1 }),
    )
    expect(dialogue.take('ask').length).toBeLessThanOrEqual(250)
    expect(dialogue.take('present').length).toBeLessThanOrEqual(250)
    dialogue.pass(rest).clear()
    dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: true })
    expect(dialogue.take('ask').length).toBeGreaterThan(0)
  })
})
