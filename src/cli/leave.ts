import { setTimeout as delay } from 'node:timers/promises'
import type { CommandModule } from 'yargs'
import type { Config } from '../config/config.js'
import { loadConfig } from '../config/load.js'
import { askControl } from '../observe/control-client.js'
import { createLog } from '../observe/logger.js'
import { type ConfigArguments, configOption } from './config-option.js'

/** How long a running bridge may take to withdraw: 1 s per 1,500 devices (rule 25), and a slow server. */
const leaveTimeoutMs = 180_000
/** How long the bridge may take to end once it has answered, and how often that is looked at. */
const endTimeoutMs = 10_000
const endLookMs = 50

export const leaveCommand: CommandModule<object, ConfigArguments> = {
  command: 'leave',
  describe:
    'Leave the cluster for good: withdraw from the peers at once, and all that is theirs from this Asterisk',
  builder: (yargs) =>
    yargs
      .options(configOption)
      .example('$0 leave', 'before this server is taken down for good')
      .epilogue(
        'A bridge that runs is asked to leave and ends; where none runs, its nodes and what it injected are withdrawn in its place. Run it as root or as the user of the service. For a restart or an upgrade do not leave: stop the service.',
      ),
  handler: ({ config: file }) =>
    leave({
      config: loadConfig(file).config,
      print: (line) => process.stdout.write(`${line}\n`),
      leaveInPlace: async (config) => {
        const { Daemon } = await import('../daemon.js')
        await new Daemon(config, file, createLog({ level: config.log.level })).leave()
      },
    }),
}

export interface LeaveOptions {
  readonly config: Config
  readonly print: (line: string) => void
  /** Leaves where no bridge runs. */
  readonly leaveInPlace: (config: Config) => Promise<void>
}

/**
 * Asks the running bridge to leave and waits for its end, or leaves in its place; throws an Error with the bridge's reason
 * where it could not.
 */
export async function leave({ config, print, leaveInPlace }: LeaveOptions): Promise<void> {
  const { jid } = config.xmpp
  print(`${jid}: leaving …`)
  const answer = await askControl(config.controlSocket, 'POST', '/leave', leaveTimeoutMs)
  if (answer === undefined) {
    print(`no bridge runs on ${config.stateDir}: leaving in its place`)
    await leaveInPlace(config)
  } else {
    await hasEnded(config.controlSocket)
    if (answer.status !== 200) throw new Error(`failed to leave: ${reasonOf(answer.body)}`)
  }
  print(
    `${jid} has left the cluster: peers have dropped its states, this Asterisk those of its peers`,
  )
}

/** Whoever comes next may start a bridge there, leave once more or delete its folder: it must have let go of all that. */
async function hasEnded(controlSocket: string): Promise<void> {
  const deadline = performance.now() + endTimeoutMs
  while (await isAnswering(controlSocket)) {
    if (performance.now() > deadline) {
      throw new Error('the bridge has left, but its process does not end: stop its service')
    }
    await delay(endLookMs) // that nobody listens any more is no event
  }
}

/** One that ends while it is asked breaks off. */
const isAnswering = (controlSocket: string): Promise<boolean> =>
  askControl(controlSocket, 'GET', '/status').then(
    (answer) => answer !== undefined,
    () => true,
  )

function reasonOf(body: unknown): string {
  const hasError = typeof body === 'object' && body !== null && 'error' in body
  return hasError ? String(body.error) : JSON.stringify(body)
}
