import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { PeerCertificate } from 'node:tls'
import { parseServiceUri } from '../../xmpp/service-uri.js'
import type { ProblemView } from '../../observe/api.js'
import type { Check } from '../check.js'
import { type Login, overviewIfAny } from '../context.js'
import { type Finding, Findings } from '../finding.js'
import { streamKey } from './bridge.js'

/** Are the names in `xmpp.service` known? */
export const dnsCheck: Check = {
  name: 'dns',
  async run({ config }) {
    const hosts = new Set(config.xmpp.services.map((service) => parseServiceUri(service).host))
    const names = [...hosts].filter((host) => isIP(host) === 0)
    return Promise.all(names.map(resolve))
  },
}

async function resolve(name: string): Promise<Finding> {
  const findings = new Findings('dns')
  try {
    const addresses = await lookup(name, { all: true })
    return findings.ok(`${name} is ${addresses.map(({ address }) => address).join(', ')}`)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error)
    return findings.broken(
      `${name} has no address (${code})`,
      'correct xmpp.service, or what resolves names on this machine (/etc/resolv.conf)',
    )
  }
}

/** Does each service let the account in, over TLS that is good? */
export const loginCheck: Check = {
  name: 'login',
  async run(context) {
    const logins = await context.logins()
    const overview = await overviewIfAny(context)
    return [...judgeLogins(logins), ...judgeStream(logins, overview?.problems ?? [])]
  },
}

/** The finding where a running bridge has no stream: what keeps all logins out has been told with them. */
export function judgeStream(
  logins: readonly Login[],
  problems: readonly Pick<ProblemView, 'key' | 'text'>[],
): Finding[] {
  const problem = problems.find(({ key }) => key === streamKey)
  if (problem === undefined || !logins.some((login) => 'session' in login)) return []
  return [
    new Findings('login').broken(
      `the account is let in, and yet the bridge says: ${problem.text}`,
      'it tries again by itself, and at once after: systemctl reload hintbridge',
    ),
  ]
}

/** The findings on the logins; one service of several that fails is a warning, as the bridge goes on to the next. */
export function judgeLogins(logins: readonly Login[]): Finding[] {
  const findings = new Findings('login')
  const isAnyIn = logins.some((login) => 'session' in login)
  return logins.map((login) => {
    if ('session' in login) {
      return findings.ok(`${login.service} lets this account in, in ${Math.round(login.tookMs)} ms`)
    }
    const { message, condition, remedy } = login.failure
    const text = `${login.service} does not let this account in: ${message} (${condition})`
    return isAnyIn ? findings.warning(text, remedy) : findings.broken(text, remedy)
  })
}

/** Is the certificate good for long enough? */
export const certificateCheck: Check = {
  name: 'certificate',
  async run(context) {
    const { config } = context
    const logins = await context.logins()
    return logins.flatMap((login) =>
      'session' in login
        ? judgeCertificate(
            login.service,
            login.session.certificate,
            config.xmpp.tls.mode,
            Date.now(),
          )
        : [],
    )
  },
}

const dayMs = 24 * 3_600_000
/** Let's Encrypt renews 30 days ahead: what is nearer to its end than this will not be renewed by itself. */
const soonDays = 14

/** The findings on a certificate that the connection took. */
export function judgeCertificate(
  service: string,
  certificate: Pick<PeerCertificate, 'valid_to' | 'issuer'> | undefined,
  mode: 'required' | 'insecure',
  nowMs: number,
): Finding[] {
  const findings = new Findings('certificate')
  if (certificate?.valid_to === undefined) {
    return [
      findings.note(
        `${service} is spoken to in clear text`,
        'set xmpp.tls.mode to required, unless the server is on this machine',
      ),
    ]
  }
  const days = Math.floor((Date.parse(certificate.valid_to) - nowMs) / dayMs)
  const until = `valid for ${days} more days`
  if (days < soonDays) {
    return [
      findings.warning(
        `that of ${service} is ${until} only`,
        'renew it and reload the XMPP server: bridges connect no more once it has expired',
      ),
    ]
  }
  if (mode === 'insecure') {
    return [
      findings.note(
        `that of ${service} is not verified (xmpp.tls.mode: insecure)`,
        'set xmpp.tls.mode to required, and xmpp.tls.ca if its authority is not a public one',
      ),
    ]
  }
  return [findings.ok(`that of ${service} is ${until}, by ${issuerOf(certificate)}`)]
}

function issuerOf({ issuer }: Pick<PeerCertificate, 'issuer'>): string {
  const name = [issuer.CN ?? issuer.O ?? 'an authority without a name'].flat()
  return name.join(', ')
}
