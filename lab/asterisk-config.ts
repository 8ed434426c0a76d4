/** The configuration files of one Asterisk of the lab. */
import { join } from 'node:path'
import type { AsteriskOptions, PhoneAccount } from './asterisk.js'

/** Where an Asterisk finds itself, and what was claimed for it. */
export interface Place {
  /** Of this instance: `etc`, `var`, `spool`, `run` and `log` are inside. */
  readonly folder: string
  /** The unpacked Debian with Asterisk in it. */
  readonly root: string
  readonly modules: string
  readonly sipPort: number
  readonly amiPort: number
  readonly amiSecret: string
}

/** Only what the lab needs is loaded, in Asterisk's own order; a missing one is seen at once in the log. */
const modules = [
  ...['res_sorcery_config', 'res_sorcery_memory', 'res_sorcery_astdb', 'res_timing_timerfd'],
  ...['res_pjproject', 'res_pjsip', 'res_pjsip_session', 'res_pjsip_pubsub', 'res_pjsip_registrar'],
  ...['res_pjsip_authenticator_digest', 'res_pjsip_outbound_authenticator_digest'],
  ...['res_pjsip_endpoint_identifier_user', 'res_pjsip_endpoint_identifier_ip', 'res_pjsip_acl'],
  ...['res_pjsip_outbound_publish', 'res_pjsip_publish_asterisk'],
  ...['res_pjsip_exten_state', 'res_pjsip_dialog_info_body_generator'],
  ...['res_pjsip_pidf_body_generator', 'res_pjsip_xpidf_body_generator'],
  ...['res_pjsip_mwi', 'res_pjsip_mwi_body_generator', 'res_pjsip_sdp_rtp', 'res_pjsip_caller_id'],
  ...['res_rtp_asterisk', 'chan_pjsip', 'bridge_simple', 'bridge_holding', 'bridge_softmix'],
  ...['codec_ulaw', 'codec_alaw', 'codec_gsm', 'format_gsm', 'format_pcm', 'format_wav'],
  ...[
    'res_musiconhold',
    'app_dial',
    'app_queue',
    'app_voicemail',
    'app_confbridge',
    'app_playback',
  ],
  ...['app_stack', 'func_devstate', 'func_channel', 'pbx_config'],
  ...['res_manager_devicestate', 'res_mwi_devstate'],
]

/** Asterisk complains of these when they are missing. */
const emptyFiles = [
  ...['acl', 'ccss', 'cdr', 'cel', 'confbridge', 'features', 'indications', 'musiconhold'],
  ...['pjproject', 'queuerules', 'stasis', 'udptl'],
]

/** All files of `etc`, by name. */
export function configurationFiles(
  options: AsteriskOptions,
  place: Place,
): Readonly<Record<string, string>> {
  return {
    'asterisk.conf': asteriskConf(options, place),
    'modules.conf': modulesConf(options),
    'logger.conf': '[general]\ndateformat=%T.%3q\n[logfiles]\nconsole => notice,warning,error\n',
    'manager.conf': managerConf(place),
    'rtp.conf': '[general]\nrtpstart=30000\nrtpend=32000\n',
    'pjsip.conf': pjsipConf(options, place),
    'pjsip_hintbridge.conf': options.hintbridgeConf ?? '',
    'extensions.conf': extensionsConf(options),
    'queues.conf': queuesConf(options),
    'voicemail.conf': voicemailConf(options),
    ...Object.fromEntries(emptyFiles.map((name) => [`${name}.conf`, ''])),
    ...options.files,
  }
}

function modulesConf(options: AsteriskOptions): string {
  const lines = [...modules, ...(options.modules ?? [])].map((name) => `load=${name}.so\n`)
  return `[modules]\nautoload=no\n${lines.join('')}`
}

const section = (name: string, lines: readonly string[]): string =>
  `[${name}]\n${lines.join('\n')}\n\n`

function asteriskConf(options: AsteriskOptions, { folder, root, modules }: Place): string {
  const share = join(root, 'usr/share/asterisk')
  const directories = section('directories', [
    `astetcdir => ${join(folder, 'etc')}`,
    `astmoddir => ${modules}`,
    `astvarlibdir => ${join(folder, 'var')}`,
    `astdbdir => ${join(folder, 'var')}`,
    `astcachedir => ${join(folder, 'var')}`,
    `astkeydir => ${join(folder, 'var')}`,
    `astdatadir => ${share}`,
    `astagidir => ${join(share, 'agi-bin')}`,
    `astspooldir => ${join(folder, 'spool')}`,
    `astrundir => ${join(folder, 'run')}`,
    `astlogdir => ${join(folder, 'log')}`,
  ])
  return directories + section('options', [`entityid = ${options.eid}`, 'nocolor = yes'])
}

