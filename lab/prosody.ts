/** Prosody 0.12 of Debian 12. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Certificate } from './ca.js'
import { readText } from './running.js'
import { claimPort } from './scratch.js'
import { Server } from './server.js'
import {
  answersXmpp,
  bridgeRate,
  type Account,
  type XmppServer,
  type XmppServerOptions,
} from './xmpp-server.js'

interface Setting {
  readonly folder: string
  readonly domain: string
  readonly pubsub: string
  readonly port: number
  readonly directTlsPort: number
  readonly certificate: Certificate
}

/** Starts a Prosody of its own with a pubsub component; STARTTLS is required, s2s is off. */
export async function startProsody(options: XmppServerOptions): Promise<XmppServer> {
  const domain = options.domain ?? 'example.org'
  const pubsub = `pubsub.${domain}`
  const name = options.name ?? 'prosody'
  const folder = options.scratch.makeFolder(name)
  const setting: Setting = {
    folder,
    domain,
    pubsub,
    port: await claimPort(),
    directTlsPort: await claimPort(),
    certificate: options.certificate ?? (await options.ca.issue(domain, pubsub)),
  }
  const configFile = join(folder, 'prosody.cfg.lua')
  const labConfiguration = (): string => configuration(setting, options)
  writeFileSync(configFile, (options.configuration ?? labConfiguration)(setting))
  for (const account of [...(options.accounts ?? []), ...(options.guests ?? [])]) {
    writeAccount(setting, account)
  }
  const logFile = join(folder, 'prosody.log')
  const server = new Server(
    { name, command: 'prosody', args: ['--config', configFile, '-F'], cwd: folder, logFile },
    (running) => answersXmpp(running, setting.port, domain),
  )
  await server.start()
  return {
    kind: 'prosody',
    domain,
    pubsub,
    port: setting.port,
    service: `xmpp://127.0.0.1:${setting.port}`,
    directTlsService: `xmpps://127.0.0.1:${setting.directTlsPort}`,
    caFile: options.ca.caFile,
    logFile,
    get running() {
      return server.running
    },
    addAccount: (account) => {
      writeAccount(setting, account)
      return Promise.resolve()
    },
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
    losePubsubStore: () => losePubsubStore(setting, server),
  }
}

/** Deletes its files; a Prosody that runs is told to forget what it has in memory, by the lab's own module. */
async function losePubsubStore({ folder, pubsub }: Setting, server: Server): Promise<void> {
  rmSync(join(folder, 'data', fileName(pubsub)), { recursive: true, force: true })
  if (!server.running.isRunning) return
  const start = readText(server.running.options.logFile).length
  writeFileSync(join(folder, loseStoreFile), '')
  await server.running.logs(/the pubsub store is lost/, 5_000, start)
}

/** Prosody forgets its nodes when this file appears. */
const loseStoreFile = 'lose-pubsub-store'

const lua = (text: string): string => JSON.stringify(text)

function configuration(setting: Setting, options: XmppServerOptions): string {
  const { folder, domain, certificate } = setting
  const admins = (options.accounts ?? []).map(({ user }) => lua(`${user}@${domain}`)).join(', ')
  return `
run_as_root = true
daemonize = false
pidfile = ${lua(join(folder, 'prosody.pid'))}
data_path = ${lua(join(folder, 'data'))}
certificates = ${lua(folder)}
plugin_paths = { ${lua(join(import.meta.dirname, 'prosody-modules'))}, ${lua(shippedModules)} }
log = { { levels = { min = "info" }, to = "console" } }
interfaces = { "127.0.0.1" }
c2s_ports = { ${setting.port} }
c2s_direct_tls_ports = { ${setting.directTlsPort} }
c2s_require_encryption = true
authentication = "internal_hashed"
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "time", "presence", "message", "iq", "bridge_rate"${typeof options.rate === 'number' ? ', "limits"' : ''}${options.isRegistrationOpen === true ? ', "register"' : ''} }
allow_registration = ${String(options.isRegistrationOpen ?? false)}
modules_disabled = { "s2s" }
${rateSettings(options.rate, admins)}
ssl = { certificate = ${lua(certificate.certFile)}, key = ${lua(certificate.keyFile)} }

VirtualHost ${lua(domain)}

Component ${lua(setting.pubsub)} "pubsub"
  admins = { ${admins} }
  modules_enabled = { "lose_pubsub_store" }
  lose_pubsub_store_when = ${lua(join(folder, loseStoreFile))}
  expose_publisher = ${String(options.exposePublisher ?? true)}
  ${options.maxItems === undefined ? '' : `pubsub_max_items = ${options.maxItems}`}
  ${options.store === 'sql' ? sqlStore : ''}
${options.extra ?? ''}
`
}

const shippedModules = join(import.meta.dirname, '../contrib/prosody')

/** As shipped, or, with a rate for all, Prosody's defaults. */
function rateSettings(rate: XmppServerOptions['rate'], bridges: string): string {
  if (typeof rate === 'number') {
    return `limits = { c2s = { rate = "${rate / 1_000}kb/s" } }`
  }
  const swift = `network_settings = { nagle = false }\ngc = { mode = "incremental", threshold = 200 }`
  if (rate === 'none') return swift
  return `${swift}
bridge_rate_jids = { ${bridges} }
bridge_rate = ${bridgeRate}`
}

const sqlStore = `storage = "sql"
  sql = { driver = "SQLite3", database = "prosody.sqlite" }`

/** As Prosody's util.datamanager names its files; a clear password is hashed at the first login. */
function writeAccount(setting: Setting, account: Account): void {
  const folder = join(setting.folder, 'data', fileName(setting.domain), 'accounts')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, `${fileName(account.user)}.dat`),
    `return { ["password"] = ${lua(account.password)} };\n`,
  )
}

function fileName(text: string): string {
  return text.replace(
    /[^A-Za-z0-9]/g,
    (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}
