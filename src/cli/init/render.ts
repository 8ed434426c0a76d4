import { stringify } from 'yaml'

export interface ConfigText {
  readonly cluster: string
  /** Where it is not that of the machine. */
  readonly name?: string
  readonly trust: readonly string[]
  readonly stateDir: string
  readonly services: readonly string[]
  readonly jid: string
  readonly pubsub: string
  readonly xmppPasswordFile: string
  readonly isInsecure: boolean
  readonly caFile?: string
  readonly eid?: string
  readonly asterisk: string
  readonly listen: string
  /** May one of the two be off loopback? */
  readonly isSipInsecure?: boolean
  readonly resource: string
  readonly sipPasswordFile: string
  readonly asteriskPasswordFile: string
  readonly http: string
}

/** Renders the configuration file that `init` writes: what was asked, with comments; all else keeps its default. */
export function renderConfig(text: ConfigText): string {
  const [service = ''] = text.services
  return `# hintbridge, written by 'hintbridge init'. All settings: docs/hintbridge.example.yaml of the package.

cluster: ${scalar(text.cluster)} # the same on all members
${text.name === undefined ? '# name: pbx-a # how the others call this member, if not by the name of its machine' : `name: ${scalar(text.name)} # how the others call this member`}
# Bare JIDs that may be members; * stays within its part. Whoever holds such an account can set lamps here.
trust:
${text.trust.map((glob) => `  - ${scalar(glob)}`).join('\n')}
state_dir: ${scalar(text.stateDir)}

xmpp:
  service: ${text.services.length > 1 ? `[${text.services.map(scalar).join(', ')}]` : scalar(service)}
  jid: ${scalar(text.jid)} # this bridge's own account
  password_file: ${scalar(text.xmppPasswordFile)}
  pubsub: ${scalar(text.pubsub)}
${renderTls(text)}
asterisk:
${
  text.eid === undefined
    ? "  # eid: 02:00:00:00:00:0a # learnt from Asterisk; 'core show settings' shows it\n"
    : `  eid: ${scalar(text.eid)}\n`
}  sip:
    asterisk: ${scalar(text.asterisk)} # where Asterisk listens (UDP)
    listen: ${scalar(text.listen)} # where Asterisk publishes to
    # transport: tcp # where Asterisk has a TCP transport on that address too: 'States by TCP' in docs/operations.md
    resource: ${scalar(text.resource)} # the bridge's name in pjsip_hintbridge.conf
    password_file: ${scalar(text.sipPasswordFile)} # what the bridge shows Asterisk
    asterisk_password_file: ${scalar(text.asteriskPasswordFile)} # what Asterisk shows the bridge
${text.isSipInsecure === true ? '    insecure: true # SIP may leave the loopback, where nothing is encrypted\n' : ''}
http:
  listen: ${scalar(text.http)} # the status page, /metrics, /health, /ready
`
}

function renderTls({ isInsecure, caFile }: ConfigText): string {
  const lines = [
    isInsecure
      ? '    mode: insecure # clear text: the password and all states can be read on the way'
      : '    mode: required # the certificate is checked',
    caFile === undefined
      ? '    # ca: /path/to/ca.pem # where the certificate is not of a public authority'
      : `    ca: ${scalar(caFile)}`,
  ]
  return `  tls:\n${lines.join('\n')}\n`
}

function scalar(text: string): string {
  return stringify(text, { lineWidth: 0 }).trimEnd()
}
