import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { renderAsteriskSide } from '../../config/asterisk-side.js'
import { parseConfig } from '../../config/load.js'
import { passwordVariables } from '../../config/secrets.js'
import { type Answers, checkEntityId, secretFile, settle, splitList } from './answers.js'
import { renderConfig } from './render.js'
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

/** The XMPP password and the file that shall hold it; `isNew` where `init` writes that file. */
interface PasswordSource {
  readonly password: string
  readonly file: string
  readonly isNew: boolean
}

/** Settles all questions, checks what comes out and every target, then writes all files; throws an Error and writes nothing else. */
export async function initialise(options: InitOptions): Promise<void> {
  const { given, terminal, print } = options
  const answers = await settle(definedOf(given), terminal?.ask, print)
  const xmppPassword = await findPassword(options, answers)
  const sipPassword = randomBytes(24).toString('base64url')
  const files = planFiles(options, answers, xmppPassword, sipPassword)
  checkTargets(files, given.force === true)
  writeFiles(files)
  report(options, answers, files)
}

function definedOf(given: InitOptions['given']): Partial<Answers> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

async function findPassword(
  { given, environment, terminal }: InitOptions,
  answers: Answers,
): Promise<PasswordSource> {
  const named = given['xmpp-password-file']
  if (named !== undefined) {
    const file = resolve(named)
    return { password: readFileSync(file, 'utf8').trim(), file, isNew: false }
  }
  const file = secretFile(answers.config, 'xmpp')
  const password =
    environment[passwordVariables.xmpp] ??
    (await terminal?.askSecret(`\nPassword of ${answers.jid} (not shown)`))
  if (password === undefined || password === '') {
    throw new Error(
      `the password of ${answers.jid} is needed: --xmpp-password-file FILE, or ${passwordVariables.xmpp} in the environment`,
    )
  }
  return { password, file, isNew: true }
}

function planFiles(
  { given }: InitOptions,
  answers: Answers,
  xmpp: PasswordSource,
  sipPassword: string,
): PlannedFile[] {
  const config = resolve(answers.config)
  const sipPasswordFile = secretFile(config, 'sip')
  const text = renderConfig({
    cluster: answers.cluster,
    trust: splitList(answers.trust),
    stateDir: resolve(answers['state-dir']),
    services: splitList(answers.service),
    jid: answers.jid,
    pubsub: answers.pubsub,
    xmppPasswordFile: xmpp.file,
    isInsecure: given.insecure === true,
    ...(given.ca !== undefined && { caFile: resolve(given.ca) }),
    ...(given.eid !== undefined && { eid: checkEntityId(given.eid) }),
    asterisk: answers.asterisk,
    listen: answers.listen,
    resource: answers.resource,
    sipPasswordFile,
    http: answers.http,
  })
  // What init writes must load: the same checks as `run` makes, before anything is written.
  const { sip } = parseConfig(text, {
    source: config,
    folder: dirname(config),
    environment: {
      [passwordVariables.xmpp]: xmpp.password,
      [passwordVariables['asterisk.sip']]: sipPassword,
    },
  }).config.asterisk
  const asteriskSide = renderAsteriskSide({ ...sip, password: sipPassword })
  const own = { belongsToFolder: false }
  return [
    { path: config, text, mode: 0o644, ...own },
    ...(xmpp.isNew ? [{ path: xmpp.file, text: `${xmpp.password}\n`, mode: 0o600, ...own }] : []),
    { path: sipPasswordFile, text: `${sipPassword}\n`, mode: 0o600, ...own },
    {
      path: resolve(answers['asterisk-conf']),
      text: asteriskSide,
      mode: 0o640,
      belongsToFolder: true,
    },
  ]
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
${files.map(({ path, mode }) => `  ${path} (mode ${mode.toString(8)})`).join('\n')}

Next:
  1. Add one line to Asterisk's pjsip.conf, below its transports, and load it:
       #include ${included}
       asterisk -rx '${reload}'
  2. Let ${answers.jid} create nodes on ${answers.pubsub}, and hold it to no rate limit.
  3. Start the bridge, as a user who can read the secrets:
       hintbridge run --config ${resolve(answers.config)}
Members are the accounts that match: ${answers.trust}`)
}
