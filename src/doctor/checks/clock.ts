import xml from '@xmpp/xml'
import { StanzaError } from '../../xmpp/errors.js'
import { domainOf } from '../../xmpp/jid.js'
import type { Check } from '../check.js'
import { requestTimeoutMs } from '../context.js'
import { type Finding, Findings, Unchecked } from '../finding.js'

/** Clocks that differ by more are told, ms: certificates and the delays that are shown depend on them, no lamp does. */
const mostDriftMs = 2_000

/** Does this machine's clock agree with the server's? Source: XEP-0202. */
export const clockCheck: Check = {
  name: 'clock',
  async run(context) {
    const session = await context.session()
    const domain = domainOf(context.config.xmpp.jid)
    const query = xml('time', { xmlns: 'urn:xmpp:time' })
    const start = Date.now()
    try {
      const answer = await session.request(domain, 'get', query, requestTimeoutMs)
      const utc = answer.getChild('time', 'urn:xmpp:time')?.getChildText('utc')
      return [judgeClock(utc ?? '', start, Date.now())]
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error
      throw new Unchecked('the server does not tell the time (XEP-0202)')
    }
  },
}

/** The finding on the server's time, asked at `sentMs` and answered at `receivedMs` by the own clock. */
export function judgeClock(utc: string, sentMs: number, receivedMs: number): Finding {
  const findings = new Findings('clock')
  const theirs = Date.parse(utc)
  if (Number.isNaN(theirs)) throw new Unchecked(`the server says that it is '${utc.slice(0, 40)}'`)
  // XEP-0082 lets servers leave out fractions of a second.
  const spanMs = /\.\d/.test(utc) ? 0 : 1_000
  const early = sentMs - (theirs + spanMs)
  const late = theirs - receivedMs
  const driftMs = Math.max(0, early, late)
  if (driftMs <= mostDriftMs) return findings.ok("agrees with the XMPP server's")
  const direction = early > late ? 'ahead of' : 'behind'
  return findings.warning(
    `is ${(driftMs / 1_000).toFixed(1)} s ${direction} the XMPP server's`,
    'let both keep time by NTP (chrony, systemd-timesyncd)',
  )
}
