import type { CommandModule } from 'yargs'
import { heardSignals } from '../early-signals.js'
import { type ConfigArguments, configOption } from './config-option.js'
import { keepMemorySmall } from './memory.js'
import { runService } from './service.js'

export const runCommand: CommandModule<object, ConfigArguments> = {
  command: 'run',
  describe:
    'Be the service beside one Asterisk. SIGTERM stops it, SIGHUP makes it read its configuration again',
  builder: (yargs) =>
    yargs
      .options(configOption)
      .example('$0 run', 'with the configuration that init wrote')
      .example('$0 run --config ./a.yaml', 'with another')
      .epilogue(
        'Logs JSON lines on standard output. Ends with 0 after SIGTERM, SIGINT or a leave, 78 if the configuration is bad (standard error lists every problem), 1 after anything else.',
      ),
  handler: async ({ config: file }) => {
    keepMemorySmall()
    const { Daemon } = await import('../daemon.js')
    await runService({
      file,
      environment: process.env,
      signals: heardSignals,
      makeService: (config, log) => new Daemon(config, file, log),
    })
  },
}
