/** When the status page asks, so that it is live and yet no burden on a bridge that has much to do. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Reading } from '../../src/observe/page/reading.js'

/** A bridge that takes `tookMs` for each answer, and counts. */
function asking(tookMs: number, isUnsettled: (answer: number) => boolean = () => false) {
  const asked: number[] = []
  const taken: number[] = []
  const failed: unknown[] = []
  const startedMs = performance.now()
  const reading = new Reading<number>({
    ask: (signal) =>
      new Promise((resolve, reject) => {
        const number = asked.push(performance.now() - startedMs)
        if (tookMs < 0) reject(new Error('503'))
        else setTimeout(() => resolve(number), tookMs)
        signal.addEventListener('abort', () => reject(new Error('aborted')))
      }),
    take: (answer) => taken.push(answer),
    fail: (error) => failed.push(error),
    isUnsettled,
  })
  return { reading, asked, taken, failed }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

async function changeFor(reading: Reading<number>, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    reading.refresh()
    await vi.advanceTimersByTimeAsync(10)
  }
}

describe('reading while things change', () => {
  it('asks at the first change at once, then four times a second', async () => {
    const { reading, asked } = asking(5)
    await changeFor(reading, 990)
    expect(asked).toEqual([0, 250, 500, 750])
  })

  it('asks less often where an answer takes long, and shows each', async () => {
    const { reading, asked, taken } = asking(200)
    await changeFor(reading, 9_000)
    expect(asked.length).toBeLessThanOrEqual(6)
    expect(taken).toEqual(asked.slice(0, taken.length).map((_, index) => index + 1))
    expect(taken.length).toBeGreaterThanOrEqual(4)
  })

  it('asks one thing at a time: what changes meanwhile is asked for after the answer', async () => {
    const { reading, asked, taken } = asking(100)
    reading.again()
    reading.again()
    reading.again()
    expect(asked).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(asked).toHaveLength(2)
    expect(taken).toEqual([1, 2])
  })

  it('takes only the answer to the last question', async () => {
    const { reading, taken, failed } = asking(100)
    reading.anew()
    reading.anew()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([taken, failed]).toEqual([[2], []])
  })

  it('tells of a failure, and asks again at the next change', async () => {
    const { reading, asked, failed } = asking(-1)
    reading.refresh()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(failed).toHaveLength(1)
    reading.refresh()
    expect(asked).toHaveLength(2)
  })

  it('goes on where an answer waits for something, until it does not', async () => {
    const { reading, asked } = asking(5, (answer) => answer < 3)
    reading.again()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(asked).toEqual([0, 1_005, 2_010])
  })

  it('that was stopped takes nothing', async () => {
    const { reading, taken, failed } = asking(100)
    reading.again()
    reading.stop()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([taken, failed]).toEqual([[], []])
  })
})
