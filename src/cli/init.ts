import { existsSync } from 'node:fs'
import type { CommandModule, InferredOptionTypes } from 'yargs'
import { defaultConfigFile } from './config-option.js'
import { type Answers, defaultAsteriskConf, questionKeys, questions } from './init/answers.js'
import { initialise } from './init/initialise.js'
import { renewSip } from './init/renew-sip.js'
import { Terminal } from './init/terminal.js'

const questionOptions = Object.fromEntries(
  questionKeys.map((key) => [
    key,
    { type: 'string', requiresArg: true, describe: questions[key].text },
  ]),
) as Record<keyof Answers, { type: 'string'; requiresArg: true; describe: string }>

const options = {
  ...questionOptions,
  'xmpp-password-file': {
    type: 'string',
    requiresArg: true,
    describe:
      'a file that holds the XMPP password, which is copied (else HINTBRIDGE_XMPP_PASSWORD, else it is asked)',
  },
  ca: {
    type: 'string',
    requiresArg: true,
    describe: "PEM file of the XMPP server's own authority, which is copied",
  },
  insecure: {
    type: 'boolean',
    default: false,
    describe: 'let XMPP run in clear text (a server on this machine without TLS)',
  },
  'insecure-sip': {
    type: 'boolean',
    default: false,
    describe: 'let SIP leave the loopback in clear text (an Asterisk that listens elsewhere)',
  },
  eid: { type: 'string', requiresArg: true, describe: "Asterisk's entity ID, else learnt from it" },
  yes: {
    alias: 'y',
    type: 'boolean',
    default: false,
    describe: 'ask nothing: take what is proposed',
  },
  force: {
    type: 'boolean',
    default: false,
    describe: 'replace files that are there; the SIP secrets are kept',
  },
  'renew-sip': {
    type: 'boolean',
    describe:
      'change nothing of an installation but its SIP secrets, on both sides: one for each direction',
  },
} as const

export const initCommand: CommandModule<object, InferredOptionTypes<typeof options>> = {
  command: 'init',
  describe: 'Write a working configuration and the Asterisk side of it, with fresh secrets',
  builder: (yargs) =>
    yargs
      .options(options)
      .conflicts(
        'renew-sip',
        questionKeys.filter((key) => key !== 'config' && key !== 'asterisk-conf'),
      )
      .example('$0 init', 'ask on the terminal')
      .example(
        '$0 init --yes --jid pbx-a@example.org --xmpp-password-file ./xmpp.secret',
        'take what is proposed for the rest',
      )
      .example('$0 init --renew-sip', 'make fresh SIP secrets for what init once wrote')
      .epilogue(
        'No option takes a password: a command line can be read by all users of the machine.',
      ),
  handler: (given) => {
    if (given['renew-sip'] === true) {
      renewSip({
        configFile: given.config ?? defaultConfigFile,
        asteriskConf: given['asterisk-conf'] ?? defaultAsteriskConf,
        environment: process.env,
        print: (line) => process.stdout.write(`${line}\n`),
      })
      return
    }
    const isTerminal = process.stdin.isTTY && process.stdout.isTTY
    return initialise({
      given,
      environment: process.env,
      ...(isTerminal && !given.yes && { terminal: new Terminal(process.stdin, process.stdout) }),
      print: (line) => process.stdout.write(`${line}\n`),
      isPresent: existsSync,
    })
  },
}
