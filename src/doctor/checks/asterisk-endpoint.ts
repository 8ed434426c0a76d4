import { BlockList, isIP } from 'node:net'
import type { SipConfig } from '../../config/config.js'
import { formatHostPort, type HostPort } from '../../config/host-port.js'
import type { Check } from '../check.js'
import { type Finding, Findings } from '../finding.js'
import { askOwnConsole } from '../own-console.js'

const findings = new Findings('asterisk-endpoint')

/** Does Asterisk listen where it should, know the bridge's endpoint, and let no `identify` take it away? */
export const asteriskEndpointCheck: Check = {
  name: 'asterisk-endpoint',
  async run(context) {
    const { sip } = context.config.asterisk
    const { resource } = sip
    const ask = (command: string): Promise<string> => askOwnConsole(context, command)
    return [
      ...judgeTransports(await ask('pjsip show transports'), sip),
      judgeEndpoint(await ask(`pjsip show endpoint ${resource}`), resource),
      ...judgeIdentifiers(
        await ask('pjsip show settings'),
        await ask('pjsip show identifies'),
        sip,
      ),
    ]
  },
}

/** The findings on `pjsip show transports`: is there what the bridge is set to use, or what it could? */
export function judgeTransports(
  output: string,
  { asterisk, transport }: Pick<SipConfig, 'asterisk' | 'transport'>,
): Finding[] {
  const transports = transportsOf(output)
  const where = formatHostPort(asterisk)
  const isThere = (type: string): boolean =>
    transports.some((each) => each.type === type && isOn(each.bind, asterisk))
  if (!isThere('udp')) {
    const others = transports.map(({ type, bind }) => `${type} ${bind}`).join(', ')
    return [
      findings.broken(
        `Asterisk has no UDP transport on ${where}; it has ${others || 'none'}`,
        `set asterisk.sip.asterisk (and from_uri in pjsip_hintbridge.conf) to one that it has, or add one to pjsip.conf`,
      ),
    ]
  }
  const [isTcpThere, isTcpSet] = [isThere('tcp'), transport === 'tcp']
  const way = isTcpThere && isTcpSet ? 'TCP' : 'UDP'
  const listens = isTcpThere ? 'UDP and TCP' : 'UDP'
  const given = findings.ok(`Asterisk listens on ${where} (${listens}), is given states by ${way}`)
  if (isTcpThere === isTcpSet) return [given]
  const advice = isTcpSet
    ? findings.warning(
        `asterisk.sip.transport is tcp, but Asterisk has no TCP transport on ${where}: another program could take that port, and be given states`,
        `set it to udp and restart the bridge; or add that transport, but first see 'States by TCP' in docs/operations.md, for trunks may follow`,
      )
    : findings.note(
        'by TCP the states of others would cost Asterisk half',
        'set asterisk.sip.transport to tcp and restart the bridge',
      )
  return [given, advice]
}

interface AsteriskTransport {
  readonly type: string
  readonly bind: string
}

function transportsOf(output: string): AsteriskTransport[] {
  return [...output.matchAll(/^Transport:\s+\S+\s+(\S+)\s.*?(\S+:\d+)\s*$/gm)].map(
    ([, type = '', bind = '']) => ({ type, bind }),
  )
}

/** Does a transport with that bind hear what is sent there? */
function isOn(bind: string, { host, port }: HostPort): boolean {
  const bound = bind.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  const isWild = bound === '0.0.0.0' || bound === '::'
  // A name may stand for any address.
  const isSame = bound === host || isWild || isIP(host) === 0
  return Number(/:(\d+)$/.exec(bind)?.[1]) === port && isSame
}

/** What is to be done where Asterisk lacks something that `init` has written. */
export const includeFile =
  "include the pjsip_hintbridge.conf that 'hintbridge init' wrote, unchanged, in pjsip.conf below its transports; then 'module reload res_pjsip.so res_pjsip_outbound_publish.so res_pjsip_publish_asterisk.so' on Asterisk's console"

