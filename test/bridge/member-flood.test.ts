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

const octetsTaken = (dialogue: Dialogue): number =>
  dialogue
    .take('answerPage')
    .flatMap(({ page }) => page.entries)
    .reduce((sum, entry) => sum + wireOctets(entry), 0)

describe('a member that floods this one', () => {
  it('with questions for its status is answered 400 of them, and 50 a second', () => {
    const dialogue = new Dialogue().ready().clear()
    flood(dialogue, (request) =>
      dialogue.post({ type: 'StatusRequested', request, from: fullJidOf(2) }),
    )
    expect(dialogue.take('answerStatus').length).toBeLessThanOrEqual(450)
    expect(dialogue.take('disregard').length).toBeGreaterThanOrEqual(many - 450)
    expect(dialogue.take('refuse')).toEqual([])
    dialogue.post({ type: 'StatusRequested', request: many, from: fullJidOf(3) })
    expect(dialogue.take('answerStatus')).toHaveLength(1)
    dialogue.pass(1_000).post({ type: 'StatusRequested', request: many + 1, from: fullJidOf(2) })
    expect(dialogue.take('answerStatus')).toHaveLength(1)
  })

  it.each([
    ['its first page', undefined],
    ['one page of it', { kind: 'device_state', id: wide[0]?.id ?? '' } as const],
  ])(
    'with questions for %s is given 1 MB, and 500 kB a second, and has one of the two places',
    (_, after) => {
      const dialogue = new Dialogue().ready(wide)
      dialogue.answerPublishes()
      dialogue.clear()
      const query = { max: 500, ...(after && { after }) }
      flood(dialogue, (request) => {
        const from = `${jidOf(2)}/${request % 10}`
        dialogue.post({ type: 'PageRequested', request, from, query })
      })
      expect(octetsTaken(dialogue)).toBeGreaterThan(500_000)
      expect(octetsTaken(dialogue)).toBeLessThan(1_500_000 + 50_000)
      dialogue.clear()
      dialogue.post({ type: 'PageRequested', request: many, from: fullJidOf(3), query })
      expect(dialogue.take('answerPage')).toHaveLength(1)
    },
  )

  it('with pulls from end to end is given a table that is larger than that once, and then no more for a while', () => {
    const large = Array.from({ length: 18_000 }, (_, index) =>
      device(`PJSIP/${'9'.repeat(90)}${String(index).padStart(5, '0')}`, 'INUSE'),
    )
    const dialogue = new Dialogue().ready(large)
    dialogue.answerPublishes()
    dialogue.clear()
    const from = fullJidOf(2)
    /** What a pull brings until it has its last page, or is refused. */
    const pull = (): string[] => {
      const ids: string[] = []
      for (let isLast = false; !isLast;) {
        const after = ids.at(-1)
        const query = {
          max: 500,
          ...(after !== undefined && { after: { kind: 'device_state' as const, id: after } }),
        }
        dialogue.pass(21).post({ type: 'PageRequested', request: 1, from, query })
        const [answer] = dialogue.take('answerPage')
        if (!answer) break
        ids.push(...answer.page.entries.map(({ id }) => id))
        isLast = answer.page.isLast
        dialogue.clear()
      }
      return ids
    }
    expect(pull()).toEqual(large.map(({ id }) => id))
    expect(pull()).toEqual([])
    dialogue.pass(8_000).clear()
    expect(pull()).toHaveLength(large.length)
  })

  it('with presence makes it ask and show itself 450 times at most', () => {
    const dialogue = new Dialogue().ready().joined(2).clear()
    flood(dialogue, (index) =>
      dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: index % 2 === 1 }),
    )
    expect(dialogue.take('ask').length).toBeLessThanOrEqual(450)
    expect(dialogue.take('present').length).toBeLessThanOrEqual(450)
    dialogue.pass(rest).clear()
    dialogue.post({ type: 'PresenceReceived', from: fullJidOf(2), isAvailable: true })
    expect(dialogue.take('ask').length).toBeGreaterThan(0)
  })
})
