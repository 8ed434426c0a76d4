import type { CommandModule } from 'yargs'
import { loadConfig } from '../config/load.js'
import { type ConfigArguments, configOption } from './config-option.js'
import { listNodes, readNode, readRawNode } from './nodes/read.js'
import { renderNode, renderNodes } from './nodes/render.js'
import { openSession, requestTimeoutMs } from './session.js'
import { terminalStyle } from './table.js'

const options = {
  ...configOption,
  raw: {
    type: 'boolean',
    default: false,
    describe: "print the server's answers as XML",
  },
  json: { type: 'boolean', default: false, describe: 'print one JSON document' },
} as const

interface NodesArguments extends ConfigArguments {
  readonly node: string | undefined
  readonly raw: boolean
  readonly json: boolean
}

export const nodesCommand: CommandModule<object, NodesArguments> = {
  command: 'nodes [node]',
  describe: 'Show the pubsub nodes as the XMPP server has them',
  builder: (yargs) =>
    yargs
      .positional('node', { type: 'string', describe: 'its name, with or without the root' })
      .options(options)
      .check(({ node, raw, json }) => {
        if (raw && (json || node === undefined)) throw new Error('--raw is for one node, as XML')
        return true
      })
      .example('$0 nodes', 'the nodes of all members')
      .example('$0 nodes members', 'who is in the list of members')
      .example('$0 nodes 02:00:00:00:00:0a/device_state --raw', 'the XML of one')
      .epilogue(
        "Asks the XMPP server, with the bridge's account and beside the bridge. Only its owners may read a node's configuration and affiliations, and only members what is in it. What is in a feed is not kept. Only the services of members that trust names are asked.",
      ),
  handler: async ({ config: file, node, raw, json }) => {
    const { config } = loadConfig(file)
    const print = (text: string): boolean => process.stdout.write(`${text}\n`)
    const printJson = (value: unknown): boolean => print(JSON.stringify(value, undefined, 2))
    const session = await openSession(config)
    try {
      const cluster = {
        own: { iq: session, service: config.xmpp.pubsub, timeoutMs: requestTimeoutMs },
        root: config.cluster,
        jid: config.xmpp.jid,
        isTrusted: config.isTrusted,
      }
      if (node === undefined) {
        const list = await listNodes(cluster)
        if (json) printJson({ nodes: list })
        else print(renderNodes(list, terminalStyle()))
      } else if (raw) {
        print(await readRawNode(cluster, node))
      } else {
        const view = await readNode(cluster, node)
        if (json) printJson(view)
        else print(renderNode(view, terminalStyle()))
      }
    } finally {
      await session.close()
    }
  },
}
