import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DeadlineTimer } from '../src/deadline.js'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

function makeTimer() {
  const said: string[] = []
  const timer = new DeadlineTimer({
    onPassed: () => said.push(`passed at ${performance.now()}`),
    onStall: (lateMs) => said.push(`late by ${lateMs}`),
  })
  return { said, timer, startMs: performance.now() }
}

describe('the timer of the bridge’s deadlines', () => {
  it('fires at the earliest deadline, once', () => {
    const { said, timer, startMs } = makeTimer()
    timer.arm(startMs + 500)
    timer.arm(startMs + 200)
    timer.arm(startMs + 900)
    vi.advanceTimersByTime(2_000)
    expect(said).toEqual([`passed at ${startMs + 200}`])
  })

  it('gives what came during a stall a second to be read, then fires however busy the bridge is', () => {
    const { said, timer, startMs } = makeTimer()
    timer.arm(startMs + 100)
    vi.spyOn(performance, 'now').mockReturnValueOnce(startMs + 3_600)
    vi.advanceTimersByTime(100)
    // Every event that is handled meanwhile arms again, for a deadline that is long past.
    for (let event = 0; event < 20; event += 1) {
      timer.arm(startMs + 100)
      vi.advanceTimersByTime(100)
    }
    expect(said[0]).toMatch(/^late by/)
    expect(said[1]).toBe(`passed at ${startMs + 1_100}`)
  })

  it('does not fire once it was stopped', () => {
    const { said, timer, startMs } = makeTimer()
    timer.arm(startMs + 100)
    timer.stop()
    timer.arm(startMs + 50)
    vi.advanceTimersByTime(1_000)
    expect(said).toEqual([])
  })
})
