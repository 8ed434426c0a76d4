import { domainOf } from '../../xmpp/jid.js'
import { whereRateIsSet } from '../../bridge/remedies.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { measureRate, type RateSample } from '../rate.js'

/** How fast does the server read what this account sends? Measured on a session of its own, which alone it slows down. */
export const rateCheck: Check = {
  name: 'rate',
  async run(context) {
    const session = await context.freshSession()
    try {
      return [judgeRate(await measureRate(session, domainOf(context.config.xmpp.jid)))]
    } finally {
      await session.close()
    }
  },
}

/** Octets a second; a burst of 500 changed states is about 45 kB. */
const enough = 64_000

/** The finding on a measurement. */
export function judgeRate({ octets, tookMs, octetsPerSecond }: RateSample): Finding {
  const findings = new Findings('rate')
  if (octetsPerSecond === undefined) {
    return findings.note(
      `${kilo(octets)} kB were read in ${Math.round(tookMs)} ms, without a limit: lamps are in time, and one member that goes ` +
        'wrong may make them late for all',
      `a rate of 1 MB a second is felt by no bridge and holds such a member: ${whereRateIsSet}`,
    )
  }
  const rate = `about ${kilo(octetsPerSecond)} kB a second`
  if (octetsPerSecond >= enough) return findings.ok(`the server reads ${rate} of this account`)
  return findings.warning(
    `the server reads only ${rate} of this account: lamps of other servers are late when much changes here`,
    `let the server read 1 MB a second of this account: ${whereRateIsSet}; then restart the server. Where it does, the way to it is slow`,
  )
}

function kilo(octets: number): string {
  return (octets / 1_000).toFixed(octets < 9_950 ? 1 : 0)
}
