/** ejabberd 23.01 of Debian 12. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
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
  readonly domain: string
  readonly pubsub: string
  readonly port: number
  readonly directTlsPort: number
  readonly apiPort: number
  readonly certificate: Certificate
}

/** Starts an ejabberd of its own with mod_pubsub; STARTTLS is required, s2s is off. */
export async function startEjabberd(options: XmppServerOptions): Promise<XmppServer> {
  const domain = options.domain ?? 'example.org'
  const pubsub = `pubsub.${domain}`
  const name = options.name ?? 'ejabberd'
  const folder = options.scratch.makeFolder(name)
  const setting: Setting = {
    domain,
    pubsub,
    port: await claimPort(),
    directTlsPort: await claimPort(),
    apiPort: await claimPort(),
    certificate: options.certificate ?? (await options.ca.issue(domain, pubsub)),
  }
  const configFile = join(folder, 'ejabberd.yml')
  writeFileSync(
    configFile,
    options.configuration?.({ ...setting, folder }) ??
      `${stringify(configuration(setting, options))}\n${options.extra ?? ''}\n`,
  )
  const logFile = join(folder, 'ejabberd.out')
  const server = new Server(
    {
      name,
      // Not ejabberdctl: it runs as another user, and forks. Without `-name` Erlang has no distribution, so no epmd.
      command: 'erl',
      args: [
        '-noinput',
        '+K',
        'true',
        '-mnesia',
        'dir',
        `"${join(folder, 'mnesia')}"`,
        '-eval',
        loseStoreWhen(join(folder, loseStoreFile)),
        '-s',
        'ejabberd',
      ],
      env: {
        EJABBERD_CONFIG_PATH: configFile,
        EJABBERD_LOG_PATH: join(folder, 'ejabberd.log'),
        ERL_CRASH_DUMP: join(folder, 'erl_crash.dump'),
        ERL_LIBS: debianLibraries(),
        HOME: folder,
      },
      cwd: folder,
      logFile,
    },
    (running) => answersXmpp(running, setting.port, domain),
  )
  await server.start()
  const addAccount = (account: Account): Promise<void> => register(setting, account)
  for (const account of [...(options.accounts ?? []), ...(options.guests ?? [])]) {
    await addAccount(account)
  }
  return {
    kind: 'ejabberd',
    domain,
    pubsub,
    port: setting.port,
    service: `xmpp://127.0.0.1:${setting.port}`,
    directTlsService: `xmpps://127.0.0.1:${setting.directTlsPort}`,
    caFile: options.ca.caFile,
    logFile: join(folder, 'ejabberd.log'),
    get running() {
      return server.running
    },
    addAccount,
    start: () => server.start(),
    stop: () => server.stop(),
    kill: () => server.kill(),
    restart: () => server.restart(),
    losePubsubStore: async () => {
      const { isRunning, options: runOptions } = server.running
      const start = readText(runOptions.logFile).length
      writeFileSync(join(folder, loseStoreFile), '')
      // One that is stopped loses it when it starts.
      if (isRunning) await server.running.logs(/the pubsub store is lost/, 5_000, start)
    },
  }
}

/** ejabberd loses its nodes when this file appears, or when it starts and the file is there. */
const loseStoreFile = 'lose-pubsub-store'

/**
 * Erlang that empties the tables of mod_pubsub when that file appears: all at once, as a node that is made between the
 * emptying of two of them would be left without its owner.
 */
function loseStoreWhen(file: string): string {
  return `
    Tables = [pubsub_node, pubsub_item, pubsub_state, pubsub_orphan],
    Empty = fun(Table) ->
      mnesia:write_lock_table(Table),
      [mnesia:delete({Table, Key}) || Key <- mnesia:all_keys(Table)]
    end,
    Lose = fun() ->
      {atomic, _} = mnesia:transaction(fun() -> [Empty(Table) || Table <- Tables] end),
      io:format("the pubsub store is lost~n")
    end,
    case file:delete("${file}") of
      ok -> mnesia:start(), mnesia:wait_for_tables(Tables, 10000), Lose();
      _ -> ok
    end,
    Watch = fun(Again) ->
      timer:sleep(100),
      case file:delete("${file}") of ok -> Lose(); _ -> ok end,
      Again(Again)
    end,
    spawn(fun() -> Watch(Watch) end).`
}

/** Debian's ejabberd finds its Erlang libraries in the multiarch folder, as its ejabberdctl says. */
function debianLibraries(): string {
  for (const triplet of readdirSync('/usr/lib').filter((name) => name.endsWith('-linux-gnu'))) {
    const folder = join('/usr/lib', triplet)
    if (readdirSync(folder).some((name) => name.startsWith('ejabberd-'))) return folder
  }
  throw new Error('ejabberd is not installed: run `bash lab/prepare true`')
}

function configuration(setting: Setting, options: XmppServerOptions): object {
  const { domain, certificate } = setting
  const c2s = {
    ip: '127.0.0.1',
    module: 'ejabberd_c2s',
    max_stanza_size: 262_144,
    shaper: 'c2s_shaper',
    access: 'all',
  }
  return {
    hosts: [domain],
    ...shapers(options.rate),
    loglevel: 'info',
    certfiles: [certificate.certFile, certificate.keyFile],
    ca_file: options.ca.caFile,
    auth_method: 'internal',
    auth_password_format: 'scram',
    listen: [
      { port: setting.port, ...c2s, starttls_required: true },
      { port: setting.directTlsPort, ...c2s, tls: true },
      {
        port: setting.apiPort,
        ip: '127.0.0.1',
        module: 'ejabberd_http',
        request_handlers: { '/api': 'mod_http_api' },
      },
    ],
    api_permissions: { lab: { who: { ip: '127.0.0.1/8' }, what: ['register'] } },
    acl: {
      bridges: { user: (options.accounts ?? []).map(({ user }) => `${user}@${domain}`) },
    },
    access_rules: { bridges: { allow: 'bridges' } },
    modules: {
      mod_admin_extra: {},
      mod_disco: {},
      mod_http_api: {},
      mod_ping: {},
      ...(options.isRegistrationOpen === true && { mod_register: { ip_access: 'all' } }),
      mod_roster: {},
      mod_time: {},
      mod_pubsub: {
        host: setting.pubsub,
        access_createnode: 'bridges',
        last_item_cache: false,
        plugins: ['flat'],
        default_node_config: { send_last_published_item: 'never' },
        ...(options.maxItems === undefined ? {} : { max_items_node: options.maxItems }),
      },
    },
  }
}

/** As shipped for bridges, or a rate for all, as ejabberd's sample configuration has it. */
function shapers(rate: XmppServerOptions['rate']): object {
  return {
    shaper: {
      bridges: { rate: bridgeRate, burst_size: bridgeRate },
      ...(typeof rate === 'number' && { limited: { rate, burst_size: 20_000 } }),
    },
    shaper_rules: {
      c2s_shaper:
        typeof rate === 'number'
          ? { limited: 'all' }
          : [...(rate === 'none' ? [] : [{ bridges: 'bridges' }]), { none: 'all' }],
    },
  }
}

/** By ejabberd's HTTP API, which answers on the loopback only. */
async function register(setting: Setting, { user, password }: Account): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${setting.apiPort}/api/register`, {
    method: 'POST',
    body: JSON.stringify({ user, host: setting.domain, password }),
  })
  if (!response.ok) throw new Error(`failed to register '${user}': ${await response.text()}`)
}
