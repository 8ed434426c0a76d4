import { describe, expect, it } from 'vitest'
import type { Kind } from '../../../src/bridge/state.js'
import { ProofQuest } from '../../../src/asterisk/sip/proof-quest.js'
import { FakeClock, ownEid } from './support.js'

/** Asterisk takes all; those publishers of it that move show its password. Asked every 2 s, as by `Liveness`. */
function askFor(seconds: number, isMoving: (kind: Kind) => boolean): Record<Kind, number> {
  const clock = new FakeClock()
  const asked = { device_state: 0, message_waiting: 0 }
  const quest = new ProofQuest({
    clock,
    publish: (kind, _body, onEnd) => {
      asked[kind]++
      onEnd()
      if (isMoving(kind)) quest.proven(kind)
    },
  })
  quest.restart(ownEid)
  for (let passed = 0; passed < seconds; passed += 2) {
    clock.pass(2_000)
    quest.ask(ownEid)
  }
  return asked
}

describe('the question for the password', () => {
  it('goes to both publishers in turn', () => {
    const { device_state, message_waiting } = askFor(600, () => true)
    expect(Math.abs(device_state - message_waiting)).toBeLessThanOrEqual(2)
  })

  it.each<[Kind, Kind]>([
    ['message_waiting', 'device_state'],
    ['device_state', 'message_waiting'],
  ])(
    'goes to the publisher of %s twice a minute where that stands still, for it keeps all',
    (stuck, moving) => {
      const asked = askFor(3_600, (kind) => kind !== stuck)
      expect(asked[stuck]).toBeLessThan(130)
      expect(asked[stuck]).toBeGreaterThan(100)
      expect(asked[moving]).toBeGreaterThan(1_500)
    },
  )
})