/** The finding on `pjsip show endpoint RESOURCE`. */
export function judgeEndpoint(output: string, resource: string): Finding {
  const settings = settingsOf(output)
  if (settings.size === 0) {
    return findings.broken(`Asterisk knows no endpoint '${resource}'`, includeFile)
  }
  const context = settings.get('context') ?? ''
  if (context !== '') {
    return findings.warning(
      `the endpoint '${resource}' may place calls, into the context '${context}'`,
      includeFile,
    )
  }
  if (!(settings.get('identify_by') ?? 'username').split(',').includes('username')) {
    return findings.broken(`the endpoint '${resource}' is not found by its name`, includeFile)
  }
  if ((settings.get('auth') ?? '') === '') {
    return findings.warning(
      `the endpoint '${resource}' asks for no password: whoever reaches Asterisk can set lamps`,
      includeFile,
    )
  }
  return findings.ok(`Asterisk knows the endpoint '${resource}', which can place no call`)
}

/** The findings on `pjsip show settings` and `pjsip show identifies`. */
export function judgeIdentifiers(
  settings: string,
  identifies: string,
  { resource, listen }: Pick<SipConfig, 'resource' | 'listen'>,
): Finding[] {
  const order = (settingsOf(settings).get('endpoint_identifier_order') ?? 'ip,username').split(',')
  if (!order.includes('username')) {
    return [
      findings.broken(
        `Asterisk does not look for endpoints by name: its endpoint_identifier_order is ${order.join(',')}`,
        'add username to endpoint_identifier_order in the [global] of pjsip.conf',
      ),
    ]
  }
  const isIpFirst = order.includes('ip') && order.indexOf('ip') < order.indexOf('username')
  const thieves = identifiesOf(identifies).filter(
    ({ endpoint, matches }) =>
      endpoint !== resource && matches.some((match) => isWithin(listen.host, match)),
  )
  if (!isIpFirst || thieves.length === 0) {
    return [findings.ok("no 'identify' takes the bridge's requests away")]
  }
  return thieves.map(({ name, endpoint }) =>
    findings.broken(
      `the identify '${name}' gives what comes from ${listen.host} to the endpoint '${endpoint}': the bridge's requests are not known as its own`,
      `narrow the match of [${name}] so that ${listen.host} is not in it, or put username before ip in endpoint_identifier_order of [global] in pjsip.conf`,
    ),
  )
}

interface Identify {
  readonly name: string
  readonly endpoint: string
  readonly matches: readonly string[]
}

function identifiesOf(output: string): Identify[] {
  const found: { name: string; endpoint: string; matches: string[] }[] = []
  for (const line of output.split('\n')) {
    const identify = /^\s*Identify:\s+([^/<\s]+)\/(\S+)/.exec(line)
    const match = /^\s*Match:\s+([^<\s]+)/.exec(line)
    if (identify) found.push({ name: identify[1] ?? '', endpoint: identify[2] ?? '', matches: [] })
    else if (match) found.at(-1)?.matches.push(match[1] ?? '')
  }
  return found
}

/** Is the address in that network, `127.0.0.0/8` or `127.0.0.0/255.0.0.0`? A header's match is in none. */
function isWithin(host: string, match: string): boolean {
  const [network = '', mask = ''] = match.split('/')
  const version = isIP(network)
  const address = isIP(host) === 0 ? '127.0.0.1' : host
  if (version === 0 || version !== isIP(address)) return false
  const family = version === 4 ? 'ipv4' : 'ipv6'
  const list = new BlockList()
  list.addSubnet(network, prefixOf(mask, version), family)
  return list.check(address, family)
}

function prefixOf(mask: string, version: number): number {
  if (mask === '') return version === 4 ? 32 : 128
  if (!mask.includes('.')) return Number(mask)
  const bits = mask.split('.').map((octet) => Number(octet).toString(2).replaceAll('0', '').length)
  return bits.reduce((sum, count) => sum + count, 0)
}

/** The table `ParameterName : ParameterValue` of a `pjsip show`; empty where the object is not there. */
export function settingsOf(output: string): Map<string, string> {
  return new Map(
    [...output.matchAll(/^ ([a-z0-9_]+) *: (.*)$/gm)].map(([, key = '', value = '']) => [
      key,
      value.trim(),
    ]),
  )
}
