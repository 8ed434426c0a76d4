import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { askOwnConsole } from '../own-console.js'

/** What the bridge needs of Asterisk, and what for. */
const needed: readonly (readonly [module: string, purpose: string])[] = [
  ['res_pjsip', 'SIP'],
  ['res_pjsip_pubsub', 'taking PUBLISH'],
  ['res_pjsip_outbound_publish', 'sending PUBLISH'],
  ['res_pjsip_publish_asterisk', 'states and counts in PUBLISH'],
  ['res_pjsip_endpoint_identifier_user', 'knowing the bridge by its name'],
  ['res_pjsip_authenticator_digest', 'asking the bridge for its password'],
  ['res_pjsip_outbound_authenticator_digest', 'giving the bridge its password'],
]

/** Are the modules loaded and running, in a version that has them? */
export const asteriskModulesCheck: Check = {
  name: 'asterisk-modules',
  async run(context) {
    const version = await askOwnConsole(context, 'core show version')
    return [
      judgeVersion(version),
      ...judgeModules(await askOwnConsole(context, 'module show like res_pjsip')),
    ]
  },
}

const findings = new Findings('asterisk-modules')
const oldest = 18

/** The finding on `core show version`. */
export function judgeVersion(output: string): Finding {
  const version = /^Asterisk\s+(?:certified\/)?(\S+)/.exec(output)?.[1] ?? 'unknown'
  const major = Number.parseInt(version, 10)
  // A build from git has no number.
  if (!(major < oldest)) return findings.ok(`Asterisk ${version}`)
  return findings.warning(
    `Asterisk ${version} is older than what hintbridge was made for`,
    `use Asterisk ${oldest} or later`,
  )
}

/** The findings on `module show like res_pjsip`. */
export function judgeModules(output: string): Finding[] {
  const states = new Map(
    [...output.matchAll(/^(\S+)\.so\s.*?\s(Not Running|Running)\s/gm)].map(
      ([, module = '', state = '']) => [module, state],
    ),
  )
  const missing = needed.filter(([module]) => states.get(module) !== 'Running')
  if (missing.length === 0) return [findings.ok(`all ${needed.length} modules run`)]
  return missing.map(([module, purpose]) =>
    findings.broken(
      `${module}.so (${purpose}) ${states.has(module) ? 'is loaded and does not run' : 'is not loaded'}`,
      `'module load ${module}.so' on Asterisk's console, and let modules.conf load it`,
    ),
  )
}
