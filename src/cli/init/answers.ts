import { dirname, join, resolve } from 'node:path'
import { parseEntityId } from '../../bridge/state.js'
import { isLoopback, parseHostPort } from '../../config/host-port.js'
import { parseBareJid, proposeTrust } from '../../config/jid.js'
import { defaults } from '../../config/schema.js'
import { defaultConfigFile } from '../config-option.js'

/** What `init` must know, by the name of the option that gives it. */
export const questionKeys = [
  'jid',
  'service',
  'pubsub',
  'trust',
  'asterisk',
  'listen',
  'http',
  'resource',
  'cluster',
  'state-dir',
  'config',
  'asterisk-conf',
] as const

export type QuestionKey = (typeof questionKeys)[number]

export type Answers = Readonly<Record<QuestionKey, string>>

export interface Question {
  readonly text: string
  /** Printed before the question is asked. */
  readonly explanation?: string
  /** What is taken where nothing is said; may build on earlier answers. */
  readonly proposal?: (earlier: Partial<Answers>) => string
  /** What is wrong with an answer. */
  readonly problem?: (answer: string) => string | undefined
}

/** The questions, asked in the order of `questionKeys`. The configuration's own checks have the last word. */
export const questions: Readonly<Record<QuestionKey, Question>> = {
  jid: {
    text: "The bridge's own XMPP account (bare JID)",
    explanation: 'One account for each bridge; make it on the XMPP server first.',
    problem: (answer) =>
      parseBareJid(answer) === undefined
        ? "must be a bare JID such as 'pbx-a@example.org'"
        : undefined,
  },
  service: {
    text: 'Where the XMPP server listens (xmpp:// for STARTTLS, xmpps:// for direct TLS)',
    proposal: ({ jid = '' }) => `xmpp://${domainOf(jid)}:5222`,
  },
  pubsub: {
    text: 'Its pubsub service',
    proposal: ({ jid = '' }) => `pubsub.${domainOf(jid)}`,
  },
  trust: {
    text: 'Accounts that may be members (* within a part; several divided by commas)',
    explanation:
      'Whoever holds an account that matches can set lamps on this server. Let the XMPP server give such\nnames to bridges only, or list the accounts one by one.',
    proposal: ({ jid = '' }) => proposeTrust(jid),
    problem: (answer) =>
      splitList(answer).length === 0 ? 'must name at least one account' : undefined,
  },
  asterisk: { text: 'Where Asterisk listens for SIP on UDP', proposal: () => defaults.sipAsterisk },
  listen: {
    text: 'Where the bridge shall listen for Asterisk',
    proposal: () => defaults.sipListen,
    problem: (answer) => {
      const address = parseHostPort(answer)
      return address !== undefined && !isLoopback(address.host)
        ? 'must be a loopback address; edit the configuration for another'
        : undefined
    },
  },
  http: { text: 'Where metrics and health are served', proposal: () => defaults.httpListen },
  resource: {
    text: "The bridge's name in Asterisk (endpoint, auth user, publication)",
    proposal: () => 'hintbridge',
  },
  cluster: { text: 'Name of the cluster (root of the pubsub nodes)', proposal: () => 'asterisk' },
  'state-dir': {
    text: 'Folder for what the bridge must remember',
    proposal: () => defaults.stateDir,
  },
  config: { text: 'Configuration file to write', proposal: () => defaultConfigFile },
  'asterisk-conf': {
    text: 'File to write for Asterisk',
    proposal: () => '/etc/asterisk/pjsip_hintbridge.conf',
  },
}

export type Ask = (question: string, proposal: string | undefined) => Promise<string>

/**
 * Settles every question: from the options, else by asking, else by what is proposed. Without a way to ask, all that is
 * missing or wrong is thrown as one Error.
 */
export async function settle(
  given: Partial<Answers>,
  ask: Ask | undefined,
  print: (line: string) => void,
): Promise<Answers> {
  const settled: Partial<Record<QuestionKey, string>> = {}
  const problems: string[] = []
  for (const key of questionKeys) {
    const { text, explanation, proposal, problem } = questions[key]
    const proposed = key === 'jid' || settled.jid !== undefined ? proposal?.(settled) : undefined
    let answer = given[key]
    if (answer === undefined && ask !== undefined) {
      if (explanation !== undefined) print(`\n${explanation}`)
      answer = await askUntilRight(() => ask(text, proposed), problem, print)
    }
    answer ??= proposed
    if (answer === undefined && key === 'jid')
      problems.push("--jid is needed: the bridge's own XMPP account")
    const wrong = answer === undefined ? undefined : problem?.(answer)
    if (wrong !== undefined) problems.push(`--${key}: '${answer ?? ''}' ${wrong}`)
    else if (answer !== undefined) settled[key] = answer
  }
  if (problems.length > 0)
    throw new Error(['failed to make a configuration:', ...problems].join('\n  '))
  return settled as Answers
}

async function askUntilRight(
  ask: () => Promise<string>,
  problem: Question['problem'],
  print: (line: string) => void,
): Promise<string> {
  for (;;) {
    const answer = await ask()
    const wrong = problem?.(answer)
    if (wrong === undefined) return answer
    print(`  '${answer}' ${wrong}`)
  }
}

export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

/** Is this an EID, for `--eid`? */
export function checkEntityId(text: string): string {
  const eid = parseEntityId(text)
  if (eid === undefined)
    throw new Error(`--eid: '${text}' must be an entity ID such as 02:00:00:00:00:0a`)
  return eid
}

/** A file beside the configuration; one that is not named hintbridge.yaml has files of its own name. */
export function besideConfig(configFile: string, name: string): string {
  const file = resolve(configFile)
  const stem = file.replace(/^.*\//, '').replace(/\.ya?ml$/, '')
  return join(dirname(file), stem === 'hintbridge' ? name : `${stem}.${name}`)
}

export function secretFile(configFile: string, name: 'xmpp' | 'sip'): string {
  return besideConfig(configFile, `${name}.secret`)
}

function domainOf(jid: string): string {
  return parseBareJid(jid)?.domain ?? ''
}
