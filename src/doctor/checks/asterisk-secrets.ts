import { outboundAuthOf, realms } from '../../config/asterisk-side.js'
import type { SipConfig } from '../../config/config.js'
import { oneSecretRemedy, oneSecretText } from '../../config/one-secret.js'
import type { Secret } from '../../config/secret.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { askOwnConsole } from '../own-console.js'
import { settingsOf } from './asterisk-endpoint.js'

const findings = new Findings('asterisk-secrets')

/** Has each direction a secret of its own, and does Asterisk hold the same ones as the bridge, for the right realms? */
export const asteriskSecretsCheck: Check = {
  name: 'asterisk-secrets',
  async run(context) {
    const { sip } = context.config.asterisk
    const show = (name: string): Promise<string> =>
      askOwnConsole(context, `pjsip show auth ${name}`)
    const { resource } = sip
    return [
      ...judgeCount(sip),
      ...judgeSecrets(await show(resource), await show(outboundAuthOf(resource)), sip),
    ]
  },
}

type Sides = Pick<SipConfig, 'resource' | 'password' | 'asteriskPassword'>

/** The finding on a configuration with one secret for both directions. */
export function judgeCount({ asteriskPassword }: Pick<SipConfig, 'asteriskPassword'>): Finding[] {
  return asteriskPassword === undefined ? [findings.warning(oneSecretText, oneSecretRemedy)] : []
}

/** The findings on `pjsip show auth` of both sections that `init` writes; no secret is ever shown. */
export function judgeSecrets(own: string, outbound: string, sip: Sides): Finding[] {
  const { resource, password, asteriskPassword } = sip
  // That there is no endpoint either is told by another check.
  if (settingsOf(own).size === 0) return []
  const ofBridge = {
    name: resource,
    setting: 'asterisk.sip.password',
    secret: password,
    realm: asteriskPassword && realms.asterisk,
  }
  const ofAsterisk = asteriskPassword && {
    name: outboundAuthOf(resource),
    setting: 'asterisk.sip.asterisk_password',
    secret: asteriskPassword,
    realm: realms.bridge,
  }
  const found = [
    ...judgeAuth(own, ofBridge, resource),
    ...(ofAsterisk ? judgeAuth(outbound, ofAsterisk, resource) : []),
  ]
  return found.length > 0 ? found : [findings.ok('both sides know what the other shows them')]
}

interface Expected {
  readonly name: string
  readonly setting: string
  readonly secret: Secret
  readonly realm: string | undefined
}

const load =
  "then 'module reload res_pjsip.so res_pjsip_outbound_publish.so res_pjsip_publish_asterisk.so' on Asterisk's console, and restart the bridge"

function judgeAuth(output: string, expected: Expected, resource: string): Finding[] {
  const { name, setting, secret, realm } = expected
  const settings = settingsOf(output)
  if (settings.size === 0) {
    return [
      findings.broken(
        `Asterisk has no auth '${name}': its pjsip_hintbridge.conf is older than the bridge's configuration`,
        `hintbridge init --renew-sip; ${load}`,
      ),
    ]
  }
  if ((settings.get('auth_type') ?? 'userpass') !== 'userpass') {
    return [findings.note(`the auth '${name}' could not be checked: Asterisk has a digest`)]
  }
  const other = (what: string): Finding[] => [
    findings.broken(
      `the auth '${name}' of Asterisk has another ${what}: what is shown there is refused`,
      `put the same into ${setting} (or its file) and the [${name}] of type auth in pjsip_hintbridge.conf, or have both made anew: hintbridge init --renew-sip; ${load}`,
    ),
  ]
  if (settings.get('password') !== secret.reveal().trim()) return other(`password than ${setting}`)
  if (settings.get('username') !== resource) return other(`user name than '${resource}'`)
  const asked = settings.get('realm') ?? ''
  if (realm !== undefined && asked !== realm) return other(`realm than '${realm}'`)
  return []
}
