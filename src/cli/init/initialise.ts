import { statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { renderAsteriskSide } from '../../config/asterisk-side.js'
import { parseConfig } from '../../config/load.js'
import { passwordVariables } from '../../config/secrets.js'
import {
  type Answers,
  besideConfig,
  checkEntityId,
  secretFile,
  settle,
  splitList,
} from './answers.js'
import { findSipPassword, findXmppPassword, readGiven } from './given-files.js'
import { type ConfigText, renderConfig } from './render.js'
import type { Terminal } from './terminal.js'
import { checkTargets, type PlannedFile, writeFiles } from './write-files.js'

export interface InitOptions {
  readonly given: { readonly [Key in keyof Answers]?: string | undefined } & {
    readonly 'xmpp-password-file'?: string | undefined
    readonly ca?: string | undefined
    readonly insecure?: boolean
    readonly eid?: string | undefined
    readonly force?: boolean
  }
  readonly environment: NodeJS.ProcessEnv
  /** Without one nothing is asked. */
  readonly terminal?: Pick<Terminal, 'ask' | 'askSecret'>
  readonly print: (line: string) => void
  readonly isPresent: (path: string) => boolean
}

/** Settles all questions, checks what comes out and every target, then writes all files; throws an Error and writes nothing else. */
export async function initialise(options: InitOptions): Promise<void> {
  const { given, terminal, print } = options
  const answers = await settle(definedOf(given), terminal?.ask, print)
  const xmppPassword = await findXmppPassword(options, answers.jid)
  const sip = findSipPassword(secretFile(answers.config, 'sip'), given.force === true)
  const files = planFiles(options, answers, xmppPassword, sip.password)
  checkTargets(files, given.force === true)
  const isReplaced = files.some(({ path }) => options.isPresent(path))
  writeFiles(files)
  report(options, answers, files)
  if (sip.isKept) print(`The SIP secret that was there is kept.`)
  if (isReplaced) print(`A bridge that runs with these files must be restarted.`)
}

function definedOf(given: InitOptions['given']): Partial<Answers> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** What stands in the configuration, all but the authority. */
function settingsOf(given: InitOptions['given'], answers: Answers): Omit<ConfigText, 'caFile'> {
  return {
    cluster: answers.cluster,
    trust: splitList(answers.trust),
    stateDir: resolve(answers['state-dir']),
    services: splitList(answers.service),
    jid: answers.jid,
    pubsub: answers.pubsub,
    xmppPasswordFile: secretFile(answers.config, 'xmpp'),
    isInsecure: given.insecure === true,
    ...(given.eid !== undefined && { eid: checkEntityId(given.eid) }),
    asterisk: answers.asterisk,
    listen: answers.listen,
    resource: answers.resource,
    sipPasswordFile: secretFile(answers.config, 'sip'),
    http: answers.http,
  }
}

function planFiles(
  { given }: InitOptions,
  answers: Answers,
  xmppPassword: string,
  sipPassword: string,
): PlannedFile[] {
  const config = resolve(answers.config)
  const xmppPasswordFile = secretFile(config, 'xmpp')
  const sipPasswordFile = secretFile(config, 'sip')
  // Copied beside the configuration, so that all that the service reads lies in one folder that can be given to its user.
  const caFile = besideConfig(config, 'ca.pem')
  const givenCa = given.ca === undefined ? undefined : resolve(given.ca)
  const wanted = settingsOf(given, answers)
  // What init writes must load: the same checks as `run` makes, before anything is written.
  const asGiven = renderConfig({ ...wanted, ...(givenCa !== undefined && { caFile: givenCa }) })
  const { sip } = parseConfig(asGiven, {
    source: config,
    folder: dirname(config),
    environment: {
      [passwordVariables.xmpp]: xmppPassword,
      [passwordVariables['asterisk.sip']]: sipPassword,
    },
  }).config.asterisk
  const asteriskSide = renderAsteriskSide({ ...sip, password: sipPassword })
  const own = { belongsToFolder: false }
  const text = renderConfig({ ...wanted, ...(givenCa !== undefined && { caFile }) })
  return [
    { path: config, text, mode: 0o644, ...own },
    ...(isSameFile(given['xmpp-password-file'], xmppPasswordFile)
      ? []
      : [{ path: xmppPasswordFile, text: `${xmppPassword}\n`, mode: 0o600, ...own }]),
    ...(givenCa === undefined || givenCa === caFile
      ? []
      : [{ path: caFile, text: readGiven('ca', givenCa), mode: 0o644, ...own }]),
    { path: sipPasswordFile, text: `${sipPassword}\n`, mode: 0o600, ...own },
    {
      path: resolve(answers['asterisk-conf']),
      text: asteriskSide,
      mode: 0o640,
      belongsToFolder: true,
    },
  ]
}

function isSameFile(given: string | undefined, target: string): boolean {
  return given !== undefined && resolve(given) === target
}

/** `pjsip reload` is an alias that not every Asterisk has; these are the modules whose settings the file holds. */
const reload =
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
  2. Let ${answers.jid} create nodes on ${answers.pubsub}, and hold it to no rate limit.
  3. Start the bridge, as a user who can read the secrets:
       hintbridge run --config ${resolve(answers.config)}
Members are the accounts that match: ${answers.trust}`)
}
