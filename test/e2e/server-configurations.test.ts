/** The server configurations that we ship and document: real servers run on them, and only bridges have no limit. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { createCa } from '../../lab/ca.js'
import { accountOf, type Cluster, startCluster } from '../../lab/cluster.js'
import { startEjabberd } from '../../lab/ejabberd.js'
import { Onlooker } from '../../lab/onlooker.js'
import { startProsody } from '../../lab/prosody.js'
import { createScratch } from '../../lab/scratch.js'
import type { ServerSetting, XmppServer } from '../../lab/xmpp-server.js'
import { createNode } from '../../src/pubsub/create-node.js'
import { diagnose } from './doctor-process.js'

const repository = join(import.meta.dirname, '../..')
const shipped = (file: string): string => readFileSync(join(repository, 'contrib', file), 'utf8')

/** As shipped but for its paths, and for ports and addresses before it. */
function prosody({ folder, port, certificate }: ServerSetting): string {
  // As `prosodyctl cert import` lays them down.
  mkdirSync(join(folder, 'certs'))
  copyFileSync(certificate.certFile, join(folder, 'certs/example.org.crt'))
  copyFileSync(certificate.keyFile, join(folder, 'certs/example.org.key'))
  const text = shipped('prosody/prosody.cfg.lua').replace(
    '"/run/prosody/prosody.pid"',
    JSON.stringify(join(folder, 'prosody.pid')),
  )
  return [
    'run_as_root = true',
    `data_path = ${JSON.stringify(join(folder, 'data'))}`,
    'interfaces = { "127.0.0.1" }',
    `c2s_ports = { ${port} }`,
    text,
  ].join('\n')
}

interface EjabberdConfiguration {
  certfiles: string[]
  readonly listen: { port: number; ip: string; [key: string]: unknown }[]
  readonly shaper: Record<string, unknown>
  acl: Readonly<Record<string, unknown>>
  access_rules: Readonly<Record<string, unknown>>
  shaper_rules: Readonly<Record<string, unknown>>
  readonly modules: Record<string, unknown>
  api_permissions?: unknown
}

/** As shipped but for paths and ports, and with the API by which the lab registers accounts. */
function ejabberd(setting: ServerSetting): string {
  const configuration = parse(shipped('ejabberd/ejabberd.yml')) as EjabberdConfiguration
  return inTheLab(configuration, setting)
}

/** The README's lines for an ejabberd that is there, merged into what Debian's has of the same sections. */
function mergedEjabberd(setting: ServerSetting): string {
  const configuration = parse(shipped('ejabberd/ejabberd.yml')) as EjabberdConfiguration
  const [, snippet = ''] =
    /```yaml\n(acl:[\s\S]*?)```/.exec(readFileSync(join(repository, 'README.md'), 'utf8')) ?? []
  const lines = parse(snippet) as EjabberdConfiguration
  configuration.acl = { admin: { user: [''] }, local: { user_regexp: '' }, ...lines.acl }
  configuration.access_rules = { c2s: { allow: 'all' }, ...lines.access_rules }
  configuration.shaper_rules = { s2s_shaper: 'fast', ...lines.shaper_rules }
  configuration.shaper['fast'] = 200_000
  Object.assign(configuration.modules, { mod_caps: {} }, lines.modules)
  return inTheLab(configuration, setting)
}

function inTheLab(
  configuration: EjabberdConfiguration,
  { port, certificate, apiPort = 0 }: ServerSetting,
): string {
  const ip = '127.0.0.1'
  configuration.certfiles = [certificate.certFile, certificate.keyFile]
  for (const listener of configuration.listen) Object.assign(listener, { port, ip })
  const request_handlers = { '/api': 'mod_http_api' }
  configuration.listen.push({ port: apiPort, ip, module: 'ejabberd_http', request_handlers })
  configuration.modules['mod_http_api'] = {}
  configuration.api_permissions = { lab: { who: { ip: '127.0.0.1/8' }, what: ['register'] } }
  return stringify(configuration)
}

const stranger = { user: 'stranger', password: 'secret' }
const pings = 10
const padding = 'x'.repeat(8_000)

/** Sends pings of 8 kB at once; counts the answers as they come, and says when all are there. */
function burst(onlooker: Onlooker): { answers: number; readonly all: Promise<unknown> } {
  // Not in an attribute: Debian's libexpat may put off the last tag as long as that until more comes.
  const ping = `<ping xmlns='urn:xmpp:ping'>${padding}</ping>`
  const count = { answers: 0 }
  const asked = Array.from({ length: pings }, async () => {
    await onlooker.ask('example.org', ping)
    count.answers++
  })
  return Object.assign(count, { all: Promise.allSettled(asked) })
}

const connectBoth = (server: XmppServer): Promise<[Onlooker, Onlooker]> =>
  Promise.all([Onlooker.connect(server, accountOf('a')), Onlooker.connect(server, stranger)])

async function expectOnlyBridgesFree(server: XmppServer): Promise<void> {
  const [bridge, other] = await connectBoth(server)
  const held = burst(other)
  const free = burst(bridge)
  await free.all
  expect(free.answers).toBe(pings)
  expect(held.answers).toBeLessThan(pings)
  await Promise.all([bridge.stop(), other.stop()])
}

describe.each([
  { kind: 'Prosody', startServer: startProsody, configuration: prosody },
  { kind: 'ejabberd', startServer: startEjabberd, configuration: ejabberd },
])('the configuration for $kind', ({ kind, startServer, configuration }) => {
  let cluster: Cluster

  beforeAll(async () => {
    const hints = { night: 'Custom:night' }
    cluster = await startCluster({
      label: `shipped-${kind}`,
      startServer,
      server: { configuration, guests: [stranger] },
      members: { a: { hints }, b: { hints } },
    })
  })
  afterAll(() => cluster.stop())

  it('carries a cluster without a problem', async () => {
    await cluster.member('a').asterisk.setDevice('Custom:night', 'INUSE')
    await cluster.member('b').asterisk.awaitHint('night', 'InUse')
    expect(await cluster.member('a').problems()).toEqual([])
    expect(await cluster.member('b').problems()).toEqual([])
  })

  it('leaves doctor nothing to complain of, and nothing unchecked', async () => {
    const { findings } = await diagnose(cluster.member('a').configFile)
    const unsure = findings.filter(({ severity }) => severity !== 'ok')
    expect(unsure).toEqual([])
  })

  it('lets no stranger create a node', async () => {
    const onlooker = await Onlooker.connect(cluster.server, stranger)
    await expect(createNode(onlooker.pubsub, 'mine', {})).rejects.toThrow('forbidden')
    await onlooker.stop()
  })

  it('answers all of a bridge’s burst while it still holds a stranger back', () =>
    expectOnlyBridgesFree(cluster.server))
})

describe('the lines for an ejabberd that is there', () => {
  let server: XmppServer
  const scratch = createScratch('merged-ejabberd')

  beforeAll(async () => {
    const ca = await createCa(scratch)
    const accounts = [accountOf('a')]
    const configuration = mergedEjabberd
    server = await startEjabberd({ scratch, ca, accounts, guests: [stranger], configuration })
  })
  afterAll(async () => {
    await server.stop()
    scratch.remove()
  })

  it('let bridges alone create nodes', async () => {
    const [bridge, other] = await connectBoth(server)
    await createNode(bridge.pubsub, 'ours', {})
    await expect(createNode(other.pubsub, 'mine', {})).rejects.toThrow('forbidden')
    await Promise.all([bridge.stop(), other.stop()])
  })

  it('free bridges of the limit, and nobody else', () => expectOnlyBridgesFree(server))
})
