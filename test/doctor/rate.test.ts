import xml, { type Element } from '@xmpp/xml'
import { describe, expect, it } from 'vitest'
import { measureRate } from '../../src/doctor/rate.js'
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

const plan = { octets: 4_096, pings: 8, limitMs: 2_000 }

describe('the rate of a server', () => {
  it('that limits none is not given', async () => {
    const sample = await measureRate(server(1), 'a', plan)
    expect(sample.octets).toBe(8 * 4_096)
    expect(sample.octetsPerSecond).toBeUndefined()
  })

  it('that is far is not taken for a limit', async () => {
    expect((await measureRate(server(120), 'a', plan)).octetsPerSecond).toBeUndefined()
  })

  it('is that of what comes behind the burst', async () => {
    const { octetsPerSecond } = await measureRate(server(5, 16_384, 20_000), 'a', plan)
    expect(octetsPerSecond).toBeGreaterThan(15_000)
    expect(octetsPerSecond).toBeLessThan(22_000)
  })

  it('is asked for no longer than is bounded', async () => {
    const sample = await measureRate(server(1, 0, 4_096), 'a', { ...plan, limitMs: 1_500 })
    expect(sample.octets).toBe(2 * 4_096)
  })

  it('is measured with errors as answers, too, and not where the stream ends', async () => {
    const fail = (error: Error): IqSender => ({ request: () => Promise.reject(error) })
    const unavailable = new StanzaError('service-unavailable', 'cancel')
    expect((await measureRate(fail(unavailable), 'a', plan)).octets).toBe(8 * 4_096)
    await expect(measureRate(fail(new Disconnected('gone')), 'a', plan)).rejects.toThrow(/gone/)
  })
})
