import xml, { type Element } from '@xmpp/xml'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { measureRate, type RateSample } from '../../src/doctor/rate.js'
import type { IqSender } from '../../src/pubsub/service.js'
import { Disconnected, StanzaError } from '../../src/xmpp/errors.js'

/** A server that reads a burst at once, and then so many octets a second; each answer takes `tripMs` besides. */
function server(tripMs: number, burst = Infinity, octetsPerSecond = Infinity): IqSender {
  let readOctets = 0
  return {
    request: (_to: string, _type: string, payload: Element) => {
      const size = payload.getChild('pad')?.getText().length ?? 0
      const late = Math.min(size, Math.max(0, readOctets + size - burst))
      readOctets += size
      const delayMs = tripMs + (late * 1_000) / octetsPerSecond
      return new Promise((resolve) => setTimeout(() => resolve(xml('iq')), delayMs))
    },
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

const low = { octets: 4_096, pings: 8, limitMs: 2_000 }
const generous = { octets: 65_536, pings: 8, limitMs: 2_000 }

/** Measures in the time of the server's answers only. */
async function measure(iq: IqSender, change: Partial<typeof low> = {}): Promise<RateSample> {
  const measured = measureRate(iq, 'a', { low: { ...low, ...change }, generous })
  await vi.runAllTimersAsync()
  return measured
}

describe('the rate of a server', () => {
  it('that limits none is not given', async () => {
    const sample = await measure(server(1))
    expect(sample.octets).toBe(8 * 65_536)
    expect(sample.octetsPerSecond).toBeUndefined()
  })

  it('that is generous is found behind what a low one lets through', async () => {
    expect((await measure(server(1, 0, 512_000))).octetsPerSecond).toBeCloseTo(512_000, -4)
    // A shaper with a burst: the mean of both.
    const { octetsPerSecond = 0 } = await measure(server(1, 256_000, 512_000))
    expect(octetsPerSecond).toBeGreaterThan(512_000)
    expect(octetsPerSecond).toBeLessThan(1_500_000)
  })

  it('that is far is not taken for a limit', async () => {
    expect((await measure(server(120))).octetsPerSecond).toBeUndefined()
  })

  it('is that of what comes behind the burst', async () => {
    const { octetsPerSecond } = await measure(server(150, 16_384, 20_000))
    expect(octetsPerSecond).toBeCloseTo(20_000, -3)
  })

  it('is not that of one answer which a busy machine has held up', async () => {
    const answers = Array.from({ length: 11 }, (_, index) => (index === 9 ? 300 : 1))
    const request: IqSender['request'] = () =>
      new Promise((resolve) => setTimeout(() => resolve(xml('iq')), answers.shift() ?? 1))
    expect((await measure({ request })).octetsPerSecond).toBeUndefined()
  })

  it('is asked for no longer than is bounded', async () => {
    const sample = await measure(server(1, 0, 4_096), { limitMs: 1_500 })
    expect(sample.octets).toBe(2 * 4_096)
  })

  it('is measured with errors as answers, too, and not where the stream ends', async () => {
    const fail = (error: Error): IqSender => ({ request: () => Promise.reject(error) })
    const unavailable = new StanzaError('service-unavailable', 'cancel')
    expect((await measure(fail(unavailable))).octets).toBe(8 * 65_536)
    await expect(
      measureRate(fail(new Disconnected('gone')), 'a', { low, generous }),
    ).rejects.toThrow(/gone/)
  })
})
