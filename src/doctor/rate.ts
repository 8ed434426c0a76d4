import xml from '@xmpp/xml'
import { XmppError } from '../xmpp/errors.js'
import type { IqSender } from '../pubsub/service.js'

export interface RateSample {
  /** What was sent and answered. */
  readonly octets: number
  readonly tookMs: number
  /** The rate that the server held it to; missing where it held up nothing. */
  readonly octetsPerSecond?: number
}

export interface RatePlan {
  /** Of the padding of each ping. */
  readonly octets: number
  /** At most so many pings, beyond the bursts that servers allow: 20 kB by default. */
  readonly pings: number
  /** No further ping after that long, ms. */
  readonly limitMs: number
}

const low: RatePlan = { octets: 4_096, pings: 16, limitMs: 8_000 }
/** Behind the second that a shaper lets through at once; a ping stays below the servers' bounds on a stanza. */
const generous: RatePlan = { octets: 65_536, pings: 32, limitMs: 4_000 }

/** An answer that takes so much longer than an unpadded ping's was held up, ms ... */
const heldUpMs = 100
/** ... and held up for less than this altogether, ms, speaks for a busy machine, not for a limit that matters. */
const leastHeldMs = 500

/** A rate that a server does not hold a bridge to is not slower than this, octets a second. */
const unlimited = 3_000_000

/**
 * Measures how fast a server reads: padded pings (XEP-0199) one after the other, as servers that limit a rate read a whole
 * burst at once and then pause. The time of an unpadded ping is taken off, for far servers. 64 kB are sent to find a low rate,
 * and where there is none 2 MB to find a generous one.
 */
export async function measureRate(
  iq: IqSender,
  domain: string,
  plans: { readonly low: RatePlan; readonly generous: RatePlan } = { low, generous },
): Promise<RateSample> {
  const ping: Ping = async (padding) => {
    const start = performance.now()
    await answered(iq, domain, padding, plans.low.limitMs)
    return performance.now() - start
  }
  const tripMs = Math.min(await ping(0), await ping(0), await ping(0))
  const sample = await findLow(ping, tripMs, plans.low)
  if (sample.octetsPerSecond !== undefined) return sample
  const { octets, tookMs } = await send(ping, plans.generous)
  const heldMs = tookMs - (octets / plans.generous.octets) * tripMs
  const octetsPerSecond = (octets * 1_000) / Math.max(heldMs, 1)
  return octetsPerSecond < unlimited ? { octets, tookMs, octetsPerSecond } : { octets, tookMs }
}

/** Resolves with the time until the answer, ms. */
type Ping = (padding: number) => Promise<number>

/** One ping after the other. */
async function send(
  ping: Ping,
  { octets, pings, limitMs }: RatePlan,
): Promise<RateSample & { readonly times: readonly number[] }> {
  const times: number[] = []
  const elapsed = (): number => times.reduce((sum, ms) => sum + ms, 0)
  while (times.length < pings && elapsed() < limitMs) times.push(await ping(octets))
  return { octets: octets * times.length, tookMs: elapsed(), times }
}

/** The rate of what was held up, behind the burst that is let through. */
async function findLow(ping: Ping, tripMs: number, plan: RatePlan): Promise<RateSample> {
  const { times, ...sample } = await send(ping, plan)
  const first = times.findIndex((ms) => ms > tripMs + heldUpMs)
  if (first < 0) return sample
  const held = times.slice(first)
  const heldMs = held.reduce((sum, ms) => sum + ms - tripMs, 0)
  if (heldMs < leastHeldMs) return sample
  return { ...sample, octetsPerSecond: (plan.octets * held.length * 1_000) / heldMs }
}

/** Resolves with the answer, an error too: the server has read it. A silence as long as the whole measurement is one, too. */
async function answered(
  iq: IqSender,
  domain: string,
  padding: number,
  timeoutMs: number,
): Promise<void> {
  const pad = xml('pad', { xmlns: 'urn:hintbridge:1' }, '.'.repeat(padding))
  const payload = xml('ping', { xmlns: 'urn:xmpp:ping' }, padding > 0 ? pad : undefined)
  try {
    await iq.request(domain, 'get', payload, timeoutMs)
  } catch (error) {
    const isAnswer = error instanceof XmppError && error.condition !== 'disconnected'
    if (!isAnswer) throw error
  }
}
