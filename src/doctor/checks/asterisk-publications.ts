import { outboundAuthOf } from '../../config/asterisk-side.js'
import type { SipConfig } from '../../config/config.js'
import { formatHostPort } from '../../config/host-port.js'
import { isRoot } from '../../privilege.js'
import { readSections, type Section } from '../asterisk-files.js'
import type { Check } from '../check.js'
import { type Finding, Findings, Unchecked } from '../finding.js'
import { askOwnConsole } from '../own-console.js'
import { includeFile } from './asterisk-endpoint.js'

/** Has Asterisk the publications of both directions, and may only the bridge use them? Its console does not tell; its files do. */
export const asteriskPublicationsCheck: Check = {
  name: 'asterisk-publications',
  async run(context) {
    const settings = await askOwnConsole(context, 'core show settings')
    const folder = /^\s*Configuration directory:\s*(\S.*?)\s*$/m.exec(settings)?.[1]
    if (folder === undefined) throw new Unchecked('Asterisk does not name its configuration folder')
    return judgePublications(read(folder), context.config.asterisk.sip)
  },
}

function read(folder: string): Section[] {
  try {
    return readSections(folder, 'pjsip.conf')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const remedy = isRoot()
      ? `its console says that its configuration is in ${folder}: where it runs in a container or a chroot, which has a folder of its ` +
        `own there, compare ${folder}/pjsip.conf and what it includes there with docs/operations.md`
      : 'run this as root'
    throw new Unchecked(`the files of Asterisk cannot be read: ${reason}`, remedy)
  }
}

const findings = new Findings('asterisk-publications')
type Side = Pick<SipConfig, 'resource' | 'listen' | 'asteriskPassword'>

const events = ['asterisk-devicestate', 'asterisk-mwi'] as const

/** The findings on the sections of pjsip.conf and what it includes. */
export function judgePublications(sections: readonly Section[], sip: Side): Finding[] {
  const { resource } = sip
  const ofType = (type: string): Section[] =>
    sections.filter(({ settings }) => settings.get('type') === type)
  const inbound = ofType('inbound-publication').find(({ name }) => name === resource)
  const handler = ofType('asterisk-publication').find(({ name }) => name === resource)
  const found = [
    ...events.flatMap((event) => judgeOutbound(event, ofType('outbound-publish'), handler, sip)),
    ...judgeInbound(inbound, resource),
    ...judgeHandler(handler, resource),
  ]
  return found.length > 0 ? found : [findings.ok('pjsip.conf has them for both directions')]
}

/** Asterisk sends through the outbound publishes that the asterisk-publication names. */
function judgeOutbound(
  event: (typeof events)[number],
  outbound: readonly Section[],
  handler: Section | undefined,
  { resource, listen, asteriskPassword }: Side,
): Finding[] {
  // An older configuration has one secret for both directions.
  const expectedAuth = asteriskPassword === undefined ? resource : outboundAuthOf(resource)
  const uri = `sip:${resource}@${formatHostPort(listen)}`
  const present = outbound.filter(({ settings }) => settings.get('event') === event)
  const ours = present.filter(({ settings }) => settings.get('server_uri') === uri)
  if (ours.length === 0) {
    const elsewhere = present.map(({ settings }) => settings.get('server_uri') ?? 'nowhere')
    const text =
      elsewhere.length === 0
        ? `pjsip.conf has no outbound-publish for ${event}: Asterisk tells the bridge nothing`
        : `the outbound-publish for ${event} goes to ${elsewhere.join(', ')}, and the bridge listens as ${uri}`
    return [findings.broken(text, includeFile)]
  }
  const auth = ours.find(({ settings }) => settings.get('outbound_auth') !== expectedAuth)
  if (auth !== undefined) {
    const shown = auth.settings.get('outbound_auth') ?? 'none'
    return [
      findings.broken(
        `the outbound-publish for ${event} shows the bridge the auth '${shown}', not '${expectedAuth}'`,
        includeFile,
      ),
    ]
  }
  const key = event === 'asterisk-mwi' ? 'mailboxstate_publish' : 'devicestate_publish'
  const named = handler?.settings.get(key)
  if (handler === undefined || ours.some(({ name }) => name === named)) return []
  return [
    findings.broken(
      `the asterisk-publication '${resource}' names no outbound-publish for ${event} (${key})`,
      includeFile,
    ),
  ]
}

function judgeInbound(inbound: Section | undefined, resource: string): Finding[] {
  if (inbound === undefined) {
    return [
      findings.broken(
        `pjsip.conf has no inbound-publication '${resource}': Asterisk takes nothing of the bridge`,
        includeFile,
      ),
    ]
  }
  const endpoint = inbound.settings.get('endpoint')
  const unbound = events.filter((event) => inbound.settings.get(`event_${event}`) !== resource)
  return [
    ...(endpoint === resource
      ? []
      : [
          findings.broken(
            `the inbound-publication '${resource}' is bound to ${endpoint === undefined ? 'no endpoint: any endpoint can set any lamp' : `the endpoint '${endpoint}'`}`,
            `write 'endpoint = ${resource}' into it, or ${includeFile}`,
          ),
        ]),
    ...unbound.map((event) =>
      findings.broken(
        `the inbound-publication '${resource}' does not take ${event} (event_${event})`,
        includeFile,
      ),
    ),
  ]
}

function judgeHandler(handler: Section | undefined, resource: string): Finding[] {
  if (handler === undefined) {
    return [
      findings.broken(
        `pjsip.conf has no asterisk-publication '${resource}': nothing ties the two directions together`,
        includeFile,
      ),
    ]
  }
  const off = ['device_state', 'mailbox_state'].filter(
    (key) => !['yes', 'true', 'on', '1'].includes(handler.settings.get(key)?.toLowerCase() ?? 'no'),
  )
  return off.map((key) =>
    findings.broken(
      `the asterisk-publication '${resource}' has ${key} off: what the bridge sends is answered 200 and dropped`,
      includeFile,
    ),
  )
}
