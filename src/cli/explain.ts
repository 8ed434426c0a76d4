import { setTimeout as delay } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import { runConsole } from '../asterisk/console.js'
import { kinds, type Kind } from '../bridge/state.js'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import type { ExplainAnswer, OverviewAnswer } from '../observe/api.js'
import { askLocally, type LocalAnswer } from '../doctor/local-state.js'
import { askAboutMailbox, judgeMailbox } from './explain-mailbox.js'
import { judge } from '../doctor/verdict.js'
import { type Explained, renderExplanation } from './explain-render.js'
import {
  askBridge,
  type InspectArguments,
  inspectOptions,
  noBridge,
  type Output,
  printJson,
  question,
  standardOutput,
} from './inspect.js'

export interface ExplainArguments extends InspectArguments {
  readonly device: string
  readonly kind: Kind | undefined
}

export const explainCommand: CommandModule<object, ExplainArguments> = {
  command: 'explain <device>',
  describe: 'Say why a lamp is lit or dark: the addition, origin by origin, as Asterisk does it',
  builder: (yargs) =>
    yargs
      .positional('device', {
        type: 'string',
        demandOption: true,
        describe: 'a device, or a mailbox with its context',
      })
      .options({
        ...inspectOptions,
        kind: {
          choices: kinds,
          describe: 'what it is, where its name does not tell (1000@default is a mailbox)',
        },
      })
      .example('$0 explain PJSIP/1001', 'who says what of it, and what this Asterisk makes of it')
      .example('$0 explain 1000@default', 'where a message count comes from')
      .epilogue(
        'What this Asterisk itself answers is asked on its console (asterisk.console), where this user may use that; of a mailbox, where its module res_mwi_devstate is loaded.',
      ),
  handler: ({ config: file, device, kind, json }) => {
    const { config } = loadConfig(file)
    return explain({
      config,
      kind: kind ?? kindOf(device),
      id: device,
      isJson: json,
      output: standardOutput(),
      runConsole: (command) => runConsole(config.asterisk, command, consoleTimeoutMs),
    })
  },
}

const consoleTimeoutMs = 5_000
/** A change that passes while two are asked is not a difference: they are asked so often … */
const attempts = 3
/** … with this between, ms. */
const betweenMs = 300

export interface ExplainOptions {
  readonly config: Config
  readonly kind: Kind
  readonly id: string
  readonly isJson: boolean
  readonly output: Output
  readonly runConsole: (command: string) => Promise<string>
}

/** Prints why a device or mailbox shows what it shows. */
export async function explain(options: ExplainOptions): Promise<void> {
  const { config, isJson, output } = options
  const { answer, local } = await ask(options)
  const overview = await askBridge<OverviewAnswer>(config, '/api/overview')
  const verdict = judgeEither(answer, local)
  const explained: Explained = {
    ...answer,
    local: verdict.local,
    remarks: [...answer.remarks, ...verdict.remarks],
  }
  if (isJson) printJson(output, explained)
  else output.print(renderExplanation(explained, overview?.members ?? [], output.style))
}

async function ask(
  options: ExplainOptions,
): Promise<{ readonly answer: ExplainAnswer; readonly local: LocalAnswer }> {
  const { config, kind, id } = options
  for (let attempt = 1; ; attempt += 1) {
    const local = await askEither(kind, id, options.runConsole)
    const answer = await askBridge<ExplainAnswer>(config, question('/api/explain', { kind, id }))
    if (!answer) throw noBridge(config, 'who says what')
    const isSettled = judgeEither(answer, local).local.isAsExpected ?? true
    if (isSettled || attempt === attempts) return { answer, local }
    await delay(betweenMs)
  }
}

const askEither = (kind: Kind, ...asked: Parameters<typeof askLocally>): Promise<LocalAnswer> =>
  kind === 'device_state' ? askLocally(...asked) : askAboutMailbox(...asked)

const judgeEither = (answer: ExplainAnswer, local: LocalAnswer): ReturnType<typeof judge> =>
  answer.kind === 'device_state' ? judge(answer, local) : judgeMailbox(answer, local)

/** `1000@default` is a mailbox, `PJSIP/1000` and `Custom:x@y` are devices. */
function kindOf(name: string): Kind {
  return /^[^/:]+@[^/:]+$/.test(name) ? 'message_waiting' : 'device_state'
}
