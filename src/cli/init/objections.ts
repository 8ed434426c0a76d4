/** What speaks against an answer, found when it is given: files in the way, addresses off loopback, and all that the loader checks. */
import { isLoopback, parseHostPort } from '../../config/host-port.js'
import { passwordVariables } from '../../config/secrets.js'
import type { Agreements } from './agreements.js'
import type { Answers, GivenOptions, Objection, QuestionKey } from './answers.js'
import { complaintsAbout, draftConfig } from './draft.js'
import { passwordNeeded, readXmppPassword } from './given-files.js'
import type { InitOptions } from './initialise.js'
import {
  asteriskTarget,
  bridgeTargets,
  findObstacles,
  findPresent,
  type Target,
} from './targets.js'

/** Where the answers stand in the configuration. */
const settings: Readonly<Record<Exclude<QuestionKey, 'config' | 'asterisk-conf'>, string>> = {
  jid: 'xmpp.jid',
  service: 'xmpp.service',
  pubsub: 'xmpp.pubsub',
  trust: 'trust',
  asterisk: 'asterisk.sip.asterisk',
  listen: 'asterisk.sip.listen',
  http: 'http.listen',
  resource: 'asterisk.sip.resource',
  cluster: 'cluster',
  name: 'name',
  'state-dir': 'state_dir',
}

/** What speaks against the answer to a question, among those before it. */
export function objectTo(
  key: QuestionKey,
  answers: Partial<Answers>,
  given: GivenOptions,
  agreed: Agreements,
): Objection | undefined {
  const answer = answers[key] ?? ''
  const mayReplace = agreed.has('force', key, answer)
  if (key === 'config')
    return objectToFiles(Object.values<Target>(bridgeTargets(given, answer)), mayReplace)
  if (key === 'asterisk-conf') {
    const target = asteriskTarget(answer)
    const others = answers.config === undefined ? {} : bridgeTargets(given, answers.config)
    const isTwice = Object.values<Target>(others).some(({ path }) => path === target.path)
    return isTwice
      ? { lines: [`${target.path} is named twice`] }
      : objectToFiles([target], mayReplace)
  }
  const exposed = objectToExposure(key, answer, agreed)
  if (exposed !== undefined) return exposed
  // What leaves the loopback has just been agreed to.
  const lines = complaintsAbout(settings[key], {
    ...draftConfig(given, answers),
    isSipInsecure: true,
  })
  return lines.length > 0 ? { lines } : undefined
}

function objectToFiles(targets: readonly Target[], mayReplace: boolean): Objection | undefined {
  const obstacles = findObstacles(targets)
  if (obstacles.length > 0) return { lines: obstacles }
  const present = findPresent(targets)
  if (present.length === 0 || mayReplace) return undefined
  return { lines: present.map((path) => `${path} is there already`), consent: 'force' }
}

/** Clear text on a network, and a port that others reach, want an explicit word. */
function objectToExposure(
  key: QuestionKey,
  answer: string,
  agreed: Agreements,
): Objection | undefined {
  const address = parseHostPort(answer)
  if (address === undefined || isLoopback(address.host)) return undefined
  if (key === 'http') {
    const way = 'set http.listen and http.password_file in the configuration afterwards'
    return { lines: [`'${answer}' must be a loopback address; for another, ${way}`] }
  }
  if (key !== 'asterisk' && key !== 'listen') return undefined
  if (agreed.has('insecure-sip', key, answer)) return undefined
  const danger = `'${answer}' is not a loopback address, and SIP is not encrypted: whoever is on the way reads who talks, and may set lamps`
  const where = key === 'asterisk' ? ' and listens on 0.0.0.0' : ''
  const advice = `127.0.0.1 is right where Asterisk runs on this machine${where}`
  return { lines: [`${danger} (${advice})`], consent: 'insecure-sip' }
}

/** What is wrong with the options that answer no question, a line each: known before anything is asked. */
export function findWrongOptions(options: InitOptions): string[] {
  const { given, terminal } = options
  const draft = draftConfig(given, {})
  const about = (setting: string, source: string, password?: string): string[] =>
    complaintsAbout(setting, draft, password).map((complaint) => `${source}: ${complaint}`)
  const problems = [...about('xmpp.tls.ca', '--ca'), ...about('asterisk.eid', '--eid')]
  try {
    const password = readXmppPassword(options)
    const source = given['xmpp-password-file'] && '--xmpp-password-file'
    if (password !== undefined)
      problems.push(
        ...about(
          passwordVariables['xmpp.password'],
          source ?? passwordVariables['xmpp.password'],
          password,
        ),
      )
    else if (terminal === undefined) problems.push(passwordNeeded)
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
  return problems
}
