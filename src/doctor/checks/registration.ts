import { compileTrust } from '../../config/jid.js'
import { domainOf } from '../../xmpp/jid.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'

/** Can anybody get an account that `trust` matches? The server says so before anybody logs in (XEP-0077 §6). */
export const registrationCheck: Check = {
  name: 'registration',
  async run(context) {
    const { trust, xmpp } = context.config
    const session = await context.session()
    return [judgeRegistration(session.offersRegistration, trust, domainOf(xmpp.jid))]
  },
}

const findings = new Findings('registration')
const switchOff =
  "switch it off (Prosody: allow_registration = false, or no module 'register_ibr'; ejabberd: no mod_register, or its access: none)"

/** The finding on a server of that domain that lets anybody register an account, or does not. */
export function judgeRegistration(
  isOpen: boolean,
  trust: readonly string[],
  domain: string,
): Finding {
  if (!isOpen) return findings.ok('nobody can register an account by himself')
  const here = trust.filter((each) => isOf(each, domain))
  const globs = here.filter((each) => each.includes('*'))
  if (globs.length > 0) {
    return findings.broken(
      `anybody can register an account at ${domain} that trust matches (${globs.join(', ')}), and so read and set lamps`,
      `${switchOff}, or name each member in full under trust`,
    )
  }
  if (here.length === 0)
    return findings.ok(`anybody can register at ${domain}, where none is trusted`)
  return findings.warning(
    `anybody can register an account at ${domain}: one that trust names and that is not there yet is his who comes first`,
    switchOff,
  )
}

/** Does that JID or glob match accounts of the domain? */
function isOf(glob: string, domain: string): boolean {
  const [, domainGlob = ''] = glob.split('@')
  return compileTrust([`x@${domainGlob}`])(`x@${domain}`)
}
