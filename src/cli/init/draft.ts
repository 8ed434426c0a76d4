/** The configuration that the answers make, and what the loader says of it: what `init` checks is what it writes. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { parseEntityId } from '../../bridge/state.js'
import { ConfigError, formatValue } from '../../config/config.js'
import { parseConfig } from '../../config/load.js'
import { passwordVariables } from '../../config/secrets.js'
import { type Answers, type GivenOptions, questionKeys, questions, splitList } from './answers.js'
import { secretFile } from './targets.js'
import { type ConfigText, renderConfig } from './render.js'

/** What the file holds; what was not answered yet is as proposed. */
export function draftConfig(given: GivenOptions, known: Partial<Answers>): ConfigText {
  const answers = withProposals(known)
  return {
    cluster: answers.cluster,
    ...(answers.name !== hostname() && { name: answers.name }),
    trust: splitList(answers.trust),
    stateDir: resolve(answers['state-dir']),
    services: splitList(answers.service),
    jid: answers.jid,
    pubsub: answers.pubsub,
    xmppPasswordFile: secretFile(answers.config, 'xmpp'),
    isInsecure: given.insecure === true,
    ...(given.ca !== undefined && { caFile: resolve(given.ca) }),
    ...(given.eid !== undefined && { eid: parseEntityId(given.eid) ?? given.eid }),
    asterisk: answers.asterisk,
    listen: answers.listen,
    resource: answers.resource,
    sipPasswordFile: secretFile(answers.config, 'sip'),
    asteriskPasswordFile: secretFile(answers.config, 'sip-asterisk'),
    http: answers.http,
  }
}

function withProposals(known: Partial<Answers>): Answers {
  const answers: Partial<Record<keyof Answers, string>> = { jid: 'pbx@example.org', ...known }
  for (const key of questionKeys) answers[key] ??= questions[key].proposal?.(answers) ?? ''
  return answers as Answers
}

/** What `run` would say of one setting of this configuration, in the configuration's own words. */
export function complaintsAbout(
  setting: string,
  config: ConfigText,
  xmppPassword = 'not known yet',
): string[] {
  const environment = {
    [passwordVariables['xmpp.password']]: xmppPassword,
    [passwordVariables['asterisk.sip.password']]: 'not made yet',
    [passwordVariables['asterisk.sip.asterisk_password']]: 'nor this one',
  }
  try {
    parseConfig(renderConfig(config), { environment })
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems
      .filter(({ path }) => path === setting || path.startsWith(`${setting}[`))
      .map(({ value, message }) =>
        value === undefined ? message : `${formatValue(value)} ${message}`,
      )
  }
}
