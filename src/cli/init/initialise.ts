import { statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { renderAsteriskSide } from '../../config/asterisk-side.js'
import { parseConfig } from '../../config/load.js'
import { passwordVariables } from '../../config/secrets.js'
import { Agreements } from './agreements.js'
import { type Answers, type GivenOptions, settle } from './answers.js'
import { complaintsAbout, draftConfig } from './draft.js'
import { askXmppPassword, findSipPassword, readGiven, readXmppPassword } from './given-files.js'
import { findWrongOptions, objectTo } from './objections.js'
import { renderConfig } from './render.js'
import { asteriskTarget, authorityFile, bridgeTargets, secretFile } from './targets.js'
import type { Terminal } from './terminal.js'
import { type PlannedFile, writeFiles } from './write-files.js'

export interface InitOptions {
  readonly given: GivenOptions
  readonly environment: NodeJS.ProcessEnv
  /** Without one nothing is asked. */
  readonly terminal?: Pick<Terminal, 'ask' | 'askSecret'>
  readonly print: (line: string) => void
  readonly isPresent: (path: string) => boolean
}

/** Settles all questions, each checked when it is answered, then writes all files; throws an Error and writes nothing else. */
export async function initialise(options: InitOptions): Promise<void> {
  const { given, terminal, print } = options
  const agreed = new Agreements(given)
  const answers = await settle({
    given: definedOf(given),
    ask: terminal?.ask,
    print,
    object: (key, answers) => objectTo(key, answers, given, agreed),
    consent: (...to) => agreed.add(...to),
    problems: findWrongOptions(options),
  })
  const xmppPassword =
    readXmppPassword(options) ??
    (await askXmppPassword(options, answers.jid, (password) =>
      complaintsAbout(passwordVariables['xmpp.password'], draftConfig(given, answers), password),
    ))
  const mayKeep = agreed.has('force', 'config', answers.config)
  const sip = findSipPassword(secretFile(answers.config, 'sip'), mayKeep)
  const asterisk = findSipPassword(secretFile(answers.config, 'sip-asterisk'), mayKeep)
  const passwords = { xmpp: xmppPassword, sip: sip.password, asterisk: asterisk.password }
  const files = planFiles(given, answers, agreed, passwords)
  const isReplaced = files.some(({ path }) => options.isPresent(path))
  writeFiles(files)
  report(options, answers, files)
  if (sip.isKept && asterisk.isKept) print(`The SIP secrets that were there are kept.`)
  if (isReplaced) print(`A bridge that runs with these files must be restarted.`)
}

function definedOf(given: GivenOptions): Partial<Answers> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function planFiles(
  given: GivenOptions,
  answers: Answers,
  agreed: Agreements,
  passwords: Readonly<Record<'xmpp' | 'sip' | 'asterisk', string>>,
): PlannedFile[] {
  const addresses = ['asterisk', 'listen'] as const
  const isSipInsecure = addresses.some((key) => agreed.has('insecure-sip', key, answers[key]))
  const draft = { ...draftConfig(given, answers), isSipInsecure }
  // What init writes must load: the same checks as `run` makes have the last word.
  const { sip } = parseConfig(renderConfig(draft), {
    environment: {
      [passwordVariables['xmpp.password']]: passwords.xmpp,
      [passwordVariables['asterisk.sip.password']]: passwords.sip,
      [passwordVariables['asterisk.sip.asterisk_password']]: passwords.asterisk,
    },
  }).config.asterisk
  const {
    config,
    xmppPassword: secret,
    ca,
    sipPassword: sipSecret,
    asteriskPassword: asteriskSecret,
  } = bridgeTargets(given, answers.config)
  const isCopied = given.ca !== undefined && { caFile: authorityFile(answers.config) }
  return [
    { ...config, text: renderConfig({ ...draft, ...isCopied }) },
    ...(secret === undefined ? [] : [{ ...secret, text: `${passwords.xmpp}\n` }]),
    ...(ca === undefined || given.ca === undefined
      ? []
      : [{ ...ca, text: readGiven('ca', given.ca) }]),
    { ...sipSecret, text: `${passwords.sip}\n` },
    { ...asteriskSecret, text: `${passwords.asterisk}\n` },
    {
      ...asteriskTarget(answers['asterisk-conf']),
      text: renderAsteriskSide({
        ...sip,
        password: passwords.sip,
        asteriskPassword: passwords.asterisk,
      }),
    },
  ]
}

/** `pjsip reload` is an alias that not every Asterisk has; these are the modules whose settings the file holds. */
export const reload =
  'module reload res_pjsip.so res_pjsip_outbound_publish.so res_pjsip_publish_asterisk.so'

/** Says what was written and what is left to do. */
function report(
  { print, isPresent }: InitOptions,
  answers: Answers,
  files: readonly PlannedFile[],
): void {
  const asteriskConf = resolve(answers['asterisk-conf'])
  const pjsipConf = join(dirname(asteriskConf), 'pjsip.conf')
  const included = isPresent(pjsipConf) ? basename(asteriskConf) : asteriskConf
  print(`
Written:
${files.map(({ path }) => `  ${path} (mode ${(statSync(path).mode & 0o777).toString(8)})`).join('\n')}

Next:
  1. Add one line to Asterisk's pjsip.conf, below its transports, and load it:
       #include ${included}
       asterisk -rx '${reload}'
  2. Let ${answers.jid} create nodes on ${answers.pubsub}, and send 1 MB a second (docs/xmpp-servers.md).
  3. Start the bridge, as a user who can read the secrets:
       hintbridge run --config ${resolve(answers.config)}
Members are the accounts that match: ${answers.trust}`)
}
