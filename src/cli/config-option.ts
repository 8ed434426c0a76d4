/** Where `init` writes the configuration and the other commands look for it. */
export const defaultConfigFile = '/etc/hintbridge/hintbridge.yaml'

/** `--config FILE`, of all commands that need the configuration. */
export const configOption = {
  config: {
    alias: 'c',
    type: 'string',
    requiresArg: true,
    default: defaultConfigFile,
    describe: 'the configuration file',
  },
} as const

export interface ConfigArguments {
  readonly config: string
}