function managerConf({ amiPort, amiSecret }: Place): string {
  return (
    section('general', ['enabled=yes', `port=${amiPort}`, 'bindaddr=127.0.0.1']) +
    section('lab', [`secret=${amiSecret}`, 'read=all', 'write=all', 'writetimeout=5000'])
  )
}

/** All of SIP: transports, phones, lamps and what `hintbridge init` wrote. */
export function pjsipConf(options: AsteriskOptions, { sipPort }: Place): string {
  const protocols = options.isUdpOnly ? ['udp'] : ['udp', 'tcp']
  const transports = protocols
    .map((protocol) =>
      section(protocol, ['type=transport', `protocol=${protocol}`, `bind=127.0.0.1:${sipPort}`]),
    )
    .join('')
  const phones = (options.phones ?? []).map(phoneSections).join('')
  // Asterisk polls the spool only for mailboxes that something is subscribed to: this endpoint's own lamps.
  const lamps =
    options.mailboxes === undefined || options.mailboxes.length === 0
      ? ''
      : section('lamps', [
          ...['type=endpoint', 'context=none', 'disallow=all', 'allow=ulaw', 'aors=lamps'],
          `mailboxes=${options.mailboxes.join(',')}`,
        ]) + section('lamps', ['type=aor', 'contact=sip:lamps@127.0.0.1:9'])
  return `${transports}${phones}${lamps}#include pjsip_hintbridge.conf\n${options.pjsip ?? ''}`
}

function phoneSections({ user, password, mailbox, busyAt }: PhoneAccount): string {
  return (
    section(user, [
      ...['type=endpoint', 'context=default', 'disallow=all', 'allow=ulaw', 'direct_media=no'],
      ...['allow_subscribe=yes', 'subscribe_context=default'],
      ...[`auth=${user}`, `aors=${user}`, `callerid=${user} <${user}>`],
      ...(busyAt === undefined ? [] : [`device_state_busy_at=${busyAt}`]),
    ]) +
    section(user, [
      ...['type=auth', 'auth_type=userpass', `username=${user}`, `password=${password}`],
    ]) +
    section(user, [
      ...['type=aor', 'max_contacts=1', 'remove_existing=yes'],
      ...(mailbox === undefined ? [] : [`mailboxes=${mailbox}`]),
    ])
  )
}

function extensionsConf(options: AsteriskOptions): string {
  const hints = Object.entries(options.hints ?? {}).flatMap(([exten, device]) => [
    `exten => ${exten},hint,${device}`,
    // A Custom: device cannot be called.
    ...(device.startsWith('PJSIP/') ? [`exten => ${exten},1,Dial(${device},60)`] : []),
  ])
  const queues = Object.keys(options.queues ?? {}).map(
    (queue) => `exten => queue-${queue},1,Queue(${queue})`,
  )
  return (
    section('none', []) + section('default', [...hints, ...queues, ...(options.dialplan ?? [])])
  )
}

function queuesConf(options: AsteriskOptions): string {
  const queues = Object.entries(options.queues ?? {}).map(([queue, members]) =>
    section(queue, [
      'strategy=ringall',
      'ringinuse=no',
      ...members.map((member) => `member => ${member}`),
    ]),
  )
  return section('general', ['persistentmembers=no']) + queues.join('')
}

function voicemailConf(options: AsteriskOptions): string {
  // Asterisk also polls its own spool for what its phones merely subscribe to: only one with mailboxes may do that here.
  const hasMailboxes = (options.mailboxes ?? []).length > 0
  const general = ['format=gsm', `pollmailboxes=${hasMailboxes ? 'yes' : 'no'}`, 'pollfreq=1']
  const contexts = new Map<string, string[]>([['default', []]])
  for (const mailbox of options.mailboxes ?? []) {
    const [box = '', context = 'default'] = mailbox.split('@')
    contexts.set(context, [...(contexts.get(context) ?? []), `${box} => 0000,Mailbox ${box}`])
  }
  return (
    section('general', general) +
    [...contexts].map(([context, boxes]) => section(context, boxes)).join('')
  )
}
