/** To whom the sockets of this machine belong, as the kernel tells. Source: proc_pid_net(5), Linux `net/ipv4/tcp_ipv4.c`. */
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import type { HostPort } from './message.js'

interface SocketEntry {
  readonly local: HostPort
  readonly remote: HostPort
  readonly uid: number
}

/** What stands for every user that this user namespace does not know (user_namespaces(7)). */
const overflowUid = 65_534
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/**
 * Does the TCP socket at the other end of the own one belong to the user who has the UDP socket on that port of the same
 * address? `undefined` where the kernel does not tell.
 */
export async function isSameUser(own: HostPort, port: number): Promise<boolean | undefined> {
  const [tcp, udp] = await Promise.all([readSockets('tcp'), readSockets('udp')])
  return judgeOwners(tcp, udp, own, port)
}

export function judgeOwners(
  tcp: readonly SocketEntry[],
  udp: readonly SocketEntry[],
  own: HostPort,
  port: number,
): boolean | undefined {
  const end = tcp.find(
    ({ local, remote }) =>
      local.port === port && remote.port === own.port && remote.host === own.host,
  )
  if (!end) return undefined
  const bound = udp.filter(({ local }) => local.port === port)
  const exact = bound.find(({ local }) => local.host === end.local.host)
  const holder = exact ?? bound.find(({ local }) => wildcards.has(local.host))
  if (!holder || [end.uid, holder.uid].includes(overflowUid)) return undefined
  return end.uid === holder.uid
}

async function readSockets(protocol: 'tcp' | 'udp'): Promise<SocketEntry[]> {
  const texts = await Promise.all(
    ['', '6'].map((version) =>
      readFile(`/proc/self/net/${protocol}${version}`, 'utf8').catch(() => ''),
    ),
  )
  return texts.flatMap(parseSockets)
}

/** The lines of a table of sockets: number, local and remote address, state, queues, timer, retransmissions, user. */
export function parseSockets(table: string): SocketEntry[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', remote = '', , , , , uid = ''] = line.trim().split(/\s+/)
      if (!/^\d+$/.test(uid)) return []
      return [{ local: parseEnd(local), remote: parseEnd(remote), uid: Number(uid) }]
    })
}

/** `0100007F:13C4`: 32-bit words in the machine's order (little-endian wherever this runs), the port as it is. */
function parseEnd(text: string): HostPort {
  const [address = '', port = ''] = text.split(':')
  const octets = Buffer.from(address, 'hex')
  if (octets.length % 4 === 0) octets.swap32()
  return { host: spell(octets), port: parseInt(port, 16) }
}

function spell(octets: Buffer): string {
  if (octets.length === 4) return octets.join('.')
  const isMapped = octets.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'))
  if (isMapped) return octets.subarray(12).join('.')
  const groups = octets.toString('hex').replace(/.{4}(?=.)/g, '$&:')
  return isIPv6(groups) ? new URL(`http://[${groups}]`).hostname.slice(1, -1) : groups
}
