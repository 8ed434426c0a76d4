/** Who asks over HTTP, as far as limits are concerned. */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** All loopback addresses are this one: any local process may take any of them. */
export const thisMachine = 'this machine'

/** The address of a peer: an IPv6 network of 64 bits as one, for whoever has one address of it has all. */
export function groupOf(address = ''): string {
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, '')
  const version = isIP(plain)
  if (version === 0 || loopback.check(plain, version === 4 ? 'ipv4' : 'ipv6')) return thisMachine
  return version === 4 ? plain : networkOf(plain)
}

/**
 * Who sent a request: its peer, or whom a proxy on this machine names as its own peer, which is the last of X-Forwarded-For. Two
 * readers behind one proxy are so held apart; from other machines the header is anybody's word.
 */
export function sourceOf({ socket, headers }: IncomingMessage): string {
  const peer = groupOf(socket.remoteAddress)
  const last = [headers['x-forwarded-for'] ?? ''].flat().join(',').split(',').at(-1)?.trim() ?? ''
  return peer === thisMachine && isIP(last) !== 0 ? `${groupOf(last)} by proxy` : peer
}

/** The first four of eight groups. */
function networkOf(address: string): string {
  const [before = '', after] = address.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0')
  return [...head, ...zeros, ...tail].slice(0, 4).join(':')
}
