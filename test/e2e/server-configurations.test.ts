/** The server configurations that we ship: real servers run on them, a cluster works, and only bridges have no limit. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { accountOf, type Cluster, startCluster } from '../../lab/cluster.js'
import { startEjabberd } from '../../lab/ejabberd.js'
import { Onlooker } from '../../lab/onlooker.js'
import { startProsody } from '../../lab/prosody.js'
import type { ServerSetting } from '../../lab/xmpp-server.js'
import { createNode } from '../../src/pubsub/create-node.js'

const shipped = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../../contrib', file), 'utf8')

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
  readonly modules: Record<string, unknown>
  api_permissions?: unknown
}

/** As shipped but for paths and ports, and with the API by which the lab registers accounts. */
function ejabberd({ port, certificate, apiPort = 0 }: ServerSetting): string {
  const configuration = parse(shipped('ejabberd/ejabberd.yml')) as EjabberdConfiguration
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
  const ping = `<ping xmlns='urn:xmpp:ping' padding='${padding}'/>`
  const count = { answers: 0 }
  const asked = Array.from({ length: pings }, async () => {
    await onlooker.ask('example.org', ping)
    count.answers++
  })
  return Object.assign(count, { all: Promise.allSettled(asked) })
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

  it('lets no stranger create a node', async () => {
    const onlooker = await Onlooker.connect(cluster.server, stranger)
    await expect(createNode(onlooker.pubsub, 'mine', {})).rejects.toThrow('forbidden')
    await onlooker.stop()
  })

  it('answers all of a bridge’s burst while it still holds a stranger back', async () => {
    const [bridge, other] = await Promise.all([
      Onlooker.connect(cluster.server, accountOf('a')),
      Onlooker.connect(cluster.server, stranger),
    ])
    const held = burst(other)
    const free = burst(bridge)
    await free.all
    expect(free.answers).toBe(pings)
    expect(held.answers).toBeLessThan(pings)
    await Promise.all([bridge.stop(), other.stop()])
  })
})
