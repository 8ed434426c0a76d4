import { hostname } from 'node:os'
import { parseBareJid, proposeTrust } from '../../config/jid.js'
import { defaults } from '../../config/schema.js'
import { defaultConfigFile } from '../config-option.js'

export const defaultAsteriskConf = '/etc/asterisk/pjsip_hintbridge.conf'

/**
 * What `init` must know, by the name of the option that gives it, in the order in which it is asked: first the files, so that
 * who must not replace them has typed nothing yet.
 */
export const questionKeys = [
  'config',
  'asterisk-conf',
  'jid',
  'service',
  'pubsub',
  'trust',
  'asterisk',
  'listen',
  'http',
  'resource',
  'cluster',
  'name',
  'state-dir',
] as const

export type QuestionKey = (typeof questionKeys)[number]

export type Answers = Readonly<Record<QuestionKey, string>>

export interface Question {
  readonly text: string
  /** Printed before the question is asked. */
  readonly explanation?: string
  /** What is taken where nothing is said; may build on earlier answers. */
  readonly proposal?: (earlier: Partial<Answers>) => string | undefined
}

export const questions: Readonly<Record<QuestionKey, Question>> = {
  config: { text: 'Configuration file to write', proposal: () => defaultConfigFile },
  'asterisk-conf': {
    text: 'File to write for Asterisk',
    proposal: () => defaultAsteriskConf,
  },
  jid: {
    text: "The bridge's own XMPP account (bare JID)",
    explanation: 'One account for each bridge; make it on the XMPP server first.',
  },
  service: {
    text: 'Where the XMPP server listens (xmpp:// for STARTTLS, xmpps:// for direct TLS)',
    proposal: ({ jid }) => jid && `xmpp://${domainOf(jid)}:5222`,
  },
  pubsub: {
    text: 'Its pubsub service',
    proposal: ({ jid }) => jid && `pubsub.${domainOf(jid)}`,
  },
  trust: {
    text: 'Accounts that may be members (* within a part; several divided by commas)',
    explanation:
      'Whoever holds an account that matches can set lamps on this server. Let the XMPP server give such\nnames to bridges only, or list the accounts one by one.',
    proposal: ({ jid }) => jid && proposeTrust(jid),
  },
  asterisk: { text: 'Where Asterisk listens for SIP on UDP', proposal: () => defaults.sipAsterisk },
  listen: {
    text: 'Where the bridge shall listen for Asterisk',
    proposal: () => defaults.sipListen,
  },
  http: { text: 'Where metrics and health are served', proposal: () => defaults.httpListen },
  resource: {
    text: "The bridge's name in Asterisk (endpoint, auth user, publication)",
    proposal: () => 'hintbridge',
  },
  cluster: { text: 'Name of the cluster (root of the pubsub nodes)', proposal: () => 'asterisk' },
  name: { text: 'How the other members call this one', proposal: () => hostname() },
  'state-dir': {
    text: 'Folder for what the bridge must remember',
    proposal: () => defaults.stateDir,
  },
}

/** What must be said in so many words, by the name of the option that says it. */
export const consents = {
  force: { option: '--force replaces it', question: 'Replace what is there' },
  'insecure-sip': { option: '--insecure-sip accepts that', question: 'Accept that' },
} as const

export type Consent = keyof typeof consents

/** What the command line gave. */
export type GivenOptions = { readonly [Key in keyof Answers]?: string | undefined } & {
  readonly 'xmpp-password-file'?: string | undefined
  readonly ca?: string | undefined
  readonly insecure?: boolean
  readonly eid?: string | undefined
} & { readonly [Word in Consent]?: boolean }

/** What speaks against an answer. */
export interface Objection {
  readonly lines: readonly string[]
  /** What makes the answer good all the same; where there is none, nothing does. */
  readonly consent?: Consent
}

export type Ask = (question: string, proposal: string | undefined) => Promise<string>

export interface Settling {
  readonly given: Partial<Answers>
  /** Without it nothing is asked. */
  readonly ask: Ask | undefined
  readonly print: (line: string) => void
  /** What speaks against the answer to a question, among those that were settled before it. */
  readonly object: (key: QuestionKey, answers: Partial<Answers>) => Objection | undefined
  /** Called when an objection was answered by its consent; `object` no longer raises it against this answer. */
  readonly consent: (to: Consent, key: QuestionKey, answer: string) => void
  /** What is wrong with the other options. */
  readonly problems: readonly string[]
}

/**
 * Settles every question: from the options, else by asking, else by what is proposed. An answer that is wrong is asked again at
 * once, so that the others are not lost. Without a way to ask, all that is missing or wrong is thrown as one Error.
 */
export async function settle(settling: Settling): Promise<Answers> {
  const { given, ask, object } = settling
  const settled: Partial<Record<QuestionKey, string>> = {}
  const problems = [...settling.problems]
  if (ask !== undefined) refuse(problems)
  for (const key of questionKeys) {
    if (ask !== undefined) {
      settled[key] = await askUntilRight(key, settled, { ...settling, ask })
      continue
    }
    const answer = given[key] ?? questions[key].proposal?.(settled)
    if (answer === undefined && key === 'jid')
      problems.push("--jid is needed: the bridge's own XMPP account")
    if (answer === undefined) continue
    const objection = object(key, { ...settled, [key]: answer })
    if (objection === undefined) settled[key] = answer
    else problems.push(...linesFor(key, objection))
  }
  refuse(problems)
  return settled as Answers
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(['nothing was written:', ...problems].join('\n  '))
}

function linesFor(key: QuestionKey, { lines, consent }: Objection): string[] {
  const way = consent === undefined ? '' : `: ${consents[consent].option}`
  return lines.map((line) => `--${key}: ${line}${way}`)
}

async function askUntilRight(
  key: QuestionKey,
  earlier: Partial<Answers>,
  { given, ask, print, object, consent }: Settling & { readonly ask: Ask },
): Promise<string> {
  const { text, explanation, proposal } = questions[key]
  const proposed = proposal?.(earlier)
  if (given[key] === undefined && explanation !== undefined) print(`\n${explanation}`)
  let answer = given[key] ?? (await ask(text, proposed))
  for (;;) {
    const objection = object(key, { ...earlier, [key]: answer })
    if (objection === undefined) return answer
    for (const line of objection.lines) print(`  ${line}`)
    if (objection.consent !== undefined && (await isAccepted(objection.consent, ask)))
      consent(objection.consent, key, answer)
    else answer = await ask(text, proposed)
  }
}

async function isAccepted(consent: Consent, ask: Ask): Promise<boolean> {
  const reply = await ask(`${consents[consent].question} (yes or no)`, 'no')
  return /^y(es)?$/i.test(reply)
}

export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

function domainOf(jid: string): string {
  return parseBareJid(jid)?.domain ?? ''
}
