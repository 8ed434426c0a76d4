import type { CommandModule } from 'yargs'
import { loadConfig } from '../config/load.js'
import type { Config } from '../config/config.js'
import type { ForgetAnswer } from '../observe/api.js'
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

export interface ForgetArguments extends InspectArguments {
  readonly member: string
}

export const forgetCommand: CommandModule<object, ForgetArguments> = {
  command: 'forget <member>',
  describe: 'Drop what is kept of a member that is gone for good, its message counts too',
  builder: (yargs) =>
    yargs
      .positional('member', {
        type: 'string',
        demandOption: true,
        describe: 'its JID, EID or name',
      })
      .options(inspectOptions)
      .example('$0 forget pbx-c@example.org', 'its server burnt down')
      .example('$0 forget 02:00:00:00:00:0c', 'by its EID, where its item is gone')
      .epilogue(
        'Run it on each server that still shows its message lamps: each keeps them by itself, and remembers whom it forgot over its restarts. It retracts the item of the member from ROOT/members, where the server lets this account, and else says who must. A member that lives is not forgotten; run leave there. It is no ban: one that comes back is a member again.',
      ),
  handler: ({ config: file, member, json }) =>
    forget(loadConfig(file).config, member, json, standardOutput()),
}

/** Has the running bridge forget a member; throws with its reason where it may not be. */
export async function forget(
  config: Config,
  member: string,
  isJson: boolean,
  output: Pick<Output, 'print'>,
): Promise<void> {
  const answer = await askBridge<ForgetAnswer>(config, question('/forget', { member }), 'POST')
  if (!answer) throw noBridge(config, 'what it gave to Asterisk')
  if (isJson) printJson(output, answer)
  else output.print(renderForgotten(answer))
}

/** What was done, and what of its item remains to be done by whom. */
export function renderForgotten({ member, item }: ForgetAnswer): string {
  const done = `${member} is forgotten: what this Asterisk had of it is withdrawn`
  if (!item) return done
  const { id, node, service, failure } = item
  if (failure === undefined) return `${done}, and its item is gone from ${node}`
  return (
    `${done}\nIts item ${id} remains in ${node} at ${service} (${failure}): servers that join later read its message ` +
    `counts until it is retracted by that account, by the owner of the node or by an administrator of the service.`
  )
}
