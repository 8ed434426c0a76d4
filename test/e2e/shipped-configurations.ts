/** The server configurations that we ship and document, as a server of the lab runs on them. */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { startEjabberd } from '../../lab/ejabberd.js'
import { startProsody } from '../../lab/prosody.js'
import type { ServerSetting } from '../../lab/xmpp-server.js'

const repository = join(import.meta.dirname, '../..')

/** As shipped, for these bridges: accounts of `example.org`. */
function shipped(file: string, [first = '', ...others]: readonly string[]): string {
  const text = readFileSync(join(repository, 'contrib', file), 'utf8')
  const names = [first, ...others].map((user) => `$1${user}@example.org$1`).join(', ')
  return text.replace(/(["'])pbx-a@example\.org\1, (["'])pbx-b@example\.org\2/, names)
}

const two = ['pbx-a', 'pbx-b']

/** As shipped but for its paths, and for ports and addresses before it. */
export function prosody(
  { folder, port, certificate }: ServerSetting,
  bridges: readonly string[] = two,
): string {
  // As `prosodyctl cert import` lays them down.
  mkdirSync(join(folder, 'certs'))
  copyFileSync(certificate.certFile, join(folder, 'certs/example.org.crt'))
  copyFileSync(certificate.keyFile, join(folder, 'certs/example.org.key'))
  const text = shipped('prosody/prosody.cfg.lua', bridges).replace(
    '"/run/prosody/prosody.pid"',
    JSON.stringify(join(folder, 'prosody.pid')),
  )
  return [
    'run_as_root = true',
    `data_path = ${JSON.stringify(join(folder, 'data'))}`,
    // By default /var/lib/prosody/custom_plugins.
    `installer_plugin_path = ${JSON.stringify(join(repository, 'contrib/prosody'))}`,
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
export function ejabberd(setting: ServerSetting, bridges: readonly string[] = two): string {
  const configuration = parse(shipped('ejabberd/ejabberd.yml', bridges)) as EjabberdConfiguration
  return inTheLab(configuration, setting)
}

/** The README's lines for an ejabberd that is there, merged into what Debian's has of the same sections. */
export function mergedEjabberd(setting: ServerSetting): string {
  const configuration = parse(shipped('ejabberd/ejabberd.yml', two)) as EjabberdConfiguration
  const [, snippet = ''] =
    /```yaml\n(acl:[\s\S]*?)```/.exec(readFileSync(join(repository, 'README.md'), 'utf8')) ?? []
  const lines = parse(snippet) as EjabberdConfiguration
  configuration.acl = { admin: { user: [''] }, local: { user_regexp: '' }, ...lines.acl }
  configuration.access_rules = { c2s: { allow: 'all' }, ...lines.access_rules }
  configuration.shaper_rules = { s2s_shaper: 'fast', ...lines.shaper_rules }
  Object.assign(configuration.shaper, { fast: 200_000 }, lines.shaper)
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

export const shippedConfigurations = [
  { kind: 'Prosody', startServer: startProsody, configuration: prosody },
  { kind: 'ejabberd', startServer: startEjabberd, configuration: ejabberd },
] as const
